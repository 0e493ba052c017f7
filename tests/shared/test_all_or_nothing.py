"""Several changes in one transaction: all of them, or none with every reason why not."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.all_or_nothing import all_or_nothing
from shared.refusals import Refusal
from tests.shared.things import Place, Thing
from tests.shared.things_api import ThingAway, ThingFinished


def making(
    session: AsyncSession, title: str, refusal: Refusal | None = None
) -> Callable[[], Awaitable[str]]:
    async def make() -> str:
        session.add(Thing(title=title))
        await session.flush()
        if refusal is not None:
            raise refusal
        return title

    return make


async def titles(place: Place) -> list[str]:
    async with place.sessions() as session:
        return list(await session.scalars(select(Thing.title).order_by(Thing.title)))


async def test_all_are_made(place: Place) -> None:
    async with place.sessions.begin() as session:
        made = await all_or_nothing(session, [making(session, title) for title in "ab"])

    assert made == ["a", "b"]
    assert await titles(place) == ["a", "b"]


async def test_with_a_refusal_none_is_made_and_the_transaction_goes_on(place: Place) -> None:
    no, never = ThingFinished("No."), ThingFinished("Never.")
    async with place.sessions.begin() as session:
        outcomes = await all_or_nothing(
            session,
            [making(session, "a"), making(session, "b", no), making(session, "c", never)],
        )
        session.add(Thing(title="afterwards"))

    assert outcomes == ["a", no, never]
    assert await titles(place) == ["afterwards"]


async def test_what_is_only_tried_is_undone(place: Place) -> None:
    async with place.sessions.begin() as session:
        outcomes = await all_or_nothing(session, [making(session, "a")], keep=False)

    assert outcomes == ["a"]
    assert await titles(place) == []


async def test_what_concerns_the_whole_ends_it(place: Place) -> None:
    with pytest.raises(ThingAway):
        async with place.sessions.begin() as session:
            await all_or_nothing(
                session, [making(session, "a"), making(session, "b", ThingAway("Later."))]
            )

    assert await titles(place) == []
