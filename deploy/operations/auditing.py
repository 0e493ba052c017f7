"""The audit trails of the members, followed from their beginning."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from deploy.operations.services import service

SAID: Final = {
    "changed": "entry {} is not what was written",
    "missing": "entry {} is missing",
    "inserted": "entry {} was put in",
    "moved": "entry {} is another one, which was moved there",
    "replaced": "entry {} is not the one whose hash was kept",
}

Heads = dict[str, dict[int, str]]
"""Hashes by member and by the position of their entry."""


async def verify(members: Sequence[str], kept: Heads) -> int:
    """Follow the trails of these members, or of all, and print their heads.

    Args:
        members: by their slugs; none means all.
        kept: what was printed before, and was kept where nobody who can write to the database can.
    """
    from services.members.queries.audit import (
        first_break_of,
        head_of,
        members_with_trails,
    )

    bad = 0
    async with service("members").database() as (engine, _), engine.connect() as connection:
        # All trails and their heads are looked at as they are in one moment.
        await connection.execution_options(isolation_level="REPEATABLE READ")
        async with AsyncSession(connection) as session:
            known = await members_with_trails(session)
            for member in members or sorted({*known, *kept}):
                head = await head_of(session, member)
                found = await first_break_of(session, head, kept=kept.get(member, {}))
                if found is not None:
                    said = SAID[found.kind].format(found.position)
                    print(f"{member}: {said} ({found.kind})", file=sys.stderr)
                elif member not in known:
                    print(f"{member}: there is no trail", file=sys.stderr)
                else:
                    print(f"{member} {head.length} {head.hash}")
                bad += found is not None or member not in known
    return 1 if bad else 0


def read_heads(path: Path) -> Heads:
    """Read what `verify` has printed; several outputs may follow each other in one file.

    Raises:
        ValueError: a line is none of them.
    """
    heads: Heads = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            member, length, head = line.split()
            heads.setdefault(member, {})[int(length)] = head
        except ValueError as error:
            raise ValueError(f"Line {number} is not `member length hash`.") from error
    return heads
