"""The keys that tokens are signed with."""

import sys
from typing import TYPE_CHECKING, cast

from deploy.operations.services import service
from shared.clock import utc_now
from shared.sealing import Seals

if TYPE_CHECKING:
    from services.members.model.signing_key import SigningKey


async def rotate(*, at_once: bool) -> int:
    """Begin to replace the keys, and print those that sign next."""
    from services.members.model.signing_key import RotationUnderWay
    from services.members.settings import MembersSettings
    from services.members.use_cases.rotate_signing_keys import (
        rotate_signing_keys,
    )
    from services.members.worker import rotation_times

    members = service("members")
    soon = rotation_times(cast(MembersSettings, members.settings)).before_at_once
    seals = Seals.read(members.settings.master_keys.get_secret_value())
    async with members.database() as (_, sessions):
        try:
            async with sessions.begin() as session:
                keys = await rotate_signing_keys(
                    session, seals=seals, at_once=soon if at_once else None, now=utc_now()
                )
                lines = [_line(key) for key in keys]
        except RotationUnderWay as refusal:
            print(f"{refusal.title}. {refusal.detail}", file=sys.stderr)
            return 1
    print("\n".join(lines))
    return 0


def _line(key: "SigningKey") -> str:
    since = "" if key.activated_at is None else f", signs from {key.activated_at:%H:%M:%S} UTC"
    return f"{key.algorithm} {key.id}: {key.status}{since}"
