"""Who is told what, in whatever order and however often the facts arrive."""

from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import select

from services.notifications.model.inbox_item import InboxItem
from services.notifications.queries.everything import all_states
from services.notifications.worker import WORKER
from shared.actor import Actor
from shared.contracts.event import Event
from shared.contracts.members import MemberSuspended, OfficialBlocked
from shared.contracts.projects import (
    ContributionAccepted,
    ContributionDelivered,
    ContributionRequested,
    ContributionReturned,
    InvitationExtended,
    InvitationRevoked,
    MilestoneBecameOverdue,
    MilestoneCompleted,
    MilestoneRescheduled,
    ParticipationAccepted,
    ParticipationDeclined,
    ParticipationExpired,
    ParticipationInvited,
    ParticipationReminded,
    ParticipationWithdrawn,
    ProjectChanged,
    ProjectDrafted,
    WithdrawalAnnounced,
    WithdrawalRetracted,
)
from shared.identifiers import new_id
from shared.timers import tick
from tests.conftest import Database
from tests.notifications.hearing import (
    Ears,
    at,
    contribution,
    member,
    milestone,
    official,
    participation,
    project,
)

TOKYO, TOKYO_CONTRIBUTOR, TOKYO_ADMINISTRATOR = new_id(), new_id(), new_id()
SEOUL, SEOUL_CONTRIBUTOR, SEOUL_OBSERVER = new_id(), new_id(), new_id()
DELHI = new_id()
HARBOUR, READINGS = new_id(), new_id()
NAMES = {
    TOKYO: "tokyo",
    TOKYO_CONTRIBUTOR: "tokyo contributor",
    TOKYO_ADMINISTRATOR: "tokyo administrator",
    SEOUL: "seoul",
    SEOUL_CONTRIBUTOR: "seoul contributor",
    SEOUL_OBSERVER: "seoul observer",
    DELHI: "delhi",
}
PEOPLE = [
    official(TOKYO, "tokyo", "coordinator", "administrator"),
    official(TOKYO_CONTRIBUTOR, "tokyo", "contributor"),
    official(TOKYO_ADMINISTRATOR, "tokyo", "administrator"),
    official(SEOUL, "seoul", "coordinator"),
    official(SEOUL_CONTRIBUTOR, "seoul", "contributor"),
    official(SEOUL_OBSERVER, "seoul", "observer"),
    official(DELHI, "delhi", "coordinator"),
]
CITIES = [member("tokyo"), member("seoul"), member("delhi")]


@pytest.fixture(autouse=True)
async def known(ears: Ears) -> None:
    """Three cities with their officials; Tokyo leads, Seoul takes part, Delhi does not."""
    await ears.hear(
        *CITIES,
        *PEOPLE,
        project(HARBOUR),
        participation(HARBOUR, "tokyo", role="lead"),
        participation(HARBOUR, "seoul"),
        participation(HARBOUR, "delhi", status="declined"),
        only="members",
    )
    await ears.hear(*PEOPLE, only="officials")
    await ears.hear(project(HARBOUR), only="projects")
    await ears.hear(
        participation(HARBOUR, "tokyo", role="lead"),
        participation(HARBOUR, "seoul"),
        participation(HARBOUR, "delhi", status="declined"),
        only="participations",
    )


async def items(database: Database) -> list[InboxItem]:
    async with database.sessions() as session:
        return list(await session.scalars(select(InboxItem).order_by(InboxItem.official_id)))


async def told(database: Database) -> dict[str, str]:
    """Reasons by the name of the official; each has heard of one thing only."""
    return {NAMES[item.official_id]: item.reason for item in await items(database)}


