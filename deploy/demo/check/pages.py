"""Officials use the pages of the portal, whose browsers hold nothing but a cookie."""

from typing import Final
from urllib.parse import parse_qs, urlsplit

from deploy.demo.api import eventually
from deploy.demo.browser import Browser, Page
from deploy.demo.check.report import Report
from deploy.demo.check.world import World

SETTLE_SECONDS: Final = 10.0
SESSION: Final = "__Host-session"
LOG_IN: Final = "/session/login"


async def check_pages(world: World, report: Report) -> None:
    """Look at the pages as officials of two cities; the demo must have been loaded with logins."""
    pages = _Pages(world, report)
    first, second, *_ = sorted(world.demo["logins"], key=lambda each: each != "seoul")
    await pages.check_stranger()
    await pages.check_switch(first, second)
    await pages.check_own_sessions(first)
    await pages.check_ends(second)
    for person, members in world.demo.get("liaisons", {}).items():
        await pages.check_liaison(person, *members)


class _Pages:
    def __init__(self, world: World, report: Report) -> None:
        self._world = world
        self._report = report
        self._url = str(world.http.base_url).rstrip("/")

    async def check_stranger(self) -> None:
        async with Browser() as browser:
            page = await browser.open(self._url)
            self._report.that(
                "whoever comes is offered the login, and gets no session",
                page.status == 200 and LOG_IN in page.text and SESSION not in browser.cookies,
                (page.status, browser.cookies),
            )
            page = await browser.open(f"{self._url}/api")
            self._report.equal("the API is shown at an address of its own", page.status, 200)

    async def check_switch(self, member: str, other: str) -> None:
        """Act for one city, then for another one, then for none."""
        async with Browser() as browser:
            page = await self._log_in(browser, member, "coordinator")
            self._shows(f"the coordinator of {member} sees for which city", page, member)
            japanese = await browser.open(f"{self._url}/?ui_locales=ja")
            self._shows("also in Japanese", japanese, member, language="ja")
            await browser.open(f"{self._url}/?ui_locales=en")
            asked = await browser.send(page, {}, number=_number(page, "/session/switch"))
            [authorization] = parse_qs(urlsplit(asked.url).query)["authorization"]
            page = await browser.log_in(
                f"{self._url}/login/{other}?authorization={authorization}",
                person=self._name(other, "contributor"),
            )
            self._shows(f"and can go on as the contributor of {other}", page, other)
            page = await browser.send(page, {}, number=_number(page, "/session/logout"))
            again = await browser.open(self._url)
            self._report.that(
                "whoever logs out is out",
                SESSION not in browser.cookies and LOG_IN in again.text,
                (page.url, browser.cookies),
            )

    async def check_own_sessions(self, member: str) -> None:
        """End what was left open in another browser."""
        async with Browser() as here, Browser() as there:
            await self._log_in(here, member, "contributor")
            await self._log_in(there, member, "contributor")
            page = await here.open(f"{self._url}/sessions")
            ends = [each for each, form in enumerate(page.forms) if form.action.endswith("/end")]
            others = [each for each in ends if page.forms[each].action != "/sessions/end"]
            self._report.that("one's own sessions are listed", bool(others), len(ends))
            for each in others:
                await here.send(page, {}, number=each)
            await self._is_out("what was ended from another browser", there)
            page = await here.open(f"{self._url}/sessions")
            self._report.equal("the session that ended the others goes on", page.status, 200)
            await here.send(page, {}, number=_number(page, "/sessions/end"))
            await self._is_out("who has logged out everywhere", here)

    async def check_ends(self, member: str) -> None:
        """Log out at the platform, not in the portal, which is told of it."""
        async with Browser() as browser:
            await self._log_in(browser, member, "coordinator")
            page = await browser.open(f"{self._url}/login")
            await browser.send(page, {}, number=_number(page, "/logout"))
            await self._is_out("who has logged out elsewhere", browser)

    async def check_liaison(self, person: str, member: str, other: str) -> None:
        """Act for both cities that somebody is an official of, then for none."""
        async with Browser() as browser:
            page = await browser.log_in(f"{self._url}{LOG_IN}?member={member}", person=person)
            self._shows(f"{person} begins in {member}", page, member)
            [switch] = [
                number for number, form in enumerate(page.forms) if form.fields.get("member")
            ]
            page = await browser.be(await browser.send(page, {}, number=switch), person=person)
            self._shows(f"and switches to {other}", page, other)
            self._report.that(
                "with what they are there", "Observer" in page.words, " ".join(page.words)
            )
            page = await browser.send(page, {}, number=_number(page, "/session/logout"))
            again = await browser.open(self._url)
            self._report.that(
                "and is out of both after the logout",
                SESSION not in browser.cookies and LOG_IN in again.text,
                (page.url, browser.cookies),
            )

    async def _log_in(self, browser: Browser, member: str, role: str) -> Page:
        return await browser.log_in(
            f"{self._url}{LOG_IN}?member={member}", person=self._name(member, role)
        )

    async def _is_out(self, who: str, browser: Browser) -> None:
        page = await eventually(
            lambda: browser.open(self._url),
            lambda page: LOG_IN in page.text,
            seconds=SETTLE_SECONDS,
        )
        self._report.that(f"{who} is out of the pages", LOG_IN in page.text, page.url)

    def _shows(self, promise: str, page: Page, member: str, *, language: str = "en") -> None:
        names = self._world.story.name_of(member)
        text = " ".join(page.words)
        self._report.that(promise, names.get(language, names["en"]) in text, f"{page.url} {text}")

    def _name(self, member: str, role: str) -> str:
        people = self._world.demo["logins"][member]["people"]
        [name] = [each for each in people if each.endswith(f"-{role}")]
        return str(name)


def _number(page: Page, action: str) -> int:
    """Find the last form of a page that is sent there."""
    return max(number for number, form in enumerate(page.forms) if form.action == action)
