"""The demo with two of every process, people who log in to it, and traffic that never stops."""

import asyncio
import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import asyncpg
from httpx2 import AsyncClient, TransportError
from joserfc.jws import extract_compact

from deploy.demo.api import CityApi, Refused, ask_for_token, connection
from deploy.demo.browser import Browser
from deploy.demo.check.world import World
from deploy.demo.person import Application, Person
from deploy.embedded.layout import SERVICES
from deploy.embedded.platform import Platform
from tests.faults.city import connection as connections
from tests.faults.striking import until

NUMBERS: Final = (1, 2)
QUESTIONS: Final = {
    "members": "/api/v1/members",
    "projects": "/api/v1/projects",
    "notifications": "/api/v1/inbox",
}
ASKERS: Final = 4
PAUSE_SECONDS: Final = 0.02
ISSUING_SECONDS: Final = 0.25
TOKENS_KEPT: Final = 40

# What takes minutes on a platform of several cities takes seconds here.
IMPATIENT: Final = {
    "RENKEI_JWKS_LIFETIME_SECONDS": "2",
    "RENKEI_SIGNING_KEYS_SECONDS": "1",
    "RENKEI_TIMER_SECONDS": "1",
    # On a machine that has much else to do, whoever waits for it is not refused.
    "RENKEI_REQUEST_SECONDS": "18",
}


@dataclass
class Traffic:
    """Asks the services again and again with tokens that are good, and each question once.

    Attributes:
        answered: by service and status; 0 where the connection gave no answer.
        tokens: the newest that were issued.
        not_issued: why somebody got no token.
    """

    http: AsyncClient
    people: list[Person]
    machines: list[CityApi]
    answered: Counter[tuple[str, int]] = field(default_factory=Counter)
    tokens: deque[str] = field(default_factory=lambda: deque(maxlen=TOKENS_KEPT))
    not_issued: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def flowing(
        self, *, to: Collection[str] = SERVICES, issuing: bool = True
    ) -> AsyncIterator[Counter[tuple[str, int]]]:
        """Ask beside what the context does; and let everybody get new tokens, if there are any.

        Yields:
            What was answered meanwhile.
        """
        self.answered = Counter()
        self.not_issued = []
        self._flows = True
        self.tokens.clear()
        await self._issue()
        work = [self._keep_asking(to, number) for number in range(ASKERS)]
        if issuing:
            work.append(self._keep_issuing())
        tasks = [asyncio.create_task(each) for each in work]
        try:
            yield self.answered
            await self.until_answered(20, to=to)
        finally:
            self._flows = False
            await asyncio.gather(*tasks)

    async def until_answered(self, more: int, *, to: Collection[str] = SERVICES) -> None:
        """Wait until each service has answered so many times more, whatever it says."""
        wanted = {service: self._answers_of(service) + more for service in to}

        async def answered() -> bool:
            return all(self._answers_of(name) >= count for name, count in wanted.items())

        await until(answered, seconds=60, what="answers")

    def _answers_of(self, service: str) -> int:
        return sum(count for (name, _), count in self.answered.items() if name == service)

    async def _keep_asking(self, to: Collection[str], number: int) -> None:
        services = cycle(to)
        while self._flows:
            service = next(services)
            token = self.tokens[number % len(self.tokens)]
            self.tokens.rotate()
            self.answered[service, await asked(self.http, QUESTIONS[service], token)] += 1
            await asyncio.sleep(PAUSE_SECONDS)

    async def _keep_issuing(self) -> None:
        while self._flows:
            await self._issue()
            await asyncio.sleep(ISSUING_SECONDS)

    async def _issue(self) -> None:
        for each in (*self.people, *self.machines):
            try:
                answer = await each.new_token()
            except (Refused, TransportError) as error:
                self.not_issued.append(repr(error))
            else:
                each.take(answer)
                if isinstance(each, Person):
                    self.tokens.append(answer["access_token"])

    def forget(self, *, signed_with: str) -> None:
        """Ask no longer with tokens of this key, as if they had expired."""
        kept = [token for token in self.tokens if key_of(token) != signed_with]
        self.tokens.clear()
        self.tokens.extend(kept)


async def asked(http: AsyncClient, path: str, token: str) -> int:
    """The status of one answer; 0 if there was none."""
    try:
        response = await http.get(path, headers={"Authorization": f"Bearer {token}"})
    except TransportError:
        return 0
    return response.status_code


def key_of(token: str) -> str:
    """The id of the key that signed it."""
    return str(extract_compact(token.encode()).headers()["kid"])