PENDING, DELIVERED = contribution("seoul"), contribution("seoul", "delivered")
RETURNED = contribution("seoul", "returned", contribution_id=DELIVERED.id)
ACCEPTED = contribution("seoul", "accepted", contribution_id=DELIVERED.id)
ACK = ()
PLACING = next(timer for timer in WORKER.timers if timer.name == "place-facts")
BOTH = {"tokyo": "participating", "seoul": "participating"}


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        pytest.param(
            participation(HARBOUR, "delhi", status="invited", kind=ParticipationInvited),
            {"delhi": "invited"},
            id="invited",
        ),
        pytest.param(
            participation(HARBOUR, "seoul", kind=ParticipationAccepted),
            {"tokyo": "answered"},
            id="accepted",
        ),
        pytest.param(
            participation(HARBOUR, "seoul", status="declined", kind=ParticipationDeclined),
            {"tokyo": "answered"},
            id="declined",
        ),
        pytest.param(
            participation(HARBOUR, "seoul", status="withdrawn", kind=ParticipationWithdrawn),
            {"tokyo": "answered"},
            id="withdrawn",
        ),
        pytest.param(
            participation(HARBOUR, "delhi", status="invited", kind=ParticipationReminded),
            {"delhi": "invited"},
            id="reminded",
        ),
        pytest.param(
            participation(HARBOUR, "delhi", status="invited", kind=InvitationExtended),
            {"delhi": "invited"},
            id="invitation extended",
        ),
        pytest.param(
            participation(HARBOUR, "delhi", status="withdrawn", kind=InvitationRevoked),
            {"delhi": "invited"},
            id="invitation revoked",
        ),
        pytest.param(
            participation(HARBOUR, "delhi", status="expired", kind=ParticipationExpired),
            {"tokyo": "answered"},
            id="expired",
        ),
        pytest.param(
            participation(HARBOUR, "seoul", kind=WithdrawalAnnounced),
            {"tokyo": "answered"},
            id="withdrawal announced",
        ),
        pytest.param(
            participation(HARBOUR, "seoul", kind=WithdrawalRetracted),
            {"tokyo": "answered"},
            id="withdrawal retracted",
        ),
        pytest.param(project(HARBOUR, kind=ProjectChanged), BOTH, id="project of the network"),
        pytest.param(
            project(HARBOUR, audience=["tokyo"], kind=ProjectDrafted),
            {"tokyo": "participating"},
            id="draft",
        ),
        pytest.param(
            project(HARBOUR, audience=["tokyo", "seoul", "delhi"], kind=ProjectChanged),
            {**BOTH, "delhi": "participating"},
            id="project of those invited",
        ),
        pytest.param(
            milestone(HARBOUR, READINGS, PENDING, accountable="tokyo"),
            {
                "tokyo": "accountable",
                "seoul": "contribution_due",
                "seoul contributor": "contribution_due",
            },
            id="planned",
        ),
        pytest.param(
            milestone(HARBOUR, READINGS, PENDING, before=(), version=2, kind=ContributionRequested),
            {"seoul": "contribution_due", "seoul contributor": "contribution_due"},
            id="contribution requested",
        ),
        pytest.param(
            milestone(
                HARBOUR,
                READINGS,
                PENDING,
                contribution("delhi"),
                before=(PENDING,),
                version=2,
                kind=ContributionRequested,
            ),
            {"delhi": "contribution_due"},
            id="further contribution requested",
        ),
        pytest.param(
            milestone(
                HARBOUR,
                READINGS,
                DELIVERED,
                before=(PENDING,),
                version=2,
                kind=ContributionDelivered,
            ),
            {"tokyo": "contribution_to_accept"},
            id="contribution delivered",
        ),
        pytest.param(
            milestone(
                HARBOUR,
                READINGS,
                RETURNED,
                PENDING,
                before=(DELIVERED, PENDING),
                version=2,
                kind=ContributionReturned,
            ),
            {"seoul": "contribution_returned", "seoul contributor": "contribution_returned"},
            id="contribution returned",
        ),
        pytest.param(
            milestone(
                HARBOUR,
                READINGS,
                ACCEPTED,
                before=(DELIVERED,),
                version=2,
                kind=ContributionAccepted,
            ),
            BOTH,
            id="contribution accepted",
        ),
        pytest.param(
            milestone(HARBOUR, READINGS, PENDING, by=Actor.CLOCK, kind=MilestoneBecameOverdue),
            {
                "tokyo": "overdue",
                "tokyo contributor": "overdue",
                "seoul": "overdue",
                "seoul contributor": "overdue",
            },
            id="overdue",
        ),
        pytest.param(
            milestone(HARBOUR, READINGS, ACCEPTED, by=Actor.CLOCK, kind=MilestoneBecameOverdue),
            {"tokyo": "overdue", "tokyo contributor": "overdue", "seoul": "participating"},
            id="overdue, but not for who has contributed",
        ),
        pytest.param(
            milestone(HARBOUR, READINGS, kind=MilestoneCompleted), BOTH, id="milestone completed"
        ),
    ],
)
async def test_each_fact_is_told_to_those_concerned(
    ears: Ears, database: Database, fact: Event[Any], expected: dict[str, str]
) -> None:
    await ears.hear(fact, only="inbox")

    assert await told(database) == expected


async def test_an_item_shows_what_happened(ears: Ears, database: Database) -> None:
    fact = milestone(HARBOUR, READINGS, accountable="seoul", audience=["seoul"])

    await ears.hear(fact, only="inbox")

    [item] = await items(database)
    assert (item.official_id, item.member) == (SEOUL, "seoul")
    assert (item.subject_kind, item.subject_id, item.project_id) == ("milestone", READINGS, HARBOUR)
    assert (item.reason, item.event_type) == ("accountable", "renkei.milestone.planned.v1")
    assert item.title == {"en": "First readings, wording 1"}
    assert item.facts == {
        "actor_member": "tokyo",
        "accountable": "seoul",
        "due_on": "2026-12-31",
        "is_overdue": False,
        "status": "planned",
        "time_zone": "Asia/Tokyo",
    }
    assert (item.count, item.is_read, item.happened_at, item.version) == (1, False, at(1), 1)


async def test_a_participation_has_no_title_of_its_own(ears: Ears, database: Database) -> None:
    await ears.hear(participation(HARBOUR, "seoul"), only="inbox")

    async with database.sessions() as session:
        untitled = await session.scalars(select(InboxItem.id).where(InboxItem.title.is_(None)))
        assert len(untitled.all()) == 1


