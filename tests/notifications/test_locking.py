"""Whoever locks several rows locks them in one order, so that nobody waits in a circle.

The order: who takes part, the end of a feed, endpoints, recoveries, consents, lanes by their ids,
and last deliveries. Each test holds what one transaction has locked first, lets another one run
into it, and goes on to what that one must not have locked yet.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.retrying import Answer
from services.notifications.model.webhook_endpoint import WebhookEndpoint
from services.notifications.model.webhook_recovery import WebhookProbe, WebhookRecovery
from services.notifications.model.webhook_verification import WebhookConsent, WebhookVerification
from services.notifications.queries.webhook_endpoints import (
    endpoint_for_change,
    verification_for_change,
)
from services.notifications.use_cases.give_consent import give_consent
from services.notifications.use_cases.probe_endpoint import claim_probe, record_probe
from services.notifications.use_cases.record_handshake import hold_feed
from services.notifications.use_cases.wake_lane import hold_lane
from shared.clock import utc_now
from shared.database import Sessions
from shared.identifiers import new_id
from shared.one_time import hash_of
from tests.notifications.endpoints import Made, claim, deliveries, make_endpoint
from tests.notifications.hearing import Ears, project

WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


async def until_somebody_waits(sessions: Sessions) -> None:
    async with asyncio.timeout(10):
        while True:
            async with sessions() as session:
                if await session.scalar(text(WAITING)):
                    return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def impatient(sessions: Sessions) -> AsyncIterator[AsyncSession]:
    """A transaction that fails where it would have to wait."""
    async with sessions.begin() as session:
        await session.execute(text("SET LOCAL lock_timeout = '300ms'"))
        yield session


async def test_facts_are_queued_beside_a_sender_that_writes_down_turns(
    ears: Ears, sessions: Sessions
) -> None:
    first = await make_endpoint(sessions)
    second = await make_endpoint(sessions, ordering="entity")
    await ears.hear(project(new_id()), only="webhooks")
    assert first.id < second.id

    async with impatient(sessions) as session:
        await hold_lane(session, first.id)
        hearing = asyncio.create_task(ears.hear(project(new_id()), only="webhooks"))
        await until_somebody_waits(sessions)
        await hold_lane(session, second.id)
    await hearing

    assert len(await deliveries(sessions)) == 4


def consent_of(endpoint: Made, token: str) -> WebhookConsent:
    now = utc_now()
    return WebhookConsent(
        token_hash=hash_of(token),
        endpoint_id=endpoint.id,
        created_at=now,
        expires_at=now + timedelta(days=1),
    )


async def asked(sessions: Sessions) -> Made:
    """An endpoint whose receiver was asked, and may agree with the token `first`."""
    endpoint = await make_endpoint(sessions, is_verified=False)
    now = utc_now()
    async with sessions.begin() as session:
        session.add(consent_of(endpoint, "first"))
        session.add(
            WebhookVerification(
                endpoint_id=endpoint.id, waiting_since=now, asked_at=now, next_try_at=now
            )
        )
    return endpoint


async def agree(sessions: Sessions, endpoint: Made) -> None:
    async with sessions.begin() as session:
        await give_consent(session, endpoint.id, "first", rate=None, now=utc_now())


async def seen(sessions: Sessions, endpoint: Made) -> WebhookEndpoint:
    async with sessions() as session:
        return await session.get_one(WebhookEndpoint, endpoint.id)


async def test_a_receiver_agrees_while_it_is_asked_again(sessions: Sessions) -> None:
    endpoint = await asked(sessions)

    async with impatient(sessions) as session:
        await verification_for_change(session, endpoint.id)
        agreeing = asyncio.create_task(agree(sessions, endpoint))
        await until_somebody_waits(sessions)
        session.add(consent_of(endpoint, "second"))
        await session.flush()
    await agreeing

    assert (await seen(sessions, endpoint)).verified_at is not None


async def test_a_receiver_agrees_while_the_owner_changes_something(sessions: Sessions) -> None:
    endpoint = await asked(sessions)

    async with impatient(sessions) as session:
        await hold_feed(session, "seoul", now=utc_now())
        changing = await endpoint_for_change(session, endpoint.id)
        changing.change({"status": "paused"}, at=utc_now())
        agreeing = asyncio.create_task(agree(sessions, endpoint))
        await until_somebody_waits(sessions)
    await agreeing

    shown = await seen(sessions, endpoint)
    assert (shown.status, shown.version) == ("paused", 3)
    assert shown.verified_at is not None


async def test_what_is_cancelled_as_an_endpoint_turns_out_to_be_well_is_made_up_for(
    ears: Ears, sessions: Sessions
) -> None:
    endpoint = await make_endpoint(sessions)
    await ears.hear(project(new_id()), only="webhooks")
    [waiting] = await deliveries(sessions)
    now = utc_now()
    async with sessions.begin() as session:
        failing = await endpoint_for_change(session, endpoint.id)
        failing.disable("failing", at=now, failing_since=now - timedelta(hours=1))
        session.add(WebhookProbe(endpoint_id=endpoint.id, due_at=now))
    async with sessions.begin() as session:
        probe = await claim_probe(session, now=now)
    assert probe is not None

    async def find_well() -> None:
        async with sessions.begin() as session:
            await record_probe(session, probe, Answer(now, 20, status=204), now=now)

    async with impatient(sessions) as session:
        assert await claim(session) == []
        finding = asyncio.create_task(find_well())
        await until_somebody_waits(sessions)
    await finding

    async with sessions() as session:
        [recovery] = await session.scalars(select(WebhookRecovery))
    assert recovery.since == waiting.occurred_at
    assert recovery.expected == 1
