"""No kind of fact is forgotten: each reaches webhooks, and an inbox takes each that it is told."""

from typing import Any

from sqlalchemy import func, select

from services.notifications.consumers.inboxes import INBOXES
from services.notifications.consumers.webhooks import WEBHOOKS
from services.notifications.model.concerns import concerns, subject_of
from services.notifications.model.inbox_item import InboxItem
from services.notifications.use_cases.fold_into_inboxes import fold_into_inboxes
from shared.clock import utc_now
from shared.contracts.event import CATALOGUE, Event
from shared.contracts.members import Role
from shared.contracts.samples import sample_of
from shared.identifiers import new_id
from tests.notifications.hearing import Ears, member, official, project

TOLD = [kind for kind in CATALOGUE.values() if concerns(sample_of(kind))]


def entities(kinds: list[type[Event[Any]]]) -> set[tuple[str, str]]:
    return {(kind.publisher, kind.entity) for kind in kinds}


def names_somebody(event: Event[Any]) -> bool:
    """The sample of a milestone has no contributions, so some of its facts concern nobody."""
    return any(each.members or each.found_by != "name" for each in concerns(event))


def test_every_published_fact_goes_out_to_webhooks() -> None:
    assert entities([each.event for each in WEBHOOKS]) == entities(list(CATALOGUE.values()))


def test_every_fact_that_concerns_somebody_is_listened_to() -> None:
    assert entities([each.event for each in INBOXES]) >= entities(TOLD)


async def test_an_inbox_takes_every_fact_that_it_is_told(ears: Ears) -> None:
    cities = ("tokyo", "seoul")
    roles: tuple[Role, ...] = ("coordinator", "contributor", "administrator")
    people = [official(new_id(), city, *roles) for city in cities]
    projects = {subject_of(sample_of(kind)).project_id for kind in TOLD}
    await ears.hear(*map(member, cities), *people)
    await ears.hear(*(project(each) for each in projects if each is not None))

    told = []
    named = [kind for kind in TOLD if names_somebody(sample_of(kind))]
    for kind in named:
        said = sample_of(kind).model_copy(update={"id": new_id()})
        async with ears.sessions.begin() as session:
            before = await session.scalar(select(func.sum(InboxItem.count))) or 0
            await fold_into_inboxes(session, [said], now=utc_now())
            after = await session.scalar(select(func.sum(InboxItem.count))) or 0
        told += [kind] if after > before else []

    assert told == named
