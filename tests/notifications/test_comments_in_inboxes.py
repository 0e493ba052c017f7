"""Whom a comment reaches: those it speaks to, and nobody who does not see the project."""

from typing import Any

import pytest
from sqlalchemy import select

from services.notifications.model.webhook_delivery import WebhookMessage
from shared.actor import Actor
from shared.contracts.event import EVERYONE, Event
from shared.contracts.members import OfficialBlocked
from shared.contracts.projects import CommentEdited, CommentRemoved
from shared.identifiers import new_id
from tests.conftest import Database
from tests.notifications.endpoints import deliveries, make_endpoint
from tests.notifications.hearing import (
    COMMENT,
    COMMENTED,
    TOKYO_MACHINE,
    Ears,
    at,
    comment,
    official,
)
from tests.notifications.test_inbox import (
    DELHI,
    HARBOUR,
    SEOUL,
    SEOUL_CONTRIBUTOR,
    SEOUL_OBSERVER,
    TOKYO,
    items,
    known,
    told,
)

__all__ = ["known"]

BOTH = ["seoul", "tokyo"]


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        pytest.param(comment(HARBOUR, "seoul"), {}, id="to nobody"),
        pytest.param(
            comment(HARBOUR, "tokyo", officials=(SEOUL_OBSERVER,)),
            {"seoul observer": "mentioned"},
            id="to a person, whatever their role",
        ),
        pytest.param(
            comment(HARBOUR, "tokyo", members=("seoul",)), {"seoul": "mentioned"}, id="to a city"
        ),
        pytest.param(
            comment(HARBOUR, "tokyo", members=("seoul",), officials=(SEOUL, SEOUL_CONTRIBUTOR)),
            {"seoul": "mentioned", "seoul contributor": "mentioned"},
            id="to a city and its people, each once",
        ),
        pytest.param(
            comment(HARBOUR, "tokyo", to=("seoul", SEOUL_CONTRIBUTOR)),
            {"seoul contributor": "replied"},
            id="in reply to a person",
        ),
        pytest.param(
            comment(HARBOUR, "tokyo", to=("seoul", None)),
            {"seoul": "replied"},
            id="in reply to a machine",
        ),
        pytest.param(
            comment(
                HARBOUR, "tokyo", to=("seoul", SEOUL_CONTRIBUTOR), officials=(SEOUL_CONTRIBUTOR,)
            ),
            {"seoul contributor": "mentioned"},
            id="in reply to a person whom it mentions",
        ),
        pytest.param(
            comment(
                HARBOUR,
                "seoul",
                by=Actor(member="seoul", official_id=SEOUL),
                members=("seoul", "tokyo"),
            ),
            {"tokyo": "mentioned"},
            id="to oneself",
        ),
        pytest.param(
            comment(HARBOUR, "tokyo", officials=(DELHI,), members=("delhi",), audience=BOTH),
            {},
            id="to who does not see it",
        ),
        pytest.param(
            comment(
                HARBOUR,
                "tokyo",
                version=2,
                members=("seoul",),
                officials=(SEOUL_CONTRIBUTOR, SEOUL_OBSERVER),
                before=((), (SEOUL_CONTRIBUTOR,)),
                kind=CommentEdited,
            ),
            {"seoul": "mentioned", "seoul observer": "mentioned"},
            id="newly mentioned",
        ),
        pytest.param(
            comment(
                HARBOUR,
                "tokyo",
                version=2,
                to=("seoul", SEOUL),
                members=("seoul",),
                officials=(SEOUL_CONTRIBUTOR,),
                before=(("seoul",), (SEOUL_CONTRIBUTOR,)),
                kind=CommentEdited,
            ),
            {},
            id="mentioned before",
        ),
        pytest.param(
            comment(HARBOUR, "tokyo", version=2, to=("seoul", SEOUL), kind=CommentRemoved),
            {},
            id="removed",
        ),
    ],
)
async def test_a_comment_is_told_to_whom_it_speaks(
    ears: Ears, database: Database, fact: Event[Any], expected: dict[str, str]
) -> None:
    await ears.hear(fact, only="inbox")

    assert await told(database) == expected


async def test_an_item_says_who_speaks_where_and_never_what(ears: Ears, database: Database) -> None:
    await ears.hear(comment(HARBOUR, "tokyo", members=("seoul",)), only="inbox")

    [item] = await items(database)
    assert (item.official_id, item.reason) == (SEOUL, "mentioned")
    assert (item.subject_kind, item.subject_id, item.project_id) == ("comment", COMMENT, HARBOUR)
    assert item.title == {"en": "First readings"}
    assert item.facts == {
        "actor_member": "tokyo",
        "member": "tokyo",
        "subject_kind": "milestone",
        "subject_id": str(COMMENTED),
        "in_reply_to": None,
    }
    assert (item.event_type, item.happened_at) == ("renkei.comment.posted.v1", at(1))


@pytest.mark.parametrize("status", ["blocked", "erased"])
async def test_who_may_not_act_any_more_is_not_told(
    ears: Ears, database: Database, status: Any
) -> None:
    gone = official(SEOUL, "seoul", "coordinator", status=status, version=2, kind=OfficialBlocked)
    await ears.hear(gone, only="officials")

    await ears.hear(comment(HARBOUR, "tokyo", officials=(SEOUL, TOKYO)), only="inbox")

    assert await told(database) == {"tokyo": "mentioned"}


async def test_being_mentioned_twice_in_whatever_order_is_one_item(
    ears: Ears, database: Database
) -> None:
    posted = comment(HARBOUR, "tokyo", officials=(SEOUL,))
    edited = comment(
        HARBOUR, "tokyo", version=2, members=("seoul",), before=((), ()), kind=CommentEdited
    )

    for fact in (edited, posted, edited, posted):
        await ears.hear(fact, only="inbox")

    [item] = await items(database)
    assert (item.official_id, item.count, item.subject_version) == (SEOUL, 2, 2)


async def test_systems_of_those_who_may_hear_get_every_comment(
    ears: Ears, database: Database
) -> None:
    seouls = await make_endpoint(database.sessions, member="seoul")
    await make_endpoint(database.sessions, member="delhi")

    await ears.hear(comment(HARBOUR, "tokyo", audience=BOTH), only="webhooks")

    [delivery] = await deliveries(database.sessions)
    assert (delivery.endpoint_id, delivery.event_type) == (seouls.id, "renkei.comment.posted.v1")
    assert await items(database) == []


async def test_what_was_taken_back_is_not_sent_any_more(ears: Ears, database: Database) -> None:
    await make_endpoint(database.sessions, member="seoul")
    posted, other = comment(HARBOUR, "tokyo"), comment(HARBOUR, "tokyo", comment_id=new_id())
    await ears.hear(posted, other, only="webhooks")
    state = posted.data.state.model_copy(update={"text": None, "removed_at": at(2), "version": 2})
    removed = CommentRemoved.about(state, by=TOKYO_MACHINE, at=at(2), audience=EVERYONE)

    await ears.hear(removed, only="webhooks")

    async with database.sessions() as session:
        messages = await session.scalars(select(WebhookMessage))
        said = {message.event_id: b"Kim" in message.body for message in messages}
    assert said == {posted.id: False, other.id: True, removed.id: False}
