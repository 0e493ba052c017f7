"""A person sees who they are, where they are logged in and what they let others do."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from httpx2 import Response
from sqlalchemy import select

from services.members.model.client import Client
from services.members.model.identity import Identity
from services.members.model.official import Official
from services.members.model.sign_in import SignIn
from services.members.model.token_family import Consent, TokenFamily
from shared.clock import utc_now
from shared.contracts.members import Role
from tests.members.network import OPENING, Network, code_of
from tests.members.oauth.people import Person, application, family_of, log_in
from tests.web import api, person_token, token

EVERYTHING = "openid profile email members:read projects:read projects:write"


@dataclass(frozen=True)
class AtPortal:
    """Somebody who uses a part of the platform."""

    network: Network
    person: Person
    family: TokenFamily

    @property
    def official_id(self) -> UUID:
        return self.person.official.id

    async def ask(self, method: str, path: str = "", *, scopes: str = EVERYTHING) -> Response:
        bearer = person_token(
            self.person.official.member, self.official_id, scopes, session_id=self.family.id
        )
        async with api(self.network.app) as client:
            return await client.request(
                method, f"/api/v1/me{path}", headers={"Authorization": f"Bearer {bearer}"}
            )

    async def get(self, path: str = "") -> Any:
        response = await self.ask("GET", path)
        assert response.status_code == 200, response.text
        return response.json()

    async def is_in(self) -> bool:
        return (await self.ask("GET")).status_code == 200


async def at_portal(network: Network, *roles: Role, member: str = "tokyo") -> AtPortal:
    async with network.database.sessions.begin() as session:
        person = await log_in(session, *roles, member=member)
    return await _at(network, person)


async def _at(network: Network, person: Person, client_id: str = "tokyo-portal") -> AtPortal:
    async with network.database.sessions.begin() as session:
        client = await session.get(Client, client_id)
        if client is None:
            is_ours = client_id == "tokyo-portal"
            client = application(id=client_id, is_first_party=is_ours)
            session.add(client)
            await session.flush()
        family = family_of(person, client)
        session.add(family)
    return AtPortal(network, person, family)


async def in_another_browser(one: AtPortal) -> AtPortal:
    """Let the same official be logged in elsewhere."""
    async with one.network.database.sessions.begin() as session:
        former = one.person.sign_in
        sign_in = SignIn(
            cookie_hash=str(uuid4()),
            official_id=former.official_id,
            member=former.member,
            provider_id=former.provider_id,
            upstream_sid=None,
            upstream_subject="1",
            sealed_id_token="",
            acr="urn:renkei:mfa",
            authenticated_at=former.authenticated_at,
            began_at=utc_now(),
            seen_at=utc_now(),
            ends_at=former.ends_at,
        )
        session.add(sign_in)
    return await _at(one.network, Person(one.person.official, sign_in, "other"))


async def test_a_person_sees_who_they_are_and_for_whom(network: Network) -> None:
    min_ = await at_portal(network, "coordinator")

    me = await min_.get()

    assert me["official"]["id"] == str(min_.official_id)
    assert (me["official"]["name"], me["official"]["email"]) == ("Min Kim", "min@seoul.example")
    assert (me["member"], me["roles"]) == ("tokyo", ["coordinator"])
    assert me["scopes"] == EVERYTHING.split()
    assert me["session"]["id"] == str(min_.family.id)
    assert me["session"]["client_id"] == "tokyo-portal"
    assert me["other_places"] == []


async def test_the_scopes_are_what_the_roles_cover_now(network: Network) -> None:
    nobody = await at_portal(network)

    me = await nobody.get()

    assert (me["roles"], me["scopes"]) == ([], ["openid", "profile", "email"])


async def test_a_person_is_told_where_else_they_are_an_official(network: Network) -> None:
    await network.join()
    min_ = await at_portal(network, "coordinator")
    in_seoul = await at_portal(network, "observer", member="seoul")
    async with network.database.sessions.begin() as session:
        now = utc_now()
        identity = Identity(
            issuer="https://login.example", subject="1", first_seen_at=now, seen_at=now
        )
        session.add(identity)
        await session.flush()
        for official_id in (min_.official_id, in_seoul.official_id):
            official = await session.get_one(Official, official_id)
            official.identity_id = identity.id

    me = await min_.get()

    assert me["other_places"] == [{"official_id": str(in_seoul.official_id), "member": "seoul"}]


async def test_an_application_of_others_learns_what_it_was_granted(network: Network) -> None:
    min_ = await at_portal(network, "coordinator")
    desk = await _at(network, min_.person, "tokyo-desk")

    plain = await desk.ask("GET", scopes="openid projects:read")
    with_name = await desk.ask("GET", scopes="openid profile projects:read")

    assert plain.json()["official"]["name"] is None
    assert plain.json()["official"]["email"] is None
    assert plain.json()["other_places"] == []
    assert with_name.json()["official"]["name"] == "Min Kim"
    assert with_name.json()["official"]["email"] is None


async def test_an_application_of_others_has_no_say_in_sessions_and_consents(
    network: Network,
) -> None:
    min_ = await at_portal(network, "coordinator")
    desk = await _at(network, min_.person, "tokyo-desk")

    answers = [
        await desk.ask(method, path)
        for method, path in (
            ("GET", "/sessions"),
            ("DELETE", "/sessions"),
            ("DELETE", f"/sessions/{min_.person.sign_in.id}"),
            ("GET", "/consents"),
            ("DELETE", "/consents/tokyo-desk"),
        )
    ]

    assert {answer.status_code for answer in answers} == {403}
    assert {code_of(answer) for answer in answers} == {"only-the-platform-itself"}
    assert await min_.is_in()
    assert await network.happened() == OPENING


async def test_a_machine_is_nobody_in_particular(network: Network) -> None:
    headers = {"Authorization": f"Bearer {token('tokyo')}"}

    async with api(network.app) as client:
        answers = [
            await client.request(method, f"/api/v1/me{path}", headers=headers)
            for method, path in (
                ("GET", ""),
                ("GET", "/sessions"),
                ("DELETE", "/sessions"),
                ("DELETE", f"/sessions/{uuid4()}"),
                ("GET", "/consents"),
                ("DELETE", "/consents/tokyo-desk"),
            )
        ]
        stranger = await client.get("/api/v1/me")

    assert [answer.status_code for answer in answers] == [403] * 6
    assert {code_of(answer) for answer in answers} == {"person-needed"}
    assert stranger.status_code == 401


async def test_a_person_sees_where_they_are_logged_in_and_with_what(network: Network) -> None:
    here = await at_portal(network, "coordinator")
    there = await in_another_browser(here)
    await at_portal(network, "observer")

    sessions = (await here.get("/sessions"))["items"]

    assert [each["id"] for each in sessions] == [
        str(there.person.sign_in.id),
        str(here.person.sign_in.id),
    ]
    assert [each["is_current"] for each in sessions] == [False, True]
    assert [each["acr"] for each in sessions] == ["urn:renkei:mfa", None]
    [opened] = sessions[1]["applications"]
    assert (opened["session_id"], opened["client_id"]) == (str(here.family.id), "tokyo-portal")
    assert opened["name"] == "Water desk"


async def test_a_person_ends_a_session_elsewhere(network: Network) -> None:
    here = await at_portal(network, "coordinator")
    there = await in_another_browser(here)

    ended = await here.ask("DELETE", f"/sessions/{there.person.sign_in.id}")
    again = await here.ask("DELETE", f"/sessions/{there.person.sign_in.id}")

    assert (ended.status_code, ended.content) == (204, b"")
    assert (again.status_code, code_of(again)) == (404, "session-not-found")
    assert [await here.is_in(), await there.is_in()] == [True, False]
    [session] = (await here.get("/sessions"))["items"]
    assert session["id"] == str(here.person.sign_in.id)
    event = (await network.events())[-1]
    assert (event.type, event.actor) == (
        "renkei.session.ended.v1",
        f"official:{here.official_id}",
    )
    assert event.data.state.id == there.family.id


async def test_nobody_ends_the_session_of_somebody_else(network: Network) -> None:
    one = await at_portal(network, "coordinator")
    other = await at_portal(network, "administrator")

    answer = await other.ask("DELETE", f"/sessions/{one.person.sign_in.id}")

    assert (answer.status_code, code_of(answer)) == (404, "session-not-found")
    assert await one.is_in()


async def test_a_person_leaves_everywhere_at_once(network: Network) -> None:
    here = await at_portal(network, "coordinator")
    there = await in_another_browser(here)
    other = await at_portal(network, "coordinator")

    answer = await here.ask("DELETE", "/sessions")

    assert answer.status_code == 204
    assert [await here.is_in(), await there.is_in(), await other.is_in()] == [False, False, True]
    async with network.database.sessions() as session:
        left = await session.scalars(
            select(SignIn.ended_because).where(SignIn.official_id == here.official_id)
        )
        assert list(left) == ["left everywhere"] * 2


async def test_a_person_takes_back_what_they_let_an_application_do(network: Network) -> None:
    min_ = await at_portal(network, "coordinator")
    desk = await _at(network, min_.person, "tokyo-desk")
    given_at = utc_now()
    async with network.database.sessions.begin() as session:
        session.add(
            Consent(
                official_id=min_.official_id,
                client_id="tokyo-desk",
                scopes=("openid", "projects:read"),
                given_at=given_at,
            )
        )
    before = (await min_.get("/consents"))["items"]

    answer = await min_.ask("DELETE", "/consents/tokyo-desk")
    again = await min_.ask("DELETE", "/consents/tokyo-desk")

    assert before == [
        {
            "client_id": "tokyo-desk",
            "name": "Water desk",
            "member": "tokyo",
            "scopes": ["openid", "projects:read"],
            "given_at": given_at.isoformat().replace("+00:00", "Z"),
        }
    ]
    assert answer.status_code == 204
    assert (again.status_code, code_of(again)) == (404, "consent-not-found")
    assert (await min_.get("/consents"))["items"] == []
    assert [await min_.is_in(), await desk.is_in()] == [True, False]
