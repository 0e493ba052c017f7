"""Deliveries that ended long ago are forgotten; what still waits never is."""

from datetime import timedelta

from sqlalchemy import func, select, update

from services.notifications.model.event_feed import FeedDigest, FeedEntry
from services.notifications.model.retrying import Answer
from services.notifications.model.webhook_delivery import WebhookAttempt, WebhookMessage
from services.notifications.settings import NotificationsSettings
from services.notifications.worker import forgetting_deliveries
from shared.clock import utc_now
from shared.identifiers import new_id
from shared.timers import tick
from tests.conftest import Database
from tests.notifications.endpoints import claim, deliveries, make_endpoint, record
from tests.notifications.hearing import Ears, project


def signed_digest(slug: str, *, last_sequence: int) -> FeedDigest:
    """The digest of a day that is over; what it covers can be forgotten."""
    return FeedDigest(
        member=slug,
        day=(utc_now() - timedelta(days=91)).date(),
        first_sequence=1,
        last_sequence=last_sequence,
        count=last_sequence,
        sha256="",
        signed="",
        made_at=utc_now(),
    )


async def test_what_ended_long_ago_is_forgotten(
    ears: Ears, database: Database, settings: NotificationsSettings
) -> None:
    long_ago = utc_now() - timedelta(days=91)
    for slug in ("seoul", "delhi"):
        await make_endpoint(database.sessions, member=slug)
    old, waiting = project(new_id()), project(new_id(), audience=["seoul"])
    await ears.hear(old, waiting, only="webhooks")
    async with database.sessions.begin() as session:
        lanes = await claim(session)
        await record(
            session,
            *(
                (lane, one, Answer(long_ago, 3, status=204))
                for lane in lanes
                for one in lane.deliveries
                if one.event_id == old.id
            ),
            now=long_ago,
        )
        for message in await session.scalars(select(WebhookMessage)):
            message.queued_at = long_ago
        await session.execute(
            update(FeedEntry).where(FeedEntry.event_id == old.id).values(recorded_at=long_ago)
        )
        for slug in ("seoul", "delhi"):
            session.add(signed_digest(slug, last_sequence=1))

    more = await tick(forgetting_deliveries(settings), database.sessions)

    assert more is False
    assert [one.event_id for one in await deliveries(database.sessions)] == [waiting.id]
    async with database.sessions() as session:
        assert list(await session.scalars(select(WebhookMessage.event_id))) == [waiting.id]
        assert await session.scalar(select(func.count()).select_from(WebhookAttempt)) == 0


async def test_what_a_feed_still_holds_outlives_its_deliveries(
    ears: Ears, database: Database, settings: NotificationsSettings
) -> None:
    forgetful = settings.model_copy(update={"webhook_retention_days": 30})
    then = utc_now() - timedelta(days=40)
    await make_endpoint(database.sessions)
    fact = project(new_id())
    await ears.hear(fact, only="webhooks")
    async with database.sessions.begin() as session:
        [lane] = await claim(session)
        await record(session, (lane, lane.deliveries[0], Answer(then, 3, status=204)), now=then)
        await session.execute(update(WebhookMessage).values(queued_at=then))
        await session.execute(update(FeedEntry).values(recorded_at=then))
        session.add(signed_digest("seoul", last_sequence=1))

    await tick(forgetting_deliveries(forgetful), database.sessions)

    assert await deliveries(database.sessions) == []
    async with database.sessions() as session:
        assert list(await session.scalars(select(WebhookMessage.event_id))) == [fact.id]


async def test_what_ended_lately_is_kept(
    ears: Ears, database: Database, settings: NotificationsSettings
) -> None:
    await make_endpoint(database.sessions)
    await ears.hear(project(new_id()), only="webhooks")
    async with database.sessions.begin() as session:
        [lane] = await claim(session)
        await record(
            session,
            (lane, lane.deliveries[0], Answer(utc_now(), 3, status=204)),
            now=utc_now() - timedelta(days=89),
        )

    await tick(forgetting_deliveries(settings), database.sessions)

    assert len(await deliveries(database.sessions)) == 1
