"""Officials come in through their own city's provider, and go out for certain."""

import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from deploy.demo.api import Api, Refused, eventually
from deploy.demo.browser import Browser, Page, Stuck
from deploy.demo.check.report import Report
from deploy.demo.check.world import World, code_of
from deploy.demo.person import Application, Person
from shared.identifiers import new_id

SETTLE_SECONDS: Final = 10.0
"""After this time news that has not arrived never will; how soon it does, is shown and measured."""
SERVICES: Final = ("/api/v1/members", "/api/v1/projects", "/api/v1/inbox")
"""A question to each service."""
SIGN_IN_COOKIE: Final = "__Host-sign-in"
STRONG: Final = "urn:renkei:mfa"
"""What an application asks for that wants a second factor."""


async def check_logins(world: World, report: Report) -> None:
    """Look at everything about people; the demo must have been loaded with providers."""
    logins = _Logins(world, report)
    members = logins.one_of_each_kind()
    for member in members:
        await logins.check_coordinator(member)
        await logins.check_strength(member)
    await logins.check_callback(members[0])
    await logins.check_stranger(members[0])
    await logins.check_blocking(members[0])
    for member in members:
        await logins.check_logout(member)
    await logins.check_leaving_the_provider()


class _Logins:
    def __init__(self, world: World, report: Report) -> None:
        self._world = world
        self._report = report
        self._logins: dict[str, dict[str, Any]] = world.demo["logins"]
        self._application = Application.model_validate(world.demo["application"])
        self._url = str(world.http.base_url).rstrip("/")

    def one_of_each_kind(self) -> list[str]:
        """A city for each kind of provider that there is."""
        found: dict[str, str] = {}
        for member, login in self._logins.items():
            found.setdefault(login["kind"], member)
        return list(found.values())

    async def check_coordinator(self, member: str) -> None:
        """Let a coordinator read and act, with a token of their own."""
        async with self._person(member, "coordinator") as person:
            answer = await person.log_in()
            claims = _claims_of(answer["access_token"])
            official = (await self._world.officials(member))["coordinator"]
            self._report.equal(
                f"the coordinator of {member} logs in at {self._logins[member]['issuer']}",
                (claims["member"], claims["sub"], claims["roles"]),
                (member, official, ["coordinator"]),
            )
            self._report.equal(
                "and reads at every service", await _statuses(person), dict.fromkeys(SERVICES, 200)
            )
            draft = await person.post("/api/v1/projects", _project(), key=str(new_id()))
            ended = await person.post(
                f"/api/v1/projects/{draft['id']}/cancellation",
                {"reason": "Only a trial."},
                key=str(new_id()),
                version="*",
            )
            self._report.equal(
                "and speaks for the city", (ended["lead"], ended["status"]), (member, "cancelled")
            )
            refused = await person.send(
                "POST", f"/api/v1/members/{member}/clients", json=_client(), headers=_once()
            )
            self._report.equal("but does not govern it", code_of(refused), (403, "missing-scope"))

    async def check_strength(self, member: str) -> None:
        """Ask somebody who is logged in for a second factor."""
        async with self._person(member, "coordinator") as person:
            await person.log_in()
            try:
                answer = await person.log_in(acr_values=STRONG)
                found: Any = _claims_of(answer["access_token"]).get("acr")
            except Stuck as stuck:
                found = stuck.page.status
            can_say = self._logins[member]["kind"] == "node"
            self._report.equal(
                f"{member} is asked for a second factor"
                if can_say
                else f"{member}, whose provider knows none, is not believed to have one",
                found,
                STRONG if can_say else 403,
            )

    async def check_callback(self, member: str) -> None:
        """Try to come back from a provider in ways that nobody was sent there."""
        callback = f"{self._url}/login/{member}/callback"
        async with Browser() as browser, Browser() as other:
            page = await browser.log_in(
                f"{self._url}/login/{member}",
                person=self._name(member, "coordinator"),
                until=callback,
            )
            forged = page.url.replace("state=", "state=x")
            self._refused("a callback with another state is refused", await browser.open(forged))
            self._refused("so is one in another browser", await other.open(page.url))
            came_in = await browser.open(page.url)
            self._report.that(
                "the true one is taken",
                came_in.status == 200 and SIGN_IN_COOKIE in browser.cookies,
                (came_in.status, browser.cookies),
            )
            self._refused("but only once", await browser.open(page.url))
            self._report.that(
                "and nobody else has come in", SIGN_IN_COOKIE not in other.cookies, other.cookies
            )

    async def check_stranger(self, member: str) -> None:
        """Let somebody log in whom the city knows, and has not invited."""
        async with Browser() as browser:
            page = await browser.log_in(
                f"{self._url}/login/{member}", person=self._name(member, "visitor")
            )
            self._refused(f"whom {member} has not invited stays outside", page)
            self._report.that(
                "and has no session", SIGN_IN_COOKIE not in browser.cookies, browser.cookies
            )

    async def check_blocking(self, member: str) -> None:
        """Block somebody who is logged in."""
        machine, path = self._world[member], f"/api/v1/members/{member}/officials"
        observer = await machine.post(path, _observer(member), key="demo:check:observer")
        async with self._person(member, "observer") as person:
            await person.log_in()
            before = await eventually(
                lambda: _statuses(person),
                lambda found: set(found.values()) == {200},
                seconds=SETTLE_SECONDS,
            )
            self._report.equal(
                f"an observer of {member} reads at every service",
                before,
                dict.fromkeys(SERVICES, 200),
            )
            refused = await person.send("POST", "/api/v1/projects", json=_project())
            self._report.equal("and writes nowhere", code_of(refused), (403, "missing-scope"))
            await self._change(machine, f"{path}/{observer['id']}", {"status": "blocked"})
            await self._out("who is blocked is out", person)
        await self._change(machine, f"{path}/{observer['id']}", {"status": "active"})

    async def check_logout(self, member: str) -> None:
        """Log out in the browser, which leads past the provider."""
        async with self._person(member, "contributor") as person:
            await person.log_in()
            page = await person.browser.open(f"{self._url}/login")
            actions = [form.action for form in page.forms]
            page = await person.browser.send(page, {}, number=actions.index("/logout"))
            while page.forms and not page.url.startswith(self._url):
                page = await person.browser.send(page, {})
            self._report.equal(
                f"whoever logs out of {member} comes back from its provider",
                page.url,
                f"{self._url}/login/{member}/logged-out",
            )
            await self._out("and is out", person)
            try:
                answer: Any = await person.new_token()
            except Refused as refused:
                answer = refused.status
            self._report.equal("and there are no new tokens", answer, 400)
            self._report.that(
                "and the browser has forgotten the session",
                SIGN_IN_COOKIE not in person.browser.cookies,
                person.browser.cookies,
            )

    async def check_leaving_the_provider(self) -> None:
        """Sign out at a provider that tells of it, of which we have one kind."""
        telling = [member for member, login in self._logins.items() if login["kind"] == "node"]
        for member in telling[:1]:
            async with self._person(member, "contributor") as person:
                await person.log_in()
                issuer = self._logins[member]["issuer"]
                page = await person.browser.open(f"{issuer}/session/end")
                await person.browser.send(page, {})
                await self._out(f"who leaves the provider of {member} is out", person)

    async def _out(self, promise: str, person: Person) -> None:
        began = time.monotonic()
        found = await eventually(
            lambda: _statuses(person),
            lambda found: set(found.values()) == {401},
            seconds=SETTLE_SECONDS,
        )
        took = time.monotonic() - began
        self._report.equal(
            f"{promise}, at every service, after {took:.2f} s", found, dict.fromkeys(SERVICES, 401)
        )

    async def _change(self, api: Api, path: str, body: dict[str, str]) -> None:
        answer = await api.send("PATCH", path, json=body, headers={"If-Match": "*"})
        answer.raise_for_status()

    def _refused(self, promise: str, page: Page) -> None:
        self._report.that(
            promise, 400 <= page.status < 500, f"{page.status} {' '.join(page.words)}"
        )

    def _name(self, member: str, role: str) -> str:
        """With which somebody logs in at their city's provider."""
        [name] = [each for each in self._logins[member]["people"] if each.endswith(f"-{role}")]
        return str(name)

    @asynccontextmanager
    async def _person(self, member: str, role: str) -> AsyncIterator[Person]:
        async with Browser() as browser:
            yield Person(
                self._world.http,
                self._application,
                browser,
                member=member,
                login=self._name(member, role),
            )


async def _statuses(api: Api) -> dict[str, int]:
    return {path: (await api.send("GET", path)).status_code for path in SERVICES}


def _claims_of(token: str) -> dict[str, Any]:
    """Read a token as whoever has it can; that it is genuine, the services check."""
    body = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims


def _once() -> dict[str, str]:
    return {"Idempotency-Key": str(new_id())}


def _project() -> dict[str, Any]:
    return {
        "reference": f"person-{new_id()}",
        "title": {"en": "Trial"},
        "summary": {"en": "Made by a person, for the check of the demo."},
    }


def _client() -> dict[str, Any]:
    return {"name": "Trial", "scopes": ["members:read"]}


def _observer(member: str) -> dict[str, Any]:
    return {
        "function": {"en": f"Observer, {member.title()}"},
        "email": f"observer@{member}.example",
        "language": "en",
        "roles": ["observer"],
    }
