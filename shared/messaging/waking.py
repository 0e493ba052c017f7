"""Hints after a commit that others may look for what is new, in this process and in the others.

A transaction leaves a sign in `session.info`; whoever waits for that sign is called once the
transaction is committed. `WAKES` is the sign that other processes of the service should hear of,
too: they get `wake.<service>` of core NATS. Nothing depends on a hint: who waits looks by itself
after a moment, and losing one costs that moment.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn

from nats.aio.client import Client
from nats.errors import Error as NatsError
from sqlalchemy import event as on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

WAKES: Final = "wakes"
WAKE_SECONDS: Final = 0.002
"""Hints that follow each other faster are one."""

_CALLED: Final[dict[str, list[Callable[[], None]]]] = {}


def wake_others(session: AsyncSession | Session) -> None:
    """Let every process of the service look, once the transaction is committed."""
    session.info[WAKES] = True


def after_each_commit_with(sign: str, call: Callable[[], None]) -> Callable[[], None]:
    """Call back, in this process, after each commit of a transaction that left a sign.

    Returns:
        What ends it.
    """
    _CALLED.setdefault(sign, []).append(call)
    return lambda: _CALLED[sign].remove(call)


@on.listens_for(Session, "after_commit")
def committed(session: Session) -> None:
    if not session.info or session.in_nested_transaction():
        return  # after a savepoint whoever looks would find nothing
    for sign, calls in _CALLED.items():
        # Taken off for all who wait for it: they are called once for each transaction.
        if session.info.pop(sign, False):
            for call in [*calls]:
                call()


async def tell_others(nats: Client, service: str, hints: asyncio.Event) -> NoReturn:
    """Pass on hints to every process of the service, at most every two milliseconds."""
    while True:
        await hints.wait()
        hints.clear()
        if nats.is_connected:
            with suppress(NatsError):  # only a hint
                await nats.publish(f"wake.{service}")
        await asyncio.sleep(WAKE_SECONDS)
