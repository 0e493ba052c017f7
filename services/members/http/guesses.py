"""Stops whoever guesses, and nobody else.

Only what fails is counted: in one statement, after it has failed. A process remembers what is used
up, and then refuses without asking the database. Other processes learn of it from their own next
count, so each lets at most one guess more through for each request that it works at.

Source: decision record 0015.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import structlog
from fastapi import Request
from prometheus_client import Counter

from services.members.http.sources import Sources
from services.members.model.failed_guess import Door
from services.members.settings import MembersSettings
from services.members.use_cases.count_guess import count_guess
from services.members.use_cases.uncount_guess import uncount_guess
from shared.clock import utc_now
from shared.database import Sessions
from shared.refusals import TooManyRequests

log = structlog.get_logger(__name__)

GUESSES: Final = Counter("failed_guesses_total", "Guesses that failed", ("door",))
REFUSED: Final = Counter("guesses_refused_total", "Requests refused for earlier guesses", ("door",))

REMEMBERED: Final = 10_000
PROVED: Final = timedelta(hours=1)
"""How long somebody who has proved itself does not suffer for its neighbours."""

DoorName = Literal[
    "client",
    "grant",
    "authorization",
    "login",
    "refusal",
    "mail",
    "logout",
    "provisioning",
    "unfinished",
]


class TooManyGuesses(TooManyRequests):
    code = "too-many-guesses"
    title = "Too much that came from your network has failed"

    def __init__(self, seconds: int) -> None:
        super().__init__(
            f"Try again in {seconds} seconds. What succeeds is never counted.",
            members={"retry_after": seconds},
        )
        self.seconds = seconds


class Guesses:
    """What a process knows of guesses that failed."""

    def __init__(self, settings: MembersSettings) -> None:
        lasts = timedelta(seconds=settings.guess_seconds)
        many, few = settings.guesses_per_source, settings.guesses_per_name
        unfinished = settings.unfinished_per_source
        self.sources = Sources(settings.trusted_proxies)
        self.doors: dict[DoorName, Door] = {
            "client": Door("client", many, few, lasts),
            # In the morning the tokens of a whole city may have run out, behind one address.
            "grant": Door("grant", 10 * many, 10 * many, lasts),
            "authorization": Door("authorization", many, few, lasts),
            "login": Door("login", many, few, lasts),
            "mail": Door("mail", many, few, lasts),
            "refusal": Door("refusal", many, many, lasts),
            "logout": Door("logout", many, few, lasts),
            "provisioning": Door("provisioning", many, few, lasts),
            "unfinished": Door(
                "unfinished", unfinished, unfinished, lasts, rests=timedelta(seconds=10)
            ),
        }
        self._closed: dict[str, datetime] = {}
        self._proved: dict[str, datetime] = {}

    def ensure_open(self, door: Door, source: str, name: str | None, *, now: datetime) -> None:
        """Refuse what comes from where too much has failed.

        Raises:
            TooManyGuesses: from there with this name; or from there at all, unless who bears the
                name has proved itself lately.
        """
        of_source, *of_name = door.keys(source, name)
        is_proved = self._stands(self._proved, [f"{door.name} {name}"], now) is not None
        asked = of_name if is_proved else [of_source, *of_name]
        if (until := self._stands(self._closed, asked, now)) is not None:
            REFUSED.labels(door=door.name).inc()
            raise TooManyGuesses(max(1, math.ceil((until - now).total_seconds())))

    async def count(
        self, sessions: Sessions, door: Door, source: str, name: str | None, *, now: datetime
    ) -> None:
        """Count what failed."""
        GUESSES.labels(door=door.name).inc()
        allowed = door.keys(source, name)
        async with sessions() as session:
            counted = await count_guess(session, allowed, lasts=door.lasts, now=now)
        for key, (count, until) in counted.items():
            if count >= allowed[key]:
                self._remember(self._closed, key, min(until, now + door.rests), now)
                if count == allowed[key]:
                    log.warning("guesses.too_many", key=key, until=until.isoformat())

    def prove(self, door: Door, name: str, *, now: datetime) -> None:
        """Note that somebody with this name has proved itself."""
        self._remember(self._proved, f"{door.name} {name}", now + PROVED, now)

    @staticmethod
    def _stands(known: dict[str, datetime], keys: list[str], now: datetime) -> datetime | None:
        return next((known[key] for key in keys if key in known and known[key] > now), None)

    @staticmethod
    def _remember(known: dict[str, datetime], key: str, until: datetime, now: datetime) -> None:
        if len(known) >= REMEMBERED:
            for former in [former for former, end in known.items() if end <= now]:
                del known[former]
            if len(known) >= REMEMBERED:
                known.clear()  # the table still knows, and says so at the next guess
        known[key] = until


@dataclass(frozen=True, slots=True)
class Guard:
    """Watches one door for one request."""

    guesses: Guesses
    sessions: Sessions
    door: Door
    source: str
    name: str | None = None

    def ensure_open(self) -> None:
        """Refuse what comes from where too much has failed.

        Raises:
            TooManyGuesses: with this name, or, if nobody has proved to bear it, from there at all.
        """
        self.guesses.ensure_open(self.door, self.source, self.name, now=utc_now())

    async def failed(self) -> None:
        """Count this request: it guessed, and wrongly."""
        await self.guesses.count(self.sessions, self.door, self.source, self.name, now=utc_now())

    def proved(self) -> None:
        """Note that who asked has proved to be who it says it is."""
        if self.name is not None:
            self.guesses.prove(self.door, self.name, now=utc_now())

    async def ended_well(self) -> None:
        """Take off what was counted in case that it would not."""
        async with self.sessions() as session:
            await uncount_guess(session, self.door.keys(self.source, self.name))


def guard_of(request: Request, door: DoorName, name: str | None = None) -> Guard:
    """Watch a door for a request.

    Call it while no transaction is open: what it counts takes a connection of its own.

    Args:
        request: whose source counts.
        door: what is guessed at.
        name: whom, if that is said.
    """
    state = request.app.state
    guesses: Guesses = state.guesses
    return Guard(
        guesses,
        state.reading_sessions,
        guesses.doors[door],
        guesses.sources.source_of(request.scope),
        name,
    )
