"""Somebody comes in: invited, known from before, or by the policy for unknown people."""

import time
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import update

from services.members.model.member import Member
from services.members.model.official import Official
from shared.actor import STRONG
from shared.clock import utc_now
from tests.members.login.seoul import Seoul, browser, is_in
from tests.members.network import city


async def log_in(seoul: Seoul) -> tuple[Response, bool]:
    """Log in with a new browser, and tell whether that has a session then."""
    async with browser(seoul.network.app) as client:
        return await seoul.log_in(client), is_in(client)


async def refused(seoul: Seoul, text: str) -> None:
    """See that somebody is turned away, for this reason, and nothing was opened."""
    response, has_session = await log_in(seoul)
    assert (response.status_code, has_session) == (403, False)
    assert text in response.text
    assert await seoul.sign_ins() == []


async def test_who_was_invited_comes_in_by_a_verified_address(seoul: Seoul) -> None:
    official = await seoul.invite()
    await seoul.prove()
    happened = await seoul.network.happened()

    async with browser(seoul.network.app) as client:
        response = await seoul.log_in(client)

        assert (response.status_code, response.headers["location"]) == (302, "/login")
        assert is_in(client)
        page = await client.get("/login")
    assert "You are logged in" in page.text
    assert "Coordinator, Seoul" in page.text
    [sign_in] = await seoul.sign_ins()
    assert str(sign_in.official_id) == official["id"]
    assert sign_in.upstream_sid == "provider-session-1"
    assert await seoul.network.happened() == happened


async def test_afterwards_the_subject_counts_and_no_address(seoul: Seoul) -> None:
    await seoul.invite()
    await seoul.prove()
    await log_in(seoul)
    seoul.provider.person |= {"email": "married@seoul.example", "email_verified": False}

    response, has_session = await log_in(seoul)

    assert (response.status_code, has_session) == (302, True)
    first, second = await seoul.sign_ins()
    assert first.official_id == second.official_id
    assert first.cookie_hash != second.cookie_hash


@pytest.mark.parametrize(
    ("said", "kept"),
    [(STRONG, None), ("urn:seoul:two", STRONG), ("urn:seoul:one", "urn:seoul:one")],
)
async def test_our_word_for_a_second_factor_is_not_the_providers_to_say(
    seoul: Seoul, said: str, kept: str | None
) -> None:
    await seoul.invite()
    await seoul.prove()
    await seoul.change(strong_acr=["urn:seoul:two"])
    seoul.provider.id_claims = {"acr": said}

    await log_in(seoul)

    [sign_in] = await seoul.sign_ins()
    assert sign_in.acr == kept


async def test_a_clock_that_is_ahead_makes_no_login_more_recent(seoul: Seoul) -> None:
    await seoul.invite()
    await seoul.prove()
    seoul.provider.id_claims = {"auth_time": int(time.time()) + 300}

    await log_in(seoul)

    [sign_in] = await seoul.sign_ins()
    assert sign_in.authenticated_at <= utc_now()


async def test_another_claim_that_equals_somebodys_subject_is_somebody_else(seoul: Seoul) -> None:
    await seoul.invite()
    await seoul.prove()
    await log_in(seoul)
    victim = seoul.provider.person["sub"]
    seoul.provider.person |= {"sub": "enemy", "oid": victim, "email_verified": False}
    await seoul.change(subject_claim="oid")

    async with browser(seoul.network.app) as client:
        response = await seoul.log_in(client)

    assert "you have not been invited" in response.text
    assert len(await seoul.sign_ins()) == 1


async def test_an_address_is_somebody_elses_once_it_is_bound(seoul: Seoul) -> None:
    await seoul.invite()
    await seoul.prove()
    await log_in(seoul)
    seoul.provider.person["sub"] = "another-with-this-address"

    async with browser(seoul.network.app) as client:
        response = await seoul.log_in(client)

    assert "you have not been invited" in response.text
    assert len(await seoul.sign_ins()) == 1


@pytest.mark.parametrize(
    "person",
    [
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": 1},
        {"email_verified": None},
        {"email": "min@busan.example"},
        {"email": "min@seoul.example.evil.example"},
        {"email": ["min@seoul.example"]},
        {"email": None},
    ],
    ids=str,
)
async def test_an_address_that_is_not_sure_binds_nobody(
    seoul: Seoul, person: dict[str, Any]
) -> None:
    await seoul.invite()
    await seoul.prove()
    seoul.provider.person |= person

    await refused(seoul, "you have not been invited")

    assert [official.identity_id for official in await seoul.officials()] == [None]


async def test_a_domain_that_is_not_proven_binds_nobody(seoul: Seoul) -> None:
    await seoul.invite()

    await refused(seoul, "you have not been invited")


