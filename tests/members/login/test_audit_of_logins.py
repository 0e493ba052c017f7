"""Every login and every refusal of one stands in the trail of the member."""

from typing import Any

from sqlalchemy import select

from services.members.model.audit import AuditEntry
from tests.members.login.seoul import Seoul, browser, is_in
from tests.members.login.test_leaving import OWN, ticket_in


async def noted(seoul: Seoul, *actions: str) -> list[AuditEntry]:
    """Entries of Seoul's trail, in their order."""
    async with seoul.network.database.sessions() as session:
        query = select(AuditEntry).where(AuditEntry.member == "seoul").order_by(AuditEntry.position)
        return [each for each in await session.scalars(query) if each.action in actions]


LOGINS = ("login.succeeded", "login.refused", "login.ended", "official.bound")


def told(entries: list[AuditEntry]) -> list[Any]:
    return [(each.action, each.outcome, each.reason, each.subject, each.actor) for each in entries]


async def test_a_first_login_binds_the_official_and_is_recorded(seoul: Seoul) -> None:
    await seoul.prove()
    official = await seoul.invite()
    name = f"official:{official['id']}"

    async with browser(seoul.network.app) as client:
        await seoul.log_in(client)

    entries = await noted(seoul, *LOGINS)
    [sign_in] = await seoul.sign_ins()
    assert told(entries) == [
        ("official.bound", "done", None, name, None),
        ("login.succeeded", "done", None, name, name),
    ]
    assert entries[1].details == {
        "provider": seoul.row["id"],
        "sign_in": str(sign_in.id),
        "acr": None,
    }


async def test_whoever_is_turned_away_is_recorded_although_nobody_comes_in(seoul: Seoul) -> None:
    async with browser(seoul.network.app) as client:
        page = await seoul.log_in(client)
        assert page.status_code == 403
        assert not is_in(client)

    provider = f"identity_provider:{seoul.row['id']}"
    assert told(await noted(seoul, *LOGINS)) == [
        ("login.refused", "refused", "not-invited", provider, None)
    ]


async def test_a_blocked_official_who_tries_is_named_by_id(seoul: Seoul) -> None:
    await seoul.prove()
    official = await seoul.invite()
    await seoul.network.send(
        "PATCH",
        f"/seoul/officials/{official['id']}",
        {"status": "blocked"},
        by="seoul",
        version=official["version"],
    )

    async with browser(seoul.network.app) as client:
        await seoul.log_in(client)

    assert told(await noted(seoul, *LOGINS)) == [
        ("login.refused", "refused", "blocked", f"official:{official['id']}", None)
    ]


async def test_an_answer_that_is_not_believed_is_recorded_with_its_reason(seoul: Seoul) -> None:
    async with browser(seoul.network.app) as client:
        left = await client.get("/login/seoul")
        state = left.headers["location"].partition("state=")[2].partition("&")[0]
        await client.get(f"/login/seoul/callback?error=access_denied&state={state}")

    provider = f"identity_provider:{seoul.row['id']}"
    assert told(await noted(seoul, *LOGINS)) == [
        ("login.refused", "refused", "answer-without-issuer", provider, None)
    ]


async def test_an_answer_that_nobody_asked_for_is_no_entry(seoul: Seoul) -> None:
    before = len(await noted(seoul, *LOGINS, "identity_provider.tested"))

    async with browser(seoul.network.app) as client:
        await client.get("/login/seoul")
        answer = await client.get("/login/seoul/callback?error=access_denied&state=other")

    assert answer.status_code == 400
    assert len(await noted(seoul, *LOGINS, "identity_provider.tested")) == before


async def test_test_logins_are_recorded_as_such(seoul: Seoul) -> None:
    entries = await noted(
        seoul,
        "identity_provider.registered",
        "identity_provider.tested",
        "identity_provider.activated",
    )

    assert [(each.action, each.actor) for each in entries] == [
        ("identity_provider.registered", "client:seoul-main"),
        ("identity_provider.tested", None),
        ("identity_provider.activated", "client:seoul-main"),
    ]


async def test_logging_out_is_recorded_as_done_by_the_official(seoul: Seoul) -> None:
    await seoul.prove()
    official = await seoul.invite()
    name = f"official:{official['id']}"
    async with browser(seoul.network.app) as client:
        await seoul.log_in(client)
        ticket = await ticket_in(client)

        await client.post("/logout", data={"ticket": ticket}, headers=OWN)

    assert told(await noted(seoul, "login.ended")) == [
        ("login.ended", "done", "logged-out", name, name)
    ]


async def test_nothing_in_a_trail_tells_who_somebody_is(seoul: Seoul) -> None:
    await seoul.prove()
    await seoul.invite("min@seoul.example", name="Min-jun Kim")
    async with browser(seoul.network.app) as client:
        await seoul.log_in(client)

    async with seoul.network.database.sessions() as session:
        entries = await session.scalars(select(AuditEntry))
        written = " ".join(str(each.facts()) for each in entries)

    assert "login.succeeded" in written
    assert "min@" not in written
    assert "Kim" not in written