async def test_whoever_did_it_is_not_told(ears: Ears, database: Database) -> None:
    fact = project(
        HARBOUR, by=Actor(member="tokyo", official_id=TOKYO, client_id="web"), kind=ProjectChanged
    )

    await ears.hear(fact, only="inbox")

    assert await told(database) == {"seoul": "participating"}


async def test_a_blocked_official_is_not_told(ears: Ears, database: Database) -> None:
    await ears.hear(
        official(SEOUL, "seoul", "coordinator", status="blocked", version=2, kind=OfficialBlocked)
    )

    await ears.hear(project(HARBOUR, kind=ProjectChanged), only="inbox")

    assert await told(database) == {"tokyo": "participating"}


@pytest.mark.parametrize("status", ["suspended", "withdrawn"])
async def test_a_member_that_does_not_take_part_is_not_told(
    ears: Ears, database: Database, status: str
) -> None:
    await ears.hear(
        member("seoul", status=status, version=2, kind=MemberSuspended)  # type: ignore[arg-type]
    )

    await ears.hear(project(HARBOUR, kind=ProjectChanged), only="inbox")

    assert await told(database) == {"tokyo": "participating"}


async def test_officials_are_told_before_anything_is_known_of_their_member(
    ears: Ears, database: Database
) -> None:
    newcomer = new_id()
    await ears.hear(official(newcomer, "kyiv", "coordinator"))

    await ears.hear(
        participation(new_id(), "kyiv", status="invited", kind=ParticipationInvited), only="inbox"
    )

    [item] = await items(database)
    assert (item.official_id, item.reason) == (newcomer, "invited")


STORY = (
    milestone(HARBOUR, READINGS, PENDING, version=1),
    milestone(HARBOUR, READINGS, PENDING, version=2, before=(PENDING,), kind=MilestoneRescheduled),
    milestone(HARBOUR, READINGS, DELIVERED, version=3, before=(), kind=ContributionDelivered),
    milestone(
        HARBOUR, READINGS, RETURNED, version=4, before=(DELIVERED,), kind=ContributionReturned
    ),
)


async def outcome(database: Database) -> object:
    async with database.sessions() as session:
        return (await all_states(session))["inbox_item"]


@pytest.mark.parametrize("order", [*permutations(range(4))], ids=str)
async def test_facts_about_one_thing_fold_into_the_newest_in_any_order(
    ears: Ears, database: Database, order: tuple[int, ...]
) -> None:
    for number in order:
        await ears.hear(STORY[number], STORY[number], only="inbox")
        await ears.hear(STORY[number], only="inbox")

    seen = {
        NAMES[item.official_id]: (item.reason, item.count, item.happened_at, item.subject_version)
        for item in await items(database)
    }
    assert seen == {
        "tokyo": ("contribution_to_accept", 3, at(3), 3),
        "seoul": ("contribution_returned", 3, at(4), 4),
        "seoul contributor": ("contribution_returned", 2, at(4), 4),
    }


async def test_one_batch_does_what_many_do(ears: Ears, database: Database) -> None:
    await ears.hear(*reversed(STORY), only="inbox")

    seen = {
        NAMES[item.official_id]: (item.reason, item.count, item.subject_version, item.version)
        for item in await items(database)
    }
    assert seen == {
        "tokyo": ("contribution_to_accept", 3, 3, 1),
        "seoul": ("contribution_returned", 3, 4, 1),
        "seoul contributor": ("contribution_returned", 2, 4, 1),
    }


async def test_a_new_fact_makes_an_item_unread_again(ears: Ears, database: Database) -> None:
    await ears.hear(STORY[0], only="inbox")
    async with database.sessions.begin() as session:
        item = await session.scalar(select(InboxItem).where(InboxItem.official_id == TOKYO))
        assert item is not None
        item.mark(is_read=True, at=at(100))

    await ears.hear(STORY[1], only="inbox")

    [again] = [item for item in await items(database) if item.official_id == TOKYO]
    assert (again.is_read, again.version, again.reason) == (False, 3, "participating")


async def test_what_is_older_than_our_memory_is_told_to_nobody(
    ears: Ears, database: Database
) -> None:
    old = project(HARBOUR, kind=ProjectChanged)
    old = old.model_copy(update={"time": at(-60 * 24 * 31)})

    await ears.hear(old, only="inbox")

    assert await items(database) == []
    assert ears.answers[-1] == ACK


async def test_an_answer_waits_until_it_is_known_who_leads_the_project(
    ears: Ears, database: Database
) -> None:
    bridge = new_id()
    await ears.hear(participation(bridge, "seoul"), project(bridge), only="inbox")
    assert "answered" not in (await told(database)).values()
    await tick(PLACING, database.sessions)
    assert "answered" not in (await told(database)).values()
    await ears.hear(project(bridge), only="projects")

    await tick(PLACING, database.sessions)
    await tick(PLACING, database.sessions)

    seen = {(NAMES[item.official_id], item.reason, item.count) for item in await items(database)}
    assert seen == {("tokyo", "answered", 1), ("tokyo", "participating", 1)}
