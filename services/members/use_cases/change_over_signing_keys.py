"""Use case: time lets new keys sign, and lets those go whose tokens have all expired."""

from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.signing_key import RotationTimes, SigningKey
from services.members.queries.signing_keys import keys_in_use, wait_for_turn
from services.members.use_cases.record import record_for_network

log = structlog.get_logger(__name__)


async def change_over_signing_keys(
    session: AsyncSession, now: datetime, *, times: RotationTimes
) -> bool:
    """Take the steps of a rotation that are due.

    At every moment the keys that sign have been published for some time, and every key is published
    whose tokens may still be good.

    Returns:
        That there is nothing more to do.
    """
    await wait_for_turn(session)
    keys = await keys_in_use(session)
    for key in keys:
        if key.is_to_sign(times, now):
            key.activate(at=now)
            await _note(session, "signing_key.activated", key, now)
    for key in keys:
        if key.is_to_go(keys, times, now):
            key.retire()
            await _note(session, "signing_key.retired", key, now)
    return False


async def _note(session: AsyncSession, action: str, key: SigningKey, now: datetime) -> None:
    log.info(action, key=key.id, algorithm=key.algorithm)
    await record_for_network(
        session, action=action, subject=f"signing_key:{key.id}", is_operator=False, at=now
    )
