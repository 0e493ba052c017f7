"""The members of the network: invited by its secretariat, everything else done by themselves."""

from typing import Final

from httpx2 import AsyncClient

from deploy.demo.api import NOT_YET_SECONDS, CityApi, eventually
from deploy.demo.load.record import Record
from deploy.demo.load.together import for_each
from deploy.demo.progress import Display
from deploy.demo.story import City, Story
from shared.contracts.members import Role

SCOPES: Final = (
    "members:read",
    "members:write",
    "projects:read",
    "projects:write",
    "projects:contribute",
    "notifications:read",
    "notifications:write",
)
OWN_OFFICIALS: Final[tuple[Role, ...]] = ("coordinator", "contributor")
LISTENING: Final = ("seoul", "singapore", "tomsk")
"""The cities whose systems want to hear of facts."""


class Cities:
    """Brings the members into the network, and gives each its own access to the API."""

    def __init__(self, http: AsyncClient, story: Story, record: Record, display: Display) -> None:
        self._http = http
        self._story = story
        self._record = record
        self._display = display
        host = story.host
        self.secretariat = CityApi(
            http,
            member=host.slug,
            client_id=record.facts["secretariat"]["client_id"],
            client_secret=record.facts["secretariat"]["client_secret"],
        )
        self.apis = {host.slug: self.secretariat}

    async def found(self) -> None:
        """Let the cities enter, join, appoint officials and register where they listen."""
        await for_each(self._display, "members", self._story.cities.values(), self._invite)
        self._record.facts["members"] = dict(sorted(self._record.facts["members"].items()))
        self._record.save()
        belonging = list(self._story.belonging)
        await for_each(self._display, "memberships", belonging, self._join)
        active = [self._story.host.slug, *self._story.active]
        await for_each(self._display, "officials", active, self._appoint)
        await for_each(self._display, "webhooks", LISTENING, self._listen)
        self._record.save()

    async def _invite(self, city: City) -> None:
        """Enter a member with what only its host can give it: a first official and client."""
        path = f"/api/v1/members/{city.slug}"
        invited_on = self._story.invited_on(city.slug, self._record.loaded_on)
        await self.secretariat.post(
            "/api/v1/members",
            {**city.facts(), "invited_on": invited_on.isoformat()},
            key=f"demo:{city.slug}",
        )
        await self.secretariat.post(
            f"{path}/officials",
            self._story.official(city.slug, "administrator"),
            key=f"demo:{city.slug}:administrator",
        )
        client = await self.secretariat.post(
            f"{path}/clients",
            {"name": "Demo", "scopes": SCOPES},
            key=f"demo:{city.slug}:client",
        )
        self.apis[city.slug] = CityApi(
            self._http, member=city.slug, client_id=client["id"], client_secret=client["secret"]
        )
        self._record.facts["members"][city.slug] = {
            "client_id": client["id"],
            "client_secret": client["secret"],
            "name": city.name["en"],
        }

    async def _join(self, member: str) -> None:
        """Let a city accept its membership and, if it has left since, leave."""
        belonging = self._story.belonging[member]
        path = f"/api/v1/members/{member}"
        if belonging.until and (await self.secretariat.get(path))["status"] == "withdrawn":
            return  # in an earlier run: it cannot speak to the platform any more
        steps = [("active", belonging.since), ("withdrawn", belonging.until)]
        for status, effective_on in steps:
            if effective_on is not None:
                await self.apis[member].post(
                    f"{path}/membership-transitions",
                    {"status": status, "effective_on": effective_on.isoformat()},
                    key=f"demo:{member}:{status}",
                    version="*",
                )

    async def _appoint(self, member: str) -> None:
        api = self.apis[member]
        for role in OWN_OFFICIALS:
            official = await api.post(
                f"/api/v1/members/{member}/officials",
                self._story.official(member, role),
                key=f"demo:{member}:{role}",
            )
        # An inbox tells nothing of before: news of the last official must have spread.
        inbox = await eventually(
            lambda: api.send("GET", "/api/v1/inbox", params={"official": official["id"]}),
            lambda answer: answer.is_success,
            seconds=NOT_YET_SECONDS,
        )
        inbox.raise_for_status()

    async def _listen(self, member: str) -> None:
        endpoint = await self.apis[member].post(
            "/api/v1/webhook-endpoints",
            {
                "url": f"{self._record.receiver_url}/hooks/{member}",
                "description": "Demo",
                "event_types": ["*"],
            },
            key=f"demo:{member}:webhook",
            not_yet=["member-not-active"],
        )
        # What happens before its system agrees would follow; whoever looks sees that it did.
        agreed = await eventually(
            lambda: self.apis[member].send("GET", f"/api/v1/webhook-endpoints/{endpoint['id']}"),
            lambda answer: answer.is_success and answer.json()["verified_at"] is not None,
            seconds=NOT_YET_SECONDS,
        )
        agreed.raise_for_status()
        self._record.facts["webhooks"][member] = {
            "id": endpoint["id"],
            "url": endpoint["url"],
            "secret": endpoint["secret"],
        }
