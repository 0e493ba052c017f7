"""The worker of the members service: it sends facts and hears none, and does what time brings."""

import sys
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.consumers.logout_teller import LogoutTeller
from services.members.gateways.logout_http import LogoutClient
from services.members.model.failed_guess import FailedGuess
from services.members.model.signing_key import RotationTimes
from services.members.settings import MembersSettings
from services.members.use_cases.change_over_signing_keys import change_over_signing_keys
from services.members.use_cases.forget_authorizations import forget_authorizations
from services.members.use_cases.forget_logins import forget_logins
from services.members.use_cases.purge_erased import purge_erased
from shared.messaging.broker import connected
from shared.messaging.erasing import forget_streamed
from shared.serving import Part, Worker, Workplace
from shared.timers import Timer, forgetting

FORGET_SECONDS: Final = 300
MARGIN_SECONDS: Final = 60


async def forget(session: AsyncSession, now: datetime) -> bool:
    return await forget_authorizations(session, now=now)


async def forget_former_logins(session: AsyncSession, now: datetime) -> bool:
    return await forget_logins(session, now=now)


WORKER: Final = Worker(
    "members",
    timers=[
        Timer("forget-authorizations", forget, every_seconds=FORGET_SECONDS),
        Timer("forget-logins", forget_former_logins, every_seconds=FORGET_SECONDS),
        Timer("forget-guesses", forgetting(FailedGuess.ends_at), every_seconds=FORGET_SECONDS),
    ],
)


def purging(settings: MembersSettings) -> Timer:
    """Take officials who have been erased out of history."""

    async def take_off(subjects: str, *, kept: str) -> int:
        # Erasing is rare: a connection of its own, for once, is simpler than one that is kept.
        async with connected(
            settings, name="members-purge", first_seconds=settings.publish_seconds
        ) as nats:
            return await forget_streamed(nats.jetstream(), "members", subjects, kept=kept)

    async def purge(session: AsyncSession, now: datetime) -> bool:
        del now
        return await purge_erased(session, forget_streamed=take_off)

    return Timer("purge-erased", purge)


def changing_over(settings: MembersSettings) -> Timer:
    """Let new signing keys take the place of former ones."""
    times = rotation_times(settings)

    async def change_over(session: AsyncSession, now: datetime) -> bool:
        return await change_over_signing_keys(session, now, times=times)

    return Timer("change-over-signing-keys", change_over)


def telling(settings: MembersSettings) -> Part:
    """Tell applications that sessions in them have ended."""

    async def tell(place: Workplace) -> None:
        async with LogoutClient(
            allow_private=settings.identity_allow_private, seconds=settings.logout_seconds
        ) as client:
            await LogoutTeller(place.sessions, settings, client).run()

    return tell


def rotation_times(settings: MembersSettings) -> RotationTimes:
    """How long the caches of all processes, and the tokens that are out, last at most."""
    # The margin is for clocks, and for answers that are on their way.
    known = settings.signing_keys_seconds + settings.token_leeway_seconds + MARGIN_SECONDS
    return RotationTimes(
        before=timedelta(seconds=settings.jwks_lifetime_seconds + known),
        before_at_once=timedelta(seconds=known),
        after={
            "ES256": timedelta(seconds=settings.access_token_seconds + known),
            # An id_token is shown again when the person leaves.
            "RS256": timedelta(seconds=settings.sign_in_seconds + known),
        },
    )


def main() -> None:
    settings = MembersSettings()
    timers = [*WORKER.timers, purging(settings), changing_over(settings)]
    parts = {"logout": telling(settings)}
    replace(WORKER, timers=timers, parts=parts).run(settings, sys.argv[1:])


if __name__ == "__main__":
    main()
