"""Several who write at once: numbers without a gap, and whoever sees one sees all below."""

import asyncio
import random
from collections import defaultdict
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from services.notifications.model.event_feed import FeedEnd, FeedEntry
from services.notifications.queries.event_feed import Wanted, part_of
from services.notifications.use_cases.tell_members import tell_members
from shared.clock import utc_now
from shared.contracts.event import EVERYONE
from shared.contracts.members import MemberSuspended
from shared.contracts.projects import ProjectDrafted, ProjectEvent
from shared.database import Sessions
from shared.identifiers import new_id
from tests.conftest import Database
from tests.notifications.hearing import Ears, member, project
from tests.shared.waiting import eventually, somebody_waits_for_a_lock

HARBOUR, BRIDGE = new_id(), new_id()
CITIES = ("delhi", "seoul", "tokyo")


@pytest.fixture(autouse=True)
async def known(ears: Ears) -> None:
    await ears.hear(*map(member, CITIES), only="members")


async def feeds(sessions: Sessions) -> dict[str, list[tuple[int, UUID]]]:
    found = defaultdict(list)
    async with sessions() as session:
        for entry in await session.scalars(
            select(FeedEntry).order_by(FeedEntry.member, FeedEntry.sequence)
        ):
            found[entry.member].append((entry.sequence, entry.event_id))
    return found


async def test_numbers_have_no_gap_and_whoever_sees_one_sees_all_below(
    database: Database,
) -> None:
    chance = random.Random(7)
    told: dict[str, set[UUID]] = defaultdict(set)
    undone: set[UUID] = set()
    writing = True

    def note(facts: list[ProjectEvent]) -> None:
        for city in CITIES:
            told[city].update(fact.id for fact in facts if fact.concerns(city))

    async def write(_: int) -> None:
        for _ in range(15):
            audiences = chance.choices(
                [EVERYONE, ("seoul",), ("delhi", "tokyo"), ("seoul", "tokyo")], k=3
            )
            facts: list[ProjectEvent] = [
                project(new_id(), audience=audience, kind=ProjectDrafted) for audience in audiences
            ]
            session = database.sessions()
            async with session:
                await tell_members(session, facts, now=utc_now())
                if chance.random() < 0.2:
                    await asyncio.sleep(0.002)
                if chance.random() < 0.2:
                    await session.rollback()
                    undone.update(fact.id for fact in facts)
                    continue
                await session.commit()
            note(facts)

    async def read(city: str) -> list[int]:
        """Follow a feed as a reader does, who never looks back."""
        seen: list[int] = []
        is_last = False
        while not is_last:
            is_last = not writing
            async with database.sessions() as session:
                part = await part_of(
                    session,
                    Wanted(city, frozenset({"project"}), limit=200),
                    after=seen[-1] if seen else 0,
                )
            seen += [item.sequence for item in part.items]
            await asyncio.sleep(0)
        return seen

    readers = [asyncio.create_task(read(city)) for city in CITIES]
    await asyncio.gather(*map(write, range(8)))
    writing = False

    found = await feeds(database.sessions)
    for city, reader in zip(CITIES, readers, strict=True):
        assert [number for number, _ in found[city]] == list(range(1, len(told[city]) + 1))
        assert {event_id for _, event_id in found[city]} == told[city]
        assert await reader == [number for number, _ in found[city]]
    assert undone
    async with database.sessions() as session:
        ends = {end.member: end.sequence for end in await session.scalars(select(FeedEnd))}
    assert ends == {city: len(told[city]) for city in CITIES}


async def test_a_fact_that_is_being_told_as_a_member_begins_is_not_lost(
    ears: Ears, database: Database
) -> None:
    fact, activated = project(new_id(), version=5), member("osaka", version=2)

    async with database.sessions.begin() as telling:
        await tell_members(telling, [fact], now=utc_now())
        beginning = asyncio.create_task(ears.hear(activated, only="webhooks"))
        await eventually(lambda: somebody_waits_for_a_lock(database.sessions))
    await beginning
    later = project(new_id(), version=6)
    await ears.hear(later, only="webhooks")  # although nobody has copied the member yet

    found = await feeds(database.sessions)
    assert [event_id for _, event_id in found["osaka"]] == [activated.id, fact.id, later.id]


async def test_a_fact_that_comes_while_a_member_begins_is_not_lost(
    ears: Ears, database: Database
) -> None:
    fact, activated = project(new_id(), version=5), member("osaka", version=2)

    async with database.sessions.begin() as beginning:
        await tell_members(beginning, [activated], now=utc_now())
        telling = asyncio.create_task(ears.hear(fact, only="webhooks"))
        await eventually(lambda: somebody_waits_for_a_lock(database.sessions))
    await telling

    found = await feeds(database.sessions)
    assert [event_id for _, event_id in found["osaka"]] == [activated.id, fact.id]


async def test_members_that_begin_as_much_is_told_miss_nothing_and_hear_nothing_twice(
    ears: Ears, database: Database
) -> None:
    new = [member(f"city-{number}", version=2) for number in range(4)]
    facts = [project(new_id(), version=10 + number) for number in range(40)]

    async def begin() -> None:
        for each in new:
            await ears.hear(each)

    async def tell(share: list[int]) -> None:
        for number in share:
            await ears.deliver("notifications-webhooks-projects", [facts[number]])

    await asyncio.gather(begin(), *(tell(list(range(start, 40, 4))) for start in range(4)))

    found = await feeds(database.sessions)
    for each in new:
        heard = [event_id for _, event_id in found[each.subject]]
        assert len(heard) == len(set(heard))
        assert set(heard) >= {fact.id for fact in facts}
        assert [number for number, _ in found[each.subject]] == list(range(1, len(heard) + 1))
    assert all(answer[0] == b"+ACK" for answer in ears.answers if answer)


async def test_what_names_a_member_before_we_hear_that_it_begins_again_is_not_lost(
    ears: Ears, database: Database
) -> None:
    suspended = member("seoul", status="suspended", version=2, kind=MemberSuspended)
    named = project(HARBOUR, version=6, audience=["seoul", "tokyo"])
    before = project(HARBOUR, version=4, audience=["seoul", "tokyo"])
    others = project(BRIDGE, version=6, audience=["delhi", "tokyo"])
    again = member("seoul", version=5)
    await ears.hear(suspended)
    earlier = (await feeds(database.sessions))["seoul"]

    await ears.hear(before, others, named, only="webhooks")
    await ears.hear(again, only="webhooks")

    found = (await feeds(database.sessions))["seoul"]
    assert [event_id for _, event_id in found[len(earlier) :]] == [again.id, named.id]


async def test_a_fact_is_not_lost_as_the_clock_of_another_service_is_ahead(
    ears: Ears, database: Database
) -> None:
    ahead = utc_now() + timedelta(seconds=30)
    fact, activated = project(HARBOUR, version=6), member("osaka", version=2)

    await ears.hear(fact.model_copy(update={"time": ahead}), only="webhooks")
    await ears.hear(
        activated.model_copy(update={"time": ahead - timedelta(seconds=1)}), only="webhooks"
    )

    found = await feeds(database.sessions)
    assert [event_id for _, event_id in found["osaka"]] == [activated.id, fact.id]
