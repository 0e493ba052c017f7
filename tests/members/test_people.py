"""What officials may do among members: what their roles cover now, for their own member."""

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from httpx2 import Response

from services.members.model.official import Official
from services.members.model.sign_in import SignIn
from services.members.model.token_family import TokenFamily
from services.members.use_cases.end_sessions import end_sessions_of
from shared.clock import utc_now
from shared.contracts.members import Role
from shared.identifiers import new_id
from tests.conftest import Database
from tests.members.network import ADMINISTRATOR, COORDINATOR, SEOUL, Network, code_of
from tests.members.oauth.people import application, family_of, log_in
from tests.web import api, person_token

EVERYTHING = "members:read members:write network:write projects:write"


@dataclass(frozen=True)
class LoggedIn:
    """An official in a session whose token covers everything there is."""

    network: Network
    member: str
    official_id: UUID
    session_id: UUID
    sign_in_id: UUID
    seconds_ago: int = 0
    """When they logged in."""
    acr: str | None = None

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        version: int | None = None,
        key: str | None = None,
    ) -> Response:
        bearer = person_token(
            self.member,
            self.official_id,
            EVERYTHING,
            session_id=self.session_id,
            seconds_ago=self.seconds_ago,
            acr=self.acr,
        )
        headers = {"Authorization": f"Bearer {bearer}"}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        if key is not None:
            headers["Idempotency-Key"] = key
        async with api(self.network.app) as client:
            return await client.request(
                method, f"/api/v1/members{path}", json=body, headers=headers
            )

    async def everything(self) -> list[Response]:
        here = f"/{self.member}"
        return [
            await self.send("GET", ""),
            await self.send("GET", here),
            await self.send("GET", f"{here}/officials"),
            await self.send("GET", f"{here}/clients"),
            await self.send("POST", f"{here}/officials", COORDINATOR),
            await self.send("PATCH", here, {"local_name": None}, version=1),
        ]


async def someone(network: Network, *roles: Role, member: str = "seoul") -> LoggedIn:
    """Let somebody be an official of a member, logged in to an application of it."""
    async with network.database.sessions.begin() as session:
        person = await log_in(session, *roles, member=member)
        client = application(member, id=f"{member}-{person.official.id}")
        session.add(client)
        await session.flush()
        family = family_of(person, client)
        session.add(family)
    return LoggedIn(network, member, person.official.id, family.id, person.sign_in.id)


async def test_an_administrator_manages_the_officials_of_their_member(network: Network) -> None:
    await network.join()
    min_ = await someone(network, "administrator")

    appointed = await min_.send("POST", "/seoul/officials", COORDINATOR)
    elsewhere = await min_.send("POST", "/tokyo/officials", COORDINATOR)

    assert appointed.status_code == 201
    assert (await network.events())[-1].actor == f"official:{min_.official_id}"
    assert (elsewhere.status_code, code_of(elsewhere)) == (403, "only-the-member-itself")


@pytest.mark.parametrize("role", ["coordinator", "contributor", "observer"])
async def test_nobody_but_an_administrator_manages_officials_and_clients(
    network: Network, role: Role
) -> None:
    await network.join()
    person = await someone(network, role)
    before = await network.happened()

    answers = [
        await person.send("POST", "/seoul/officials", ADMINISTRATOR),
        await person.send(
            "PATCH",
            f"/seoul/officials/{person.official_id}",
            {"roles": ["administrator"]},
            version=1,
        ),
        await person.send("POST", "/seoul/clients", {"name": "Desk", "scopes": ["members:read"]}),
        await person.send("PATCH", "/seoul", {"country": "JP"}, version=2),
    ]

    assert {(answer.status_code, code_of(answer)) for answer in answers} == {(403, "missing-scope")}
    assert await network.happened() == before


async def test_a_coordinator_accedes_for_the_city_and_an_administrator_does_not(
    network: Network,
) -> None:
    await network.invite()
    administrator = await someone(network, "administrator")
    coordinator = await someone(network, "coordinator")
    steps = "/seoul/membership-transitions"

    offered = (await administrator.send("GET", "/seoul")).json()["allowed_actions"]
    refused = await administrator.send("POST", steps, {"status": "active"}, version=1)
    accepted = await coordinator.send("POST", steps, {"status": "active"}, version=1)

    assert "accept" not in offered
    assert (refused.status_code, code_of(refused)) == (403, "missing-scope")
    assert (accepted.status_code, accepted.json()["status"]) == (200, "active")


