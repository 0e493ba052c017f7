"""Do the fault tests bite? `python -m tests.faults.mutants [NAME …]` breaks a platform to see it.

Each mutant is a copy of the source with one mistake that is easily made, and the test that must
fail because of it. The same tests are run on an unharmed copy first. Exits with 0 if the tests pass
there and every mutant is caught.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.embedded.layout import REPOSITORY

FOLDERS: Final = ("deploy", "services", "shared", "tests", "docs")
SECONDS_MAX: Final = 600


@dataclass(frozen=True)
class Edit:
    """Exact text of a file, and what comes in its place."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """A mistake, and the test that must fail because of it."""

    name: str
    edits: tuple[Edit, ...]
    caught_by: str


CONSUMER: Final = "shared/messaging/consumer.py"
RELAY: Final = "shared/messaging/relay.py"
OUTBOX: Final = "shared/messaging/outbox.py"
OPENING: Final = "deploy/operations/opening.py"
IDEMPOTENCY: Final = "shared/http/idempotency.py"
IDENTITY: Final = "shared/http/identity.py"
ROTATION: Final = "services/members/use_cases/rotate_signing_keys.py"
SESSIONS: Final = "services/members/use_cases/continue_session.py"

MUTANTS: Final = (
    Mutant(
        "acknowledged-before-the-commit",
        (
            Edit(
                CONSUMER,
                """
        try:
            with EVENT_SECONDS""",
                """
        for delivery in deliveries:
            await delivery.settle()
        try:
            with EVENT_SECONDS""",
            ),
            Edit(
                CONSUMER,
                """
            for delivery in deliveries:
                await delivery.settle()
""",
                """
