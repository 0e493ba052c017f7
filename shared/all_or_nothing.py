"""Several changes in one transaction: all of them, or none with every reason why not."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from shared.refusals import Refusal, Unauthenticated, Unavailable

T = TypeVar("T")

ABOUT_THE_WHOLE: Final = (Unauthenticated, Unavailable)
"""Refusals that do not speak of one change among others."""


async def all_or_nothing(
    session: AsyncSession, changes: Iterable[Callable[[], Awaitable[T]]], *, keep: bool = True
) -> list[T | Refusal]:
    """Make changes one after the other, and undo all of them if any is refused.

    A change after a refused one is tried as if the refused one had not been asked for, so that
    all refusals are known at once.

    Args:
        session: in a transaction that goes on afterwards.
        changes: which hold back nothing when they refuse before they change anything.
        keep: else all is undone in any case: what would happen?

    Returns:
        What came of each, in their order. With any refusal among them nothing is changed.
    """
    savepoint = await session.begin_nested()
    outcomes: list[T | Refusal] = []
    for change in changes:
        try:
            outcomes.append(await change())
        except ABOUT_THE_WHOLE:
            raise
        except Refusal as refusal:
            outcomes.append(refusal)
    if keep and not any(isinstance(outcome, Refusal) for outcome in outcomes):
        await savepoint.commit()
    else:
        await savepoint.rollback()
    return outcomes
