"""Lists: pages by cursor, stable while things are added. Source: RFC 8288 for `Link`."""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Final, Generic, TypeVar

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel
from sqlalchemy import BigInteger, ColumnElement, Select, bindparam, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from shared.reading import Question, Reading, Row
from shared.refusals import Invalid

T = TypeVar("T")

Keys = tuple[InstrumentedAttribute[Any], ...]
"""The columns that a list is sorted by; unique together."""

QUESTIONS_MAX: Final = 400
"""So many ways to ask for a list are remembered: whoever tries all of them fills no memory."""

Coming = Callable[[Collection[str]], Select[Any]]

LIMIT_MAX: Final = 200
LIMIT: Final = bindparam("limit", type_=BigInteger())
"""So many at most, and one more, are read for a page."""


class CursorUnknown(Invalid):
    code = "cursor-unknown"
    title = "The cursor is not one that we gave out for this list"


class Page(BaseModel, Generic[T]):
    """A part of a list. `next` leads to the following part and is null on the last one."""

    items: list[T]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a list the client wants."""

    limit: int
    cursor: str | None

    async def fetch(
        self,
        session: AsyncSession,
        query: Select[T],
        *keys: InstrumentedAttribute[Any],
        descending: bool = False,
    ) -> tuple[Sequence[T], str | None]:
        """Run `query` for this part, in the order of `keys`, which together must be unique.

        Returns:
            The entities, and the cursor of the next part, if there is one.

        Raises:
            CursorUnknown: the cursor was not made by this list.
        """
        after = _decode(self.cursor, keys, descending) if self.cursor is not None else None
        query = _in_order(query, keys, after, descending=descending).limit(self.limit + 1)
        found = (await session.scalars(query)).all()
        return _cut(found, self.limit, lambda entity: _encode(entity, keys, descending))


class Listing:
    """A list that can be filtered and sorted; each way to ask for it is compiled once.

    Args:
        statement: of entities and what belongs to each of them; the entity comes first.
        filters: by name; each holds a `bindparam` of that name.
        sorts: by name the columns to sort by, unique together; `-name` is the other way round.
    """

    def __init__(
        self,
        statement: Select[Any],
        *,
        filters: Mapping[str, ColumnElement[bool]],
        sorts: Mapping[str, Keys],
    ) -> None:
        self._statement = statement
        self._filters = filters
        self._sorts = sorts
        self._questions: dict[tuple[frozenset[str], str, bool], Question] = {}

    async def read(
        self,
        reading: Reading,
        paging: Paging,
        *,
        sort: str,
        filters: Mapping[str, Any],
        parameters: Mapping[str, Any],
    ) -> tuple[Sequence[Row], str | None]:
        """Read the part that the client wants. A filter that is nothing filters nothing.

        Returns:
            The rows, and the cursor of the next part, if there is one.

        Raises:
            CursorUnknown: the cursor was not made by this list.
        """
        keys, descending = self._keys(sort)
        values = {name: value for name, value in filters.items() if value is not None}
        question = self._question(frozenset(values), sort, paging.cursor is not None)
        if paging.cursor is not None:
            after = _decode(paging.cursor, keys, descending)
            values |= {f"after_{key.key}": each for key, each in zip(keys, after, strict=True)}
        found = await reading.rows(question, {**parameters, **values, "limit": paging.limit + 1})
        return _cut(found, paging.limit, lambda row: _encode(row[0], keys, descending))

    def _keys(self, sort: str) -> tuple[Keys, bool]:
        return self._sorts[sort.removeprefix("-")], sort.startswith("-")

    def _question(self, given: frozenset[str], sort: str, is_continued: bool) -> Question:
        asked = (given, sort, is_continued)
        if asked not in self._questions:
            keys, descending = self._keys(sort)
            after = tuple_(*(bindparam(f"after_{key.key}", type_=key.type) for key in keys))

            def coming(names: Collection[str]) -> Select[Any]:
                query = self._statement.where(*(self._filters[name] for name in sorted(names)))
                return _in_order(
                    query, keys, after if is_continued else None, descending=descending
                )

            if len(self._questions) >= QUESTIONS_MAX:
                del self._questions[next(iter(self._questions))]
            query = self.found_by(given, coming, keys, descending=descending)
            self._questions[asked] = Question(query.limit(LIMIT))
        return self._questions[asked]

    def found_by(
        self, given: frozenset[str], coming: Coming, keys: Keys, *, descending: bool
    ) -> Select[Any]:
        """How to find what all of the given filters match; a list may know a faster way.

        Args:
            given: names of the filters.
            coming: selects, in order from the cursor on, what some filters match.
            keys: the columns of that order.
            descending: the other way round.
        """
        del keys, descending
        return coming(given)


def _in_order(query: Select[T], keys: Keys, after: Any, *, descending: bool) -> Select[T]:
    """Sort by `keys`, and leave out all up to `after`."""
    if after is not None:
        row = tuple_(*keys)
        query = query.where(row < after if descending else row > after)
    return query.order_by(*(key.desc() if descending else key.asc() for key in keys))


def _cut(
    found: Sequence[T], limit: int, cursor_after: Callable[[T], str]
) -> tuple[Sequence[T], str | None]:
    """Take off the one that only told that there is more."""
    if len(found) <= limit:
        return found, None
    return found[:limit], cursor_after(found[limit - 1])


CHECKSUM_BYTES: Final = 4
WHOLE_MAX: Final = 2**63 - 1


def _encode(entity: Any, keys: Keys, descending: bool) -> str:
    values = [getattr(entity, key.key) for key in keys]
    written = [v.isoformat() if isinstance(v, date) else str(v) for v in values]
    text = json.dumps([_order(keys, descending), *written]).encode()
    return urlsafe_b64encode(_checksum(text) + text).decode().rstrip("=")


def _decode(cursor: str, keys: Keys, descending: bool) -> tuple[Any, ...]:
    try:
        decoded = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        checksum, text = decoded[:CHECKSUM_BYTES], decoded[CHECKSUM_BYTES:]
        if checksum != _checksum(text):
            raise CursorUnknown("It is not as it was given out.")
        order, *written = json.loads(text)
        if order != _order(keys, descending):
            raise CursorUnknown("It belongs to another list, or to another order of this one.")
        return tuple(
            _read(value, key.type.python_type) for value, key in zip(written, keys, strict=True)
        )
    except (NotBase64, ValueError, TypeError, RecursionError) as error:
        raise CursorUnknown("It cannot be read.") from error


def _order(keys: Keys, descending: bool) -> str:
    names = [key.key for key in keys]
    return " ".join([keys[0].class_.__name__, *names, "down" if descending else "up"])


def _checksum(text: bytes) -> bytes:
    """Notice slips, not intent: whoever makes up a cursor sees no more than by paging there."""
    return hashlib.blake2s(text, digest_size=CHECKSUM_BYTES).digest()


def _read(value: Any, kind: type) -> Any:
    if not isinstance(value, str) or "\0" in value:
        raise TypeError("not a string")
    value.encode()  # lone surrogates raise ValueError
    if kind is datetime:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("no offset")
        return moment
    if kind is date:
        return date.fromisoformat(value)
    if kind is int and not -WHOLE_MAX <= int(value) <= WHOLE_MAX:
        raise ValueError("too large")
    return kind(value)


async def paging(
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="At most this many.")] = 50,
    cursor: Annotated[
        str | None, Query(max_length=500, description="`next` of the page before.")
    ] = None,
) -> Paging:
    return Paging(limit, cursor)


CurrentPaging = Annotated[Paging, Depends(paging)]


def page(request: Request, response: Response, items: list[T], cursor: str | None) -> Page[T]:
    """Answer a part of a list, with the address of the next one in body and `Link`."""
    if cursor is None:
        return Page(items=items)
    url = request.url.include_query_params(cursor=cursor)
    following = f"{url.path}?{url.query}"
    response.headers["Link"] = f'<{following}>; rel="next"'
    return Page(items=items, next=following)