@dataclass
class Town:
    """A running platform with the demo's data.

    Attributes:
        traffic: of one coordinator for each kind of provider, and of their cities' machines.
    """

    platform: Platform
    http: AsyncClient
    world: World
    application: Application
    traffic: Traffic

    @property
    def members(self) -> list[str]:
        """A city for each kind of provider that there is."""
        found: dict[str, str] = {}
        for member, login in self.world.demo["logins"].items():
            found.setdefault(login["kind"], member)
        return list(found.values())

    def kind_of(self, member: str) -> str:
        """What kind of provider a city has."""
        return str(self.world.demo["logins"][member]["kind"])

    def machine(self, member: str, secret: str) -> CityApi:
        """A city's machine, with another secret."""
        client_id = self.world[member].client_id
        return CityApi(self.http, member=member, client_id=client_id, client_secret=secret)

    def providers(self) -> list[str]:
        """The processes of the cities' providers."""
        return [name for name in self.platform.names() if name.startswith("demo-providers-")]

    @asynccontextmanager
    async def somebody(self, member: str, role: str = "coordinator") -> AsyncIterator[Person]:
        """An official in front of a new browser."""
        people = self.world.demo["logins"][member]["people"]
        [login] = [name for name in people if name.endswith(f"-{role}")]
        async with Browser() as browser:
            yield Person(self.http, self.application, browser, member=member, login=login)

    async def fetch(self, service: str, query: str, *arguments: Any) -> list[asyncpg.Record]:
        database = await asyncpg.connect(self.platform.postgres_url(service), timeout=5)
        try:
            return list(await database.fetch(query, *arguments))
        finally:
            await database.close(timeout=5)

    async def statuses(self, token: str, services: Collection[str] = SERVICES) -> dict[str, int]:
        """What each single process answers to a token."""
        found = {}
        for service in services:
            for number in NUMBERS:
                name = f"{service}-web-{number}"
                async with connections(f"http://{self.platform.address(name)}") as http:
                    found[name] = await asked(http, QUESTIONS[service], token)
        return found

    async def issued_by(self, number: int) -> str:
        """An access token that one process of the members service has signed."""
        account = self.world.demo["members"][self.members[0]]
        async with connections(f"http://{self.platform.address(f'members-web-{number}')}") as http:
            answer = await ask_for_token(
                http,
                account["client_id"],
                account["client_secret"],
                grant_type="client_credentials",
            )
        return str(answer["access_token"])

    async def ask_for_tokens(self, number: int, **form: str) -> tuple[int, dict[str, Any]]:
        """Let the application ask a process of the members service, once."""
        who = (self.application.client_id, self.application.client_secret)
        async with connections(f"http://{self.platform.address(f'members-web-{number}')}") as http:
            answer = await http.post("/oauth/token", data=form, auth=who)
        return answer.status_code, answer.json()

    async def serves(self, name: str) -> bool:
        """Whether a web process has been asked for anything but its health since it started."""
        async with connections(f"http://{self.platform.address(name)}") as http:
            metrics = (await http.get("/metrics")).text
        return "http_server_request_duration_seconds_count{" in metrics

    async def revoke(self, token: str) -> None:
        """Let the application end the session that a token belongs to."""
        who = (self.application.client_id, self.application.client_secret)
        answer = await self.http.post("/oauth/revoke", data={"token": token}, auth=who)
        answer.raise_for_status()

    async def keys_of(self, number: int) -> set[str]:
        """Ids of the keys that one process of the members service publishes."""
        async with connections(f"http://{self.platform.address(f'members-web-{number}')}") as http:
            return {key["kid"] for key in (await http.get("/oauth/jwks")).json()["keys"]}


@asynccontextmanager
async def running_town(place: Path) -> AsyncIterator[Town]:
    """Start the demo, and let people log in for the traffic."""
    async with (
        Platform(place, replicas=2, demo=True, settings=IMPATIENT) as platform,
        town_on(platform) as town,
    ):
        yield town


@asynccontextmanager
async def town_on(platform: Platform) -> AsyncIterator[Town]:
    demo = json.loads(platform.state.demo.read_text(encoding="utf-8"))
    async with connection(platform.url) as http, connections(platform.url) as asking:
        world = World(http, demo)
        application = Application.model_validate(demo["application"])
        town = Town(platform, http, world, application, Traffic(asking, [], []))
        async with AsyncExitStack() as stack:
            for member in town.members:
                person = await stack.enter_async_context(town.somebody(member))
                await person.log_in()
                town.traffic.people.append(person)
                town.traffic.machines.append(world[member])
            yield town
