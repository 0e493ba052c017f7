"""Access tokens are replaced once, by whichever tab comes first."""

import asyncio
from datetime import timedelta

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import delete, select, text, update

from services.portal.http.app import ask_with, create_app
from services.portal.http.present import RENEWALS, Renewals
from services.portal.model.browser_session import BrowserSession
from shared.clock import utc_now
from tests.conftest import Database
from tests.portal.browsing import Browser, settings_of, text_of
from tests.portal.platform import Platform, a_moment


async def let_tokens_end(database: Database) -> None:
    async with database.sessions.begin() as session:
        await session.execute(update(BrowserSession).values(access_ends_at=utc_now()))


async def row_of(database: Database) -> BrowserSession | None:
    async with database.sessions() as session:
        found: BrowserSession | None = await session.scalar(select(BrowserSession))
        return found


async def test_many_tabs_make_one_renewal(
    browser: Browser, platform: Platform, database: Database
) -> None:
    await browser.log_in()
    await let_tokens_end(database)
    platform.on_refresh = a_moment

    pages = await asyncio.gather(*(browser.get("/") for _ in range(12)))

    assert [page.status_code for page in pages] == [200] * 12
    assert platform.count("POST", "/oauth/token") == 2  # the login, and one renewal
    assert not platform.families[0].is_over


async def test_many_tabs_make_one_renewal_also_at_two_copies_of_the_portal(
    app: FastAPI, browser: Browser, platform: Platform, database: Database
) -> None:
    await browser.log_in()
    await let_tokens_end(database)
    platform.on_refresh = a_moment
    other = create_app(settings_of(database))
    other.state.sessions = database.sessions
    other.state.authorization_server = app.state.authorization_server
    other.state.api = app.state.api

    async with Browser.of(other, platform) as there:
        there.cookies = browser.cookies
        pages = await asyncio.gather(*(each.get("/") for each in (browser, there) * 4))

    assert [page.status_code for page in pages] == [200] * 8
    assert platform.count("POST", "/oauth/token") == 2
    assert not platform.families[0].is_over


async def test_a_token_that_is_good_is_not_renewed(browser: Browser, platform: Platform) -> None:
    await browser.log_in()

    await browser.get("/")

    assert platform.count("POST", "/oauth/token") == 1


async def test_a_token_that_the_platform_does_not_take_is_renewed_once(
    browser: Browser, platform: Platform
) -> None:
    await browser.log_in()
    platform.families[0].access_tokens = {"another"}

    pages = await asyncio.gather(*(browser.get("/") for _ in range(4)))

    assert [page.status_code for page in pages] == [200] * 4
    assert platform.count("POST", "/oauth/token") == 2


async def test_a_refused_renewal_ends_the_session(
    browser: Browser, platform: Platform, database: Database
) -> None:
    await browser.log_in()
    platform.families[0].is_over = True

    response = await browser.get("/")

    assert (response.status_code, response.headers["location"]) == (303, "/?ended=1")
    assert browser.session is None
    assert await row_of(database) is None
    assert "Your session has ended" in text_of(await browser.get("/?ended=1"))


async def test_a_session_outlives_an_outage_of_the_platform(
    browser: Browser, platform: Platform, database: Database
) -> None:
    await browser.log_in()
    await let_tokens_end(database)
    platform.is_away = True

    during = [await browser.get(path) for path in ("/", "/sessions", "/session/login")]
    platform.is_away = False
    after = await browser.get("/")

    assert [page.status_code for page in during] == [503] * 3
    assert all(page.headers["retry-after"] == "5" for page in during)
    assert "You stay logged in" in text_of(during[0])
    assert after.status_code == 200
    assert "For Seoul" in text_of(after)


async def test_a_renewal_goes_on_when_the_browser_has_gone_away(
    browser: Browser, platform: Platform, database: Database, app: FastAPI
) -> None:
    await browser.log_in()
    await let_tokens_end(database)
    asked, answers = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        asked.set()
        await answers.wait()

    platform.on_refresh = wait
    impatient = asyncio.create_task(browser.get("/"))
    await asked.wait()
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    answers.set()
    await app.state.renewals.finished()

    assert (await browser.get("/")).status_code == 200
    assert platform.count("POST", "/oauth/token") == 2


