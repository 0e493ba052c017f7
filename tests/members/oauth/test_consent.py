"""A person is asked whether somebody else's application may act for them."""

import asyncio
import re
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from services.members.http.oauth.authorize import AUTHORIZATION
from services.members.http.oauth.texts import SCOPE_TEXTS
from services.members.model.client import Client
from services.members.model.official import Official
from services.members.model.scopes import IDENTITY_SCOPES, SCOPES
from services.members.model.token_family import Consent, TokenFamily
from tests.members.network import Network
from tests.members.oauth.browsing import Desk, answer_in
from tests.members.oauth.people import log_in, until_somebody_waits
from tests.web import ISSUER


@pytest.fixture
async def other(desk: Desk, network: Network) -> Desk:
    """The application of somebody else, which people are asked about."""
    async with network.database.sessions.begin() as session:
        await session.execute(
            update(Client)
            .where(Client.id == desk.client_id)
            .values(is_first_party=False, name="Water <b>desk</b> & {co}")
        )
    return desk


def form_in(page: str) -> dict[str, str]:
    """The hidden fields of a page."""
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]+)"', page))


async def count(network: Network, kind: type[Any]) -> int:
    async with network.database.sessions() as session:
        return int(await session.scalar(select(func.count()).select_from(kind)) or 0)


async def test_who_allows_it_goes_back_with_a_code_and_is_not_asked_again(
    other: Desk, network: Network
) -> None:
    page = await other.authorize()

    allowed = await other.send("/oauth/consent", **form_in(page.text), decision="allow")
    again = await other.authorize()
    fewer = await other.authorize(scope="openid")

    assert page.status_code == 200
    assert allowed.status_code == 303
    back = answer_in(allowed)
    assert (back["state"], back["iss"]) == ("s", ISSUER)
    assert (await other.redeem(back["code"])).status_code == 200
    assert "code" in answer_in(again)
    assert "code" in answer_in(fewer)
    assert await count(network, Consent) == 1


async def test_who_does_not_allow_it_goes_back_without_one(other: Desk, network: Network) -> None:
    page = await other.authorize()

    denied = await other.send("/oauth/consent", **form_in(page.text), decision="deny")

    back = answer_in(denied)
    assert (denied.status_code, back["error"], back["state"]) == (303, "access_denied", "s")
    assert back["iss"] == ISSUER
    assert await count(network, TokenFamily) == 0
    assert await count(network, Consent) == 0


async def test_more_than_was_allowed_is_asked_for_again(other: Desk) -> None:
    page = await other.authorize(scope="openid")
    await other.send("/oauth/consent", **form_in(page.text), decision="allow")

    more = await other.authorize()
    forced = await other.authorize(scope="openid", prompt="consent")
    silent = await other.authorize(prompt="none")

    assert (more.status_code, forced.status_code) == (200, 200)
    assert answer_in(silent)["error"] == "consent_required"


async def test_the_page_says_who_asks_for_what_and_where_it_leads(other: Desk) -> None:
    page = await other.authorize()

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["referrer-policy"] == "same-origin"
    assert page.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert '<html lang="en">' in page.text
    assert "Water &lt;b&gt;desk&lt;/b&gt; &amp; {co}" in page.text
    assert "<b>" not in page.text
    for words in ("Min Kim", "Tokyo", "desk.example", "create and change projects"):
        assert words in page.text
    assert "<script" not in page.text


async def test_the_page_speaks_the_language_of_the_official(other: Desk, network: Network) -> None:
    async with network.database.sessions.begin() as session:
        await session.execute(update(Official).values(language="ja"))

    page = await other.authorize()

    assert '<html lang="ja">' in page.text
    for words in ("東京都", "許可する", "プロジェクトを作成"):
        assert words in page.text


def test_everything_that_can_be_asked_for_has_words() -> None:
    for words in SCOPE_TEXTS.values():
        assert set(words) == {*IDENTITY_SCOPES, *SCOPES}


@pytest.mark.parametrize(
    "trick",
    ["no ticket", "wrong ticket", "no cookie", "another cookie", "another person", "nobody"],
)
async def test_only_the_person_who_was_asked_can_answer(
    other: Desk, network: Network, trick: str
) -> None:
    form = form_in((await other.authorize()).text)
    if trick == "no ticket":
        del form["ticket"]
    elif trick == "wrong ticket":
        form["ticket"] = "0" * 64
    elif trick == "no cookie":
        del other.cookies[AUTHORIZATION]
    elif trick == "another cookie":
        other.cookies[AUTHORIZATION] = "another"
    elif trick == "another person":
        async with network.database.sessions.begin() as session:
            other.be(await log_in(session, "administrator"))
    else:
        other.be(None)

    answer = await other.send("/oauth/consent", **form, decision="allow")

    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert await count(network, TokenFamily) == 0
    assert await count(network, Consent) == 0


async def test_an_answer_is_taken_once(other: Desk, network: Network) -> None:
    form = form_in((await other.authorize()).text)

    first = await other.send("/oauth/consent", **form, decision="allow")
    second = await other.send("/oauth/consent", **form, decision="allow")

    assert (first.status_code, second.status_code) == (303, 400)
    assert await count(network, TokenFamily) == 1


async def test_an_application_that_was_changed_meanwhile_is_checked_again(
    other: Desk, network: Network
) -> None:
    form = form_in((await other.authorize()).text)
    async with network.database.sessions.begin() as session:
        await session.execute(update(Client).values(redirect_uris=("https://new.example/",)))

    answer = await other.send("/oauth/consent", **form, decision="allow")

    assert answer.status_code == 400
    assert await count(network, TokenFamily) == 0


@pytest.mark.parametrize("body", [b"", b"\xff", b"authorization=x", b"a=1&a=2", b"x" * 70_000])
async def test_an_answer_that_cannot_be_read_is_refused(other: Desk, body: bytes) -> None:
    answer = await other.http.post(
        "/oauth/consent",
        content=body,
        headers={"content-type": "application/x-www-form-urlencoded"},
    )

    assert answer.status_code == 400


async def test_what_is_taken_back_meanwhile_opens_nothing(other: Desk, network: Network) -> None:
    page = await other.authorize()
    await other.send("/oauth/consent", **form_in(page.text), decision="allow")

    async with network.database.sessions.begin() as withdrawing:
        await withdrawing.execute(delete(Consent))
        asked = asyncio.create_task(other.authorize())
        await until_somebody_waits(network)
    response = await asked

    assert (response.status_code, "decision" in response.text) == (200, True)
    assert await count(network, TokenFamily) == 1
