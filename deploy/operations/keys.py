"""The keys that tokens are signed with."""

import sys

from deploy.operations.services import service
from shared.clock import utc_now
from shared.sealing import Seals


async def rotate(*, at_once: bool) -> int:
    """Begin to replace the keys, and print those that sign next."""
    from services.members.model.signing_key import RotationUnderWay
    from services.members.use_cases.rotate_signing_keys import (
        rotate_signing_keys,
    )

    members = service("members")
    seals = Seals.read(members.settings.master_keys.get_secret_value())
    async with members.database() as (_, sessions):
        try:
            async with sessions.begin() as session:
                keys = await rotate_signing_keys(
                    session, seals=seals, at_once=at_once, now=utc_now()
                )
                lines = [f"{key.algorithm} {key.id}: {key.status}" for key in keys]
        except RotationUnderWay as refusal:
            print(f"{refusal.title}. {refusal.detail}", file=sys.stderr)
            return 1
    print("\n".join(lines))
    return 0
