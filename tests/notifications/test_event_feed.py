"""The event feed over HTTP: in order, without a gap, and no more than one may know."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from sqlalchemy import delete, update

from services.notifications.model.event_feed import FeedEnd, FeedEntry
from services.notifications.model.webhook_delivery import WebhookMessage
from services.notifications.queries import event_feed
from shared.clock import utc_now
from shared.contracts.members import MemberActivated, MemberSuspended, OfficialErased
from shared.contracts.projects import MilestoneCompleted, ParticipationWithdrawn, ProjectDrafted
from shared.identifiers import new_id
from tests.conftest import Database
from tests.notifications.endpoints import claim, make_endpoint
from tests.notifications.hearing import (
    Ears,
    comment,
    ended_session,
    member,
    milestone,
    official,
    participation,
    project,
    revoked_client,
)
from tests.web import api, person_token, token

PATH = "/api/v1/events"
HARBOUR, READINGS = new_id(), new_id()
READING = "notifications:read projects:read members:read"


@pytest.fixture(autouse=True)
async def known(ears: Ears) -> None:
    await ears.hear(member("seoul"), member("tokyo"), only="members")


@pytest.fixture
def seoul(app: FastAPI) -> AsyncClient:
    return api(app, "seoul")


def sequences(response: Response) -> list[int]:
    assert response.status_code == 200
    return [item["sequence"] for item in response.json()["items"]]


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


async def tell(ears: Ears, many: int) -> list[UUID]:
    facts = [project(HARBOUR, version=number + 1) for number in range(many)]
    await ears.hear(*facts, only="webhooks")
    return [fact.id for fact in facts]


async def test_a_feed_is_read_in_order_and_byte_for_byte(ears: Ears, seoul: AsyncClient) -> None:
    first, second = project(HARBOUR), milestone(HARBOUR, READINGS)
    await ears.hear(first, second, only="webhooks")

    response = await seoul.get(PATH)

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert first.wire_form() in response.content
    document = response.json()
    assert [item["event"]["id"] for item in document["items"]] == [str(first.id), str(second.id)]
    assert [item["event_id"] for item in document["items"]] == [str(first.id), str(second.id)]
    assert sequences(response) == [1, 2]
    assert (document["next"], document["end"]) == (2, 2)
    assert "link" not in response.headers


async def test_the_end_of_one_part_is_the_beginning_of_the_next(
    ears: Ears, seoul: AsyncClient
) -> None:
    told = await tell(ears, 5)

    found: list[str] = []
    address = f"{PATH}?limit=2"
    while address:
        response = await seoul.get(address)
        found += [item["event_id"] for item in response.json()["items"]]
        address = response.headers.get("link", "").partition(">")[0].removeprefix("<")

    assert found == [str(each) for each in told]


async def test_an_empty_feed_begins_and_ends_at_nothing(seoul: AsyncClient) -> None:
    for query in ("", "?after=0"):
        assert (await seoul.get(PATH + query)).json() == {"items": [], "next": 0, "end": 0}


async def test_a_part_ends_before_it_becomes_too_much(
    ears: Ears, seoul: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tell(ears, 5)
    monkeypatch.setattr(event_feed, "PART_BYTES", 1500)

    first = await seoul.get(PATH)
    monkeypatch.setattr(event_feed, "PART_BYTES", 1)
    second = await seoul.get(f"{PATH}?after={first.json()['next']}")

    assert sequences(first) == [1, 2]
    assert (first.json()["next"], first.json()["end"]) == (2, 5)
    assert sequences(second) == [3]  # what is larger than any part is a part of its own


@pytest.mark.parametrize(
    ("types", "found"),
    [
        ("renkei.milestone.*", [2, 4]),
        ("renkei.milestone.completed.v1", [4]),
        ("renkei.milestone.completed.v1,renkei.project.*", [1, 3, 4]),
        ("renkei.theme.*", []),
        ("*", [1, 2, 3, 4]),
    ],
)
async def test_a_filter_leaves_out_what_is_not_wanted_and_advances_over_it(
    ears: Ears, seoul: AsyncClient, types: str, found: list[int]
) -> None:
    await ears.hear(project(HARBOUR), only="webhooks")
    await ears.hear(milestone(HARBOUR, READINGS), only="webhooks")
    await ears.hear(project(HARBOUR, version=2), only="webhooks")
    await ears.hear(milestone(HARBOUR, READINGS, kind=MilestoneCompleted), only="webhooks")

    response = await seoul.get(PATH, params={"types": types})

    assert sequences(response) == found
    assert (response.json()["next"], response.json()["end"]) == (4, 4)


async def test_a_filter_by_project_finds_all_that_belongs_to_it(
    ears: Ears, seoul: AsyncClient
) -> None:
    await ears.hear(project(HARBOUR), project(new_id()), member("delhi"), only="webhooks")
    await ears.hear(milestone(HARBOUR, READINGS), only="webhooks")

    response = await seoul.get(PATH, params={"project_id": str(HARBOUR)})

    told = [item["event"]["type"] for item in response.json()["items"]]
    assert told == ["renkei.project.proposed.v1", "renkei.milestone.planned.v1"]


async def test_what_is_looked_at_in_vain_is_bounded_and_not_looked_at_again(
    ears: Ears, seoul: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tell(ears, 5)
    await ears.hear(milestone(HARBOUR, READINGS), only="webhooks")
    monkeypatch.setattr(event_feed, "LOOKED_AT_MAX", 2)

    address, ends, found = f"{PATH}?types=renkei.milestone.*", [], []
    while address:
        response = await seoul.get(address)
        found += sequences(response)
        ends.append(response.json()["next"])
        address = response.headers.get("link", "").partition(">")[0].removeprefix("<")

    assert found == [6]
    assert ends == [2, 4, 6]


async def test_a_sequence_that_is_not_there_yet_is_refused(ears: Ears, seoul: AsyncClient) -> None:
    await tell(ears, 2)

    response = await seoul.get(f"{PATH}?after=3")

    assert response.status_code == 409
    assert (response.json()["type"], response.json()["end"]) == ("/problems/feed-not-that-far", 2)
    assert sequences(await seoul.get(f"{PATH}?after=2")) == []


async def test_what_is_kept_no_longer_is_gone_and_the_first_that_is_kept_is_named(
    ears: Ears, seoul: AsyncClient, database: Database
) -> None:
    await tell(ears, 4)
    async with database.sessions.begin() as session:
        await session.execute(
            delete(FeedEntry).where(FeedEntry.member == "seoul", FeedEntry.sequence < 3)
        )

    response = await seoul.get(f"{PATH}?after=1")

    assert response.status_code == 410
    assert response.json()["type"] == "/problems/feed-forgotten"
    assert (response.json()["first"], response.json()["end"]) == (3, 4)
    assert sequences(await seoul.get(f"{PATH}?after=2")) == [3, 4]
    assert sequences(await seoul.get(PATH)) == [3, 4]


async def test_a_feed_of_which_nothing_is_kept_goes_on_from_its_end(
    ears: Ears, seoul: AsyncClient, database: Database
) -> None:
    await tell(ears, 2)
    async with database.sessions.begin() as session:
        await session.execute(delete(FeedEntry))

    assert (await seoul.get(f"{PATH}?after=1")).status_code == 410
    assert (await seoul.get(PATH)).json() == {"items": [], "next": 2, "end": 2}


async def test_whoever_left_a_project_is_told_no_more_of_it_but_the_numbers_stay(
    ears: Ears, seoul: AsyncClient
) -> None:
    place = new_id()
    hidden = project(HARBOUR, audience=["seoul", "tokyo"])
    hidden = hidden.model_copy(
        update={
            "data": hidden.data.model_copy(
                update={
                    "state": hidden.data.state.model_copy(update={"visibility": "participants"})
                }
            )
        }
    )
    joined = participation(HARBOUR, "seoul", participation_id=place, audience=["seoul", "tokyo"])
    await ears.hear(hidden, joined, milestone(HARBOUR, READINGS, audience=["seoul", "tokyo"]))
    left = participation(
        HARBOUR,
        "seoul",
        participation_id=place,
        status="withdrawn",
        version=2,
        audience=["seoul", "tokyo"],
        kind=ParticipationWithdrawn,
    )
    before = await seoul.get(PATH)

    await ears.hear(left)

    after = await seoul.get(PATH)
    kept = {item["sequence"]: item for item in after.json()["items"]}
    assert sequences(before) == list(range(1, len(before.json()["items"]) + 1))
    assert all(item["event"] for item in before.json()["items"])
    withheld = [item for item in kept.values() if item["event"] is None]
    assert {item["withheld"] for item in withheld} == {"left_project"}
    assert {item["event_id"] for item in withheld} == {
        item["event_id"]
        for item in before.json()["items"]
        if item["event"]["type"] in {"renkei.project.proposed.v1", "renkei.milestone.planned.v1"}
    }
    # Of what became of its own place it is told.
    assert any(
        item["event"] and item["event"]["type"] == "renkei.participation.withdrawn.v1"
        for item in kept.values()
    )
    for item in withheld:
        assert (await seoul.get(f"{PATH}/{item['event_id']}")).status_code == 404
    # A filter must not say what a withheld fact was about.
    chosen = await seoul.get(PATH, params={"types": "renkei.milestone.*"})
    assert chosen.json()["items"] == []


async def test_whoever_left_reads_no_more_of_what_participants_say_among_themselves(
    ears: Ears, seoul: AsyncClient, database: Database
) -> None:
    """Although everybody sees the project, and what is said for everybody."""
    await make_endpoint(database.sessions, event_types=("renkei.comment.*",))
    place, told = new_id(), ["seoul", "tokyo"]
    inside, aloud = comment(HARBOUR, "tokyo", audience=told), comment(HARBOUR, "tokyo")
    joined = participation(HARBOUR, "seoul", participation_id=place)
    await ears.hear(project(HARBOUR), joined, inside, aloud)
    left = participation(
        HARBOUR,
        "seoul",
        participation_id=place,
        status="withdrawn",
        version=2,
        kind=ParticipationWithdrawn,
    )
    before = await seoul.get(f"{PATH}/{inside.id}")

    await ears.hear(left)

    items = (await seoul.get(PATH)).json()["items"]
    assert before.status_code == 200
    assert {item["event_id"]: item["withheld"] for item in items if item["event"] is None} == {
        str(inside.id): "left_project"
    }
    assert (await seoul.get(f"{PATH}/{inside.id}")).status_code == 404
    async with database.sessions.begin() as session:
        [lane] = await claim(session)
    assert [(one.event_id, one.hindrance) for one in lane.deliveries] == [
        (inside.id, "left_project"),
        (aloud.id, None),
    ]


async def test_a_token_that_does_not_cover_a_kind_of_facts_learns_only_that_there_is_one(
    app: FastAPI, ears: Ears
) -> None:
    client = api(app, "seoul", "notifications:read members:read")
    secret = project(HARBOUR)
    await ears.hear(secret, member("delhi"), only="webhooks")

    response = await client.get(PATH)

    withheld = [item for item in response.json()["items"] if item["event"] is None]
    assert [(item["event_id"], item["withheld"]) for item in withheld] == [
        (str(secret.id), "missing_scope")
    ]
    assert set(withheld[0]) == {"sequence", "recorded_at", "event_id", "event", "withheld"}
    assert sequences(response) == [1, 2]
    assert (await client.get(f"{PATH}/{secret.id}")).status_code == 404
    refused = await client.get(PATH, params={"types": "renkei.project.*"})
    assert (refused.status_code, refused.json()["scope"]) == (403, "projects:read")
    assert (await client.get(PATH, params={"project_id": str(HARBOUR)})).json()["items"] == []


async def test_reading_needs_the_scope_for_it(app: FastAPI, ears: Ears) -> None:
    [fact] = await tell(ears, 1)
    client = api(app, "seoul", "projects:read members:read notifications:write")

    for address in (PATH, f"{PATH}/{fact}"):
        response = await client.get(address)
        assert (response.status_code, response.json()["scope"]) == (403, "notifications:read")


async def test_a_person_reads_what_their_roles_cover_now(app: FastAPI, ears: Ears) -> None:
    person = new_id()
    await ears.hear(official(person, "seoul", "observer", scopes=("notifications:read",)))
    await ears.hear(project(HARBOUR), only="webhooks")
    client = api(app)

    response = await client.get(PATH, headers=bearer(person_token("seoul", person)))

    # The token says more, but the person's roles no longer do.
    assert response.status_code == 200
    told = {item["event"]["type"] if item["event"] else None for item in response.json()["items"]}
    assert told == {None}
    assert all(item["withheld"] == "missing_scope" for item in response.json()["items"])


async def test_a_feed_is_its_members_own(app: FastAPI, ears: Ears, seoul: AsyncClient) -> None:
    own = project(HARBOUR, audience=["seoul"], kind=ProjectDrafted)
    await ears.hear(own, only="webhooks")
    tokyo = api(app, "tokyo")

    assert (await seoul.get(f"{PATH}/{own.id}")).content == own.wire_form()
    assert (await tokyo.get(PATH)).json() == {"items": [], "next": 0, "end": 0}
    other, none = await tokyo.get(f"{PATH}/{own.id}"), await tokyo.get(f"{PATH}/{new_id()}")
    assert (other.status_code, none.status_code) == (404, 404)
    assert other.json()["type"] == none.json()["type"] == "/problems/event-not-found"
    assert (await api(app).get(PATH)).status_code == 401


async def test_one_fact_is_a_cloud_event_as_it_came(ears: Ears, seoul: AsyncClient) -> None:
    fact = project(HARBOUR)
    await ears.hear(fact, only="webhooks")

    response = await seoul.get(f"{PATH}/{fact.id}")

    assert response.content == fact.wire_form()
    assert response.headers["content-type"] == "application/cloudevents+json; charset=utf-8"


@pytest.mark.parametrize("status", ["suspended", "withdrawn"])
async def test_a_member_that_does_not_take_part_reads_nothing(
    ears: Ears, seoul: AsyncClient, status: Any
) -> None:
    [fact] = await tell(ears, 1)
    await ears.hear(member("seoul", status=status, version=2, kind=MemberSuspended))

    for address in (PATH, f"{PATH}?wait=5", f"{PATH}/{fact}"):
        response = await seoul.get(address)
        assert (response.status_code, response.json()["type"]) == (
            403,
            "/problems/member-not-active",
        )


async def test_who_may_not_act_any_more_reads_nothing(app: FastAPI, ears: Ears) -> None:
    person, session_id = new_id(), new_id()
    await tell(ears, 1)
    await ears.hear(official(person, "seoul", "observer"), only="officials")
    await ears.hear(revoked_client("seoul-old", "seoul"), only="clients")
    await ears.hear(ended_session(session_id, person, "seoul"), only="sessions")

    for text in (
        token("seoul", client_id="seoul-old"),
        person_token("seoul", person, session_id=session_id),
    ):
        assert (await api(app).get(PATH, headers=bearer(text))).status_code == 401


async def test_a_member_that_begins_late_is_told_what_everybody_was_told_since(
    ears: Ears, app: FastAPI
) -> None:
    before, since = project(new_id(), version=1), project(new_id(), version=3)
    others = project(new_id(), version=4, audience=["seoul"], kind=ProjectDrafted)
    activated = member("delhi", version=2, kind=MemberActivated)
    await ears.hear(before, since, others, only="webhooks")

    await ears.hear(activated, only="webhooks")

    response = await api(app, "delhi").get(PATH)
    assert sequences(response) == [1, 2]
    assert [item["event_id"] for item in response.json()["items"]] == [
        str(activated.id),
        str(since.id),
    ]


async def test_what_came_twice_stands_in_the_feed_once(ears: Ears, seoul: AsyncClient) -> None:
    fact = project(HARBOUR)

    await ears.hear(fact, fact, only="webhooks")
    await ears.hear(fact, only="webhooks")

    assert sequences(await seoul.get(PATH)) == [1]


async def test_what_was_said_of_an_erased_official_is_not_read_any_more(
    ears: Ears, seoul: AsyncClient
) -> None:
    person = new_id()
    named = official(person, "seoul", "observer")
    state = named.data.state.model_copy(update={"name": "Kim", "email": "kim@seoul.example"})
    named = named.model_copy(update={"data": named.data.model_copy(update={"state": state})})
    await ears.hear(named, only="webhooks")
    assert "kim@seoul.example" in (await seoul.get(PATH)).text

    await ears.hear(
        official(person, "seoul", status="erased", version=2, kind=OfficialErased), only="webhooks"
    )

    response = await seoul.get(PATH)
    assert sequences(response) == [1, 2]
    assert "kim@seoul.example" not in response.text
    assert "kim@seoul.example" not in (await seoul.get(f"{PATH}/{named.id}")).text


async def test_moments_rise_with_numbers_whatever_the_clocks_say(
    ears: Ears, seoul: AsyncClient, database: Database
) -> None:
    await tell(ears, 1)
    ahead = utc_now() + timedelta(minutes=5)
    async with database.sessions.begin() as session:
        await session.execute(update(FeedEnd).values(recorded_at=ahead))

    await tell(ears, 1)

    moments = [item["recorded_at"] for item in (await seoul.get(PATH)).json()["items"]]
    assert moments == sorted(moments)
    assert moments[1] == ahead.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    "query",
    [
        "after=-1",
        "after=x",
        "after=9007199254740992",
        f"after={10**30}",
        "after=1&after=2",
        "limit=0",
        "limit=201",
        "wait=26",
        "wait=-1",
        "types=",
        "types=renkei.milestone.*,",
        "types=nonsense",
        "types=renkei.milestone.never.v1",
        "types=renkei.milestone.%00",
        f"types={'renkei.milestone.*,' * 300}*",
        "project_id=1",
        "cursor=Upper",
        "cursor=a%0Ab",
        f"cursor={'x' * 65}",
        "cursor=a&after=1",
        "unknown=1",
    ],
)
async def test_what_makes_no_sense_is_refused(seoul: AsyncClient, query: str) -> None:
    response = await seoul.get(f"{PATH}?{query}")

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


async def test_the_body_that_is_read_is_the_one_that_is_kept(
    ears: Ears, seoul: AsyncClient, database: Database
) -> None:
    await make_endpoint(database.sessions)
    fact = project(HARBOUR)
    wire = json.loads(fact.wire_form())
    wire["data"]["state"]["from_the_future"] = "kept"
    newer = type(fact).received(json.dumps(wire, indent=1).encode())

    await ears.hear(newer, only="webhooks")

    async with database.sessions() as session:
        kept = await session.get_one(WebhookMessage, fact.id)
    response = await seoul.get(PATH)
    assert kept.body in response.content
    assert response.json()["items"][0]["event"]["data"]["state"]["from_the_future"] == "kept"