async def test_a_domain_of_another_member_binds_nobody(seoul: Seoul) -> None:
    await seoul.network.join(city("busan"))
    await seoul.invite()
    await seoul.prove(member="busan")

    await refused(seoul, "you have not been invited")


async def test_two_invitations_of_one_address_bind_nobody(seoul: Seoul) -> None:
    await seoul.invite()
    await seoul.invite("MIN@seoul.example")
    await seoul.prove()

    await refused(seoul, "you have not been invited")


@pytest.mark.parametrize("is_bound", [False, True])
async def test_who_is_blocked_stays_out(seoul: Seoul, is_bound: bool) -> None:
    await seoul.change(unknown_people="with_role", unknown_role="observer")
    official = await seoul.invite()
    await seoul.prove()
    if is_bound:
        await log_in(seoul)
    async with seoul.network.database.sessions.begin() as session:
        await session.execute(
            update(Official).where(Official.id == official["id"]).values(status="blocked")
        )

    response, has_session = await log_in(seoul)

    assert (response.status_code, has_session) == (403, False)
    assert "blocked" in response.text
    assert len(await seoul.officials()) == 1


async def test_nobody_comes_in_for_a_member_that_has_left(seoul: Seoul) -> None:
    await seoul.invite()
    await seoul.prove()
    async with browser(seoul.network.app) as client:
        left = await client.get("/login/seoul")
        async with seoul.network.database.sessions.begin() as session:
            await session.execute(
                update(Member).where(Member.slug == "seoul").values(status="withdrawn")
            )

        response = await client.get(seoul.provider.log_in(left.headers["location"]))
        again = await client.get("/login/seoul")

    assert response.status_code == 403
    assert "no longer a member" in response.text
    assert again.status_code == 404


async def test_a_login_under_way_goes_on_after_a_tested_change(
    seoul: Seoul,
) -> None:
    await seoul.invite()
    await seoul.prove()
    async with browser(seoul.network.app) as client:
        left = await client.get("/login/seoul")
        await seoul.change(roles_claim="groups")
        response = await client.get(seoul.provider.log_in(left.headers["location"]))

        assert is_in(client)
    assert response.status_code == 302


@pytest.mark.parametrize(
    ("policy", "roles"),
    [
        ({"unknown_people": "without_role"}, ()),
        ({"unknown_people": "with_role", "unknown_role": "observer"}, ("observer",)),
    ],
    ids=str,
)
async def test_unknown_people_become_what_the_member_wants(
    seoul: Seoul, policy: dict[str, str], roles: tuple[str, ...]
) -> None:
    await seoul.change(**policy)

    _, has_session = await log_in(seoul)

    [official] = await seoul.officials()
    assert has_session
    assert (official.roles, official.name, official.email) == (
        roles,
        "Min Kim",
        "min@seoul.example",
    )
    assert (await seoul.network.happened())[-1] == "official.appointed"


async def test_groups_give_and_take_roles_at_each_login(seoul: Seoul) -> None:
    await seoul.change(
        roles_claim="realm_access.roles",
        role_of_group={"desk": "contributor", "leads": "coordinator"},
    )
    await seoul.invite()
    await seoul.prove()
    seen = []

    for groups in (["desk", "leads", "else"], ["desk"], None, []):
        seoul.provider.person["realm_access"] = {"roles": groups} if groups is not None else {}
        await log_in(seoul)
        seen.append((await seoul.officials())[0].roles)

    assert seen == [("coordinator", "contributor"), ("contributor",), ("contributor",), ()]


async def test_the_last_administrator_stays_one(seoul: Seoul) -> None:
    await seoul.change(roles_claim="groups", role_of_group={"desk": "contributor"})
    await seoul.invite(roles=["administrator"])
    await seoul.prove()
    seoul.provider.person["groups"] = ["desk"]

    await log_in(seoul)

    [official] = await seoul.officials()
    assert official.roles == ("administrator", "contributor")


async def test_a_second_login_in_a_browser_goes_on_under_a_new_cookie(seoul: Seoul) -> None:
    await seoul.invite()
    await seoul.prove()
    async with browser(seoul.network.app) as client:
        await seoul.log_in(client)
        before = dict(client.cookies)
        await seoul.log_in(client)
        after = dict(client.cookies)

    assert before["__Host-sign-in"] != after["__Host-sign-in"]
    assert len(await seoul.sign_ins()) == 1


async def test_two_tabs_can_be_under_way_at_once(seoul: Seoul) -> None:
    await seoul.invite()
    await seoul.prove()
    async with browser(seoul.network.app) as client:
        first = await client.get("/login/seoul")
        second = await client.get("/login/seoul")

        answers = [
            await client.get(seoul.provider.log_in(left.headers["location"]))
            for left in (first, second)
        ]

    assert [answer.status_code for answer in answers] == [302, 302]
