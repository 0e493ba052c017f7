"""What the check works with: the demo as it was loaded, and access for every city."""

from datetime import date
from typing import Any

from httpx2 import AsyncClient, Response

from deploy.demo.api import CityApi
from deploy.demo.story import Story


class World:
    """The loaded demo.

    Args:
        http: connections to the platform.
        demo: what the loader wrote.
    """

    def __init__(self, http: AsyncClient, demo: dict[str, Any]) -> None:
        self.http = http
        self.demo = demo
        self.story = Story()
        host = self.story.host.slug
        self.apis = {
            member: CityApi(
                http,
                member=member,
                client_id=account["client_id"],
                client_secret=account["client_secret"],
            )
            for member, account in {**demo["members"], host: demo["secretariat"]}.items()
        }

    def __getitem__(self, member: str) -> CityApi:
        return self.apis[member]

    @property
    def loaded_on(self) -> date:
        return date.fromisoformat(self.demo["loaded_on"])

    async def arrivals(self, hook: str) -> list[dict[str, Any]]:
        """Events that the system of a city has received, in the order of their arrival."""
        answer = await self.http.get(f"{self.demo['receiver_url']}/arrivals.json")
        return [each["body"] for each in answer.raise_for_status().json() if each["hook"] == hook]

    async def feed(self, member: str) -> list[dict[str, Any]]:
        """Pull all that a member was told, as one of its systems would."""
        items: list[dict[str, Any]] = []
        after, end = 0, 1
        while after < end:
            part = await self[member].get("/api/v1/events", after=after, limit=200)
            items += part["items"]
            after, end = part["next"], part["end"]
        return items

    async def officials(self, member: str) -> dict[str, str]:
        """Ids of those of a city's officials who had a role first, by role."""
        found = await self[member].all_of(f"/api/v1/members/{member}/officials")
        return {role: official["id"] for official in reversed(found) for role in official["roles"]}

    async def inbox(self, member: str, official: str, project: str) -> dict[str, dict[str, Any]]:
        """What an official has been told about one project, by kind of thing."""
        items = await self[member].all_of("/api/v1/inbox", official=official, project_id=project)
        return {item["subject_kind"]: item for item in items}


def code_of(answer: Response) -> tuple[int, str]:
    """Status and name of the broken rule, such as `(403, "not-your-invitation")`."""
    problem = {} if answer.is_success else answer.json()
    return answer.status_code, str(problem.get("type", "")).removeprefix("/problems/")