async def test_whoever_goes_away_before_their_turn_leaves_no_renewal_behind() -> None:
    renewals, answers, begun = Renewals(), asyncio.Event(), []

    async def renew() -> None:
        begun.append(renew)
        await answers.wait()

    waiting = [asyncio.create_task(renewals.run(renew)) for _ in range(RENEWALS + 3)]
    while len(begun) < RENEWALS:
        await a_moment()
    for impatient in waiting[RENEWALS:]:
        impatient.cancel()
    await asyncio.gather(*waiting[RENEWALS:], return_exceptions=True)
    answers.set()
    await asyncio.gather(*waiting[:RENEWALS])
    await renewals.finished()

    assert len(begun) == RENEWALS
    assert await renewals.run(renew) is None  # every turn was given back


async def test_a_platform_that_never_finishes_its_answer_holds_nobody_up(
    database: Database, platform: Platform
) -> None:
    app = create_app(settings_of(database, portal_answer_seconds=0.2))
    app.state.sessions = database.sessions
    async with AsyncClient(transport=platform.transport()) as http:
        ask_with(app, http)
        async with Browser.of(app, platform) as browser:
            await browser.log_in()
            await let_tokens_end(database)
            platform.on_refresh = asyncio.Event().wait

            response = await browser.get("/")
            await app.state.renewals.finished()

    assert response.status_code == 503
    assert await row_of(database) is not None


@pytest.mark.parametrize("column", ["ends_at", "seen_at"])
async def test_a_session_ends_by_itself_and_when_nothing_is_asked(
    browser: Browser, platform: Platform, database: Database, column: str
) -> None:
    await browser.log_in()
    settings = settings_of()
    long_ago = {
        "ends_at": utc_now(),
        "seen_at": utc_now() - timedelta(seconds=settings.portal_session_rest_seconds),
    }
    async with database.sessions.begin() as session:
        await session.execute(update(BrowserSession).values({column: long_ago[column]}))
    platform.asked.clear()

    response = await browser.get("/")

    assert (response.status_code, response.headers["location"]) == (303, "/?ended=1")
    assert platform.asked == []


async def test_whoever_asks_for_something_is_present(browser: Browser, database: Database) -> None:
    await browser.log_in()
    before = utc_now() - timedelta(minutes=30)
    async with database.sessions.begin() as session:
        await session.execute(update(BrowserSession).values(seen_at=before))

    await browser.get("/")

    row = await row_of(database)
    assert row is not None
    assert row.seen_at > before


async def test_a_request_that_comes_while_its_session_ends_finds_none(
    browser: Browser, database: Database
) -> None:
    await browser.log_in()
    rested = utc_now() - timedelta(minutes=2)
    async with database.sessions.begin() as session:
        await session.execute(update(BrowserSession).values(seen_at=rested))

    async with database.sessions.begin() as ending:
        await ending.execute(delete(BrowserSession))
        asked = asyncio.create_task(browser.get("/"))
        await until_somebody_waits(database)
    response = await asked

    assert (response.status_code, response.headers["location"]) == (303, "/?ended=1")


async def until_somebody_waits(database: Database) -> None:
    """Wait until a request asks for what another transaction holds."""
    waiting = 0
    async with asyncio.timeout(20), database.sessions() as session:
        while waiting == 0:
            found = await session.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))
            waiting = found.scalar_one()


async def test_the_next_login_clears_away_what_is_over(
    app: FastAPI, browser: Browser, platform: Platform, database: Database
) -> None:
    await browser.log_in()
    async with database.sessions.begin() as session:
        await session.execute(update(BrowserSession).values(ends_at=utc_now()))

    async with Browser.of(app, platform) as another:
        await another.log_in()

    row = await row_of(database)
    assert row is not None
    assert row.sid == platform.families[1].sid


async def test_tokens_that_cannot_be_opened_any_more_end_the_session(
    browser: Browser, database: Database
) -> None:
    await browser.log_in()
    async with database.sessions.begin() as session:
        await session.execute(
            update(BrowserSession).values(
                sealed_access_token=BrowserSession.sealed_refresh_token  # of another place
            )
        )

    response = await browser.get("/")

    assert response.headers["location"] == "/?ended=1"