""",
            ),
        ),
        "test_worst_moments.py::test_consumers_killed_before_their_commit_take_everything_in_later",
    ),
    Mutant(
        "committed-before-the-broker-confirmed",
        (
            Edit(
                RELAY,
                """
                await self.publish(rows)
        OUTBOX_PUBLISHED""",
                """
        if rows:
            await self.publish(rows)
        OUTBOX_PUBLISHED""",
            ),
        ),
        "test_worst_moments.py::test_a_relay_killed_before_the_broker_has_confirmed_loses_nothing",
    ),
    Mutant(
        "announced-after-the-commit",
        (
            Edit(
                OUTBOX,
                """
    session.add(OutboxMessage(""",
                """
    announce_later(session, OutboxMessage(""",
            ),
            Edit(
                OUTBOX,
                """
def after_each_announcement(""",
                """
def announce_later(session: AsyncSession, message: OutboxMessage) -> None:
    import asyncio

    async def write() -> None:
        async with AsyncSession(session.bind) as other, other.begin():
            other.add(message)

    def later(_: Session) -> None:
        asyncio.get_running_loop().create_task(write())

    on.listen(session.sync_session, "after_commit", later, once=True)


def after_each_announcement(""",
            ),
            # A command that ends at once would lose its own events.
            Edit(
                OPENING,
                """
    facts = {""",
                """
    await __import__("asyncio").sleep(1)
    facts = {""",
            ),
        ),
        "test_worst_moments.py::test_a_web_process_killed_before_its_commit_has_done_nothing"
        "[outbox]",
    ),
    Mutant(
        "inbox-not-written",
        (
            Edit(
                CONSUMER,
                "await enter_inbox(session, subscription.durable, events)",
                "{event.id for event in events}",
            ),
        ),
        "test_worst_moments.py"
        "::test_consumers_killed_before_they_could_acknowledge_do_nothing_twice",
    ),
    Mutant(
        "old-states-overwrite-new-ones",
        (Edit(CONSUMER, " WHERE excluded.version > {name}.version", ""),),
        "test_repeats.py::test_old_events_in_reverse_order_change_nothing",
    ),
    Mutant(
        "lost-stream-not-refilled",
        (Edit(RELAY, "refilled = await self.refill(connection)", "refilled = 0"),),
        "test_broker.py::test_a_broker_that_lost_its_disk_is_filled_again",
    ),
    Mutant(
        "given-up-in-silence",
        (
            Edit(
                CONSUMER,
                """
                if not buried:
                    session.add(letter)
""",
                """
""",
            ),
        ),
        "test_poison.py::test_rubbish_on_a_stream_is_put_aside_and_shown",
    ),
    Mutant(
        "two-relays-at-once",
        (Edit(RELAY, "SELECT pg_try_advisory_lock(hashtext('renkei.relay'))", "SELECT true"),),
        "test_replicas.py",
    ),
    Mutant(
        "answers-forgotten",
        (
            Edit(
                IDEMPOTENCY,
                "    session.add(\n        RememberedAnswer(",
                "    str(\n        RememberedAnswer(",
            ),
        ),
        "test_kills.py::test_kills_lose_nothing_and_double_nothing[web-processes]",
    ),
    Mutant(
        "keys-not-kept",
        (
            Edit(
                IDENTITY,
                """
            if not self._keys:
                await self._recall()
""",
                """
""",
            ),
        ),
        "test_tokens.py::test_others_know_who_asks_while_members_is_away_also_if_they_restart",
    ),
    Mutant(
        "signed-before-it-is-published",
        (Edit(ROTATION, "key.activate(at=now + at_once)", "key.activate(at=now)"),),
        "test_tokens.py::test_keys_are_replaced_at_once_and_no_good_token_is_refused",
    ),
    Mutant(
        "used-by-all-who-come-at-once",
        (Edit(SESSIONS, "return result.rowcount == 1", "return secret.used_at is None"),),
        "test_tokens.py"
        "::test_of_twelve_who_use_a_secret_at_once_one_gets_tokens_and_they_are_dead"
        "[authorization_code]",
    ),
)


def main(names: list[str]) -> int:
    """Run the mutants with these names, all by default."""
    unknown = set(names) - {mutant.name for mutant in MUTANTS}
    if unknown:
        sys.exit(f"No such mutants: {', '.join(sorted(unknown))}")
    chosen = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    survivors = [] if _passes_unharmed(chosen) else ["the unharmed copy does not pass"]
    for mutant in chosen:
        began = time.monotonic()
        caught = _caught(mutant)
        _say(f"{mutant.name}: {caught or 'NOT CAUGHT'} ({time.monotonic() - began:.0f} s)")
        if caught is None:
            survivors.append(mutant.name)
    _say("Every mutant is caught." if not survivors else f"Failed: {', '.join(survivors)}")
    return 1 if survivors else 0


def _passes_unharmed(chosen: list[Mutant]) -> bool:
    with tempfile.TemporaryDirectory(prefix="renkei-unharmed-") as place:
        copy = _copied(Path(place))
        finished = _run_tests(copy, [mutant.caught_by for mutant in chosen])
    _say(f"unharmed: {finished.stdout.splitlines()[-1]}")
    if finished.returncode != 0:
        _say(finished.stdout)
    return finished.returncode == 0


def _caught(mutant: Mutant) -> str | None:
    """What the test said, if it failed; nothing if it passed or could not run."""
    with tempfile.TemporaryDirectory(prefix="renkei-mutant-") as place:
        copy = _copied(Path(place))
        for edit in mutant.edits:
            source = (copy / edit.file).read_text()
            if source.count(edit.old) != 1:
                sys.exit(f"{mutant.name}: {edit.file} has changed; mend the mutant")
            (copy / edit.file).write_text(source.replace(edit.old, edit.new))
        finished = _run_tests(copy, [mutant.caught_by])
    verdict = finished.stdout.splitlines()[-1] if finished.stdout else finished.stderr
    if not re.search(r"\d+ failed", verdict) or re.search(r"\d+ error", verdict):
        _say(f"{mutant.name}: {verdict}")
        return None
    reasons = re.findall(r"^E {7}(?!AssertionError: *$)(.*)$", finished.stdout, re.MULTILINE)
    return f"caught: {reasons[0][:200]}" if reasons else "caught"


def _copied(place: Path) -> Path:
    for folder in FOLDERS:
        shutil.copytree(
            REPOSITORY / folder, place / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("pyproject.toml", "alembic.ini"):
        shutil.copy(REPOSITORY / name, place / name)
    return place


def _run_tests(copy: Path, tests: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-x", "--show-capture=no"),
            *(f"tests/faults/{test}" for test in tests),
        ],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