async def test_the_secretariat_runs_the_network_and_speaks_for_no_city(network: Network) -> None:
    secretary = await someone(network, "administrator", member="tokyo")

    invited = await secretary.send("POST", "", SEOUL)
    refused = await secretary.send(
        "POST", "/seoul/membership-transitions", {"status": "active"}, version=1
    )
    managed = await secretary.send("POST", "/seoul/officials", COORDINATOR)

    assert invited.status_code == 201
    assert code_of(refused) == "only-the-member-itself"
    assert code_of(managed) == "only-the-member-itself"
    assert (await network.get("/seoul"))["status"] == "invited"


@pytest.mark.parametrize(
    ("member", "roles"),
    [("seoul", ["administrator"]), ("tokyo", ["coordinator"])],
    ids=["another member's administrator", "the host's coordinator"],
)
async def test_nobody_else_is_the_secretariat(
    network: Network, member: str, roles: list[Role]
) -> None:
    await network.join()
    person = await someone(network, *roles, member=member)

    refused = await person.send("POST", "", SEOUL | {"slug": "busan"})

    assert refused.status_code == 403
    assert code_of(refused) in {"only-the-secretariat", "missing-scope"}


async def test_a_removed_role_is_gone_with_the_answer(network: Network) -> None:
    await network.join()
    await network.appoint()
    person = await someone(network, "administrator")
    await network.send(
        "PATCH",
        f"/seoul/officials/{person.official_id}",
        {"roles": ["observer"]},
        by="seoul",
        version=1,
    )

    read = await person.send("GET", "/seoul/officials")
    refused = await person.send("POST", "/seoul/officials", COORDINATOR)

    assert read.status_code == 200
    assert (refused.status_code, code_of(refused)) == (403, "missing-scope")


async def test_who_is_blocked_is_out_for_good(network: Network, database: Database) -> None:
    await network.join()
    person = await someone(network, "coordinator")
    path = f"/seoul/officials/{person.official_id}"

    blocked = await network.send("PATCH", path, {"status": "blocked"}, by="seoul", version=1)
    while_blocked = await person.everything()
    await network.send("PATCH", path, {"status": "active"}, by="seoul", version=2)
    unblocked = await person.everything()

    assert blocked.status_code == 200
    assert {answer.status_code for answer in while_blocked} == {401}
    assert {answer.status_code for answer in unblocked} == {401}
    assert (await network.happened())[-3:] == [
        "official.blocked",
        "session.ended",
        "official.unblocked",
    ]
    async with database.sessions() as session:
        sign_in = await session.get_one(SignIn, person.sign_in_id)
        family = await session.get_one(TokenFamily, person.session_id)
    assert sign_in.ended_because == "official blocked"
    assert family.revoked_because == "official blocked"


async def test_an_ended_session_can_do_nothing(network: Network, database: Database) -> None:
    await network.join()
    person = await someone(network, "administrator")
    async with database.sessions.begin() as session:
        await end_sessions_of(
            session, family_id=person.session_id, because="logged out", now=utc_now()
        )

    answers = await person.everything()

    assert {(answer.status_code, code_of(answer)) for answer in answers} == {
        (401, "unauthenticated")
    }


@pytest.mark.parametrize("what", ["session", "official", "member"])
async def test_a_token_about_nobody_is_good_for_nothing(network: Network, what: str) -> None:
    await network.join()
    real = await someone(network, "administrator")
    pretended = {
        "session": LoggedIn(network, "seoul", real.official_id, new_id(), new_id()),
        "official": LoggedIn(network, "seoul", new_id(), real.session_id, new_id()),
        "member": LoggedIn(network, "tokyo", real.official_id, real.session_id, new_id()),
    }[what]

    answers = await pretended.everything()

    assert {answer.status_code for answer in answers} == {401}


async def test_of_administrators_who_demote_each_other_at_once_one_stays(
    network: Network, database: Database
) -> None:
    await network.join()
    circle = [await someone(network, "administrator") for _ in range(4)]

    answers = await asyncio.gather(
        *(
            one.send(
                "PATCH",
                f"/seoul/officials/{other.official_id}",
                {"roles": ["observer"]},
                version=1,
            )
            for one, other in zip(circle, [*circle[1:], circle[0]], strict=True)
        )
    )

    demoted = [answer for answer in answers if answer.status_code == 200]
    async with database.sessions() as session:
        left = [
            one
            for one in circle
            if (await session.get_one(Official, one.official_id)).is_administrator
        ]
    assert len(left) == len(circle) - len(demoted)
    assert left
    # Whoever has been demoted meanwhile demotes nobody any more.
    assert {code_of(answer) for answer in answers if answer not in demoted} <= {
        "missing-scope",
        "last-administrator",
    }
