"""Use case: the operator replaces the keys that tokens are signed with."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.signing_key import RotationUnderWay, SigningKey
from services.members.queries.signing_keys import keys_in_use, wait_for_turn
from services.members.use_cases.read_signing_keys import ALGORITHMS, new_signing_key
from services.members.use_cases.record import record_for_network
from shared.sealing import Seals


async def rotate_signing_keys(
    session: AsyncSession, *, seals: Seals, at_once: timedelta | None, now: datetime
) -> Sequence[SigningKey]:
    """Make a key for each algorithm, which is published now and signs once all services know it.

    `change_over_signing_keys` takes the steps that follow.

    Args:
        session: of the database.
        seals: what keys are sealed with.
        at_once: sign with the new keys after this time already, also with those that a rotation
            under way has brought: `RotationTimes.before_at_once`. Whoever has not read them by then
            must fetch them first.
        now: when.

    Returns:
        The keys that sign next.

    Raises:
        RotationUnderWay: the keys that sign next are there already.
    """
    await wait_for_turn(session)
    rows = await keys_in_use(session)
    coming = [row for row in rows if row.status == "next"]
    if coming and at_once is None:
        raise RotationUnderWay(f"It began at {coming[0].created_at.isoformat()}.")
    if not coming:
        signing = {row.algorithm for row in rows}
        for algorithm in ALGORITHMS:
            key = new_signing_key(seals, now, algorithm)
            if algorithm in signing:  # else there is nothing to be replaced
                key.status = "next"
            coming.append(key)
        session.add_all(coming)
    for key in coming:
        if at_once is not None and key.status == "next":
            key.activate(at=now + at_once)
        await record_for_network(
            session,
            action="signing_key.replaced",
            subject=f"signing_key:{key.id}",
            is_operator=True,
            at=now,
        )
    return coming
