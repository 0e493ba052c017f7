"""Reads that are asked most often, past the ORM's session.

For a read by key the session takes several times the processor time of all the rest. A `Question`
is compiled once, and its answers are read off the plain connection into entities which no session
can take: their rules can be asked, and what is done to them is stored nowhere.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from itertools import accumulate
from types import new_class
from typing import Any, Final, NoReturn

from sqlalchemy import PoolProxiedConnection, Select, inspect
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Mapper, Session
from sqlalchemy.orm.exc import DetachedInstanceError
from sqlalchemy.util import greenlet_spawn

DIALECT: Final = PGDialect_asyncpg()  # type: ignore[no-untyped-call]

Row = tuple[Any, ...]
Read = Callable[[Sequence[Any]], Any]
"""Makes an entity or a value of its columns in a row."""


class Question:
    """A SELECT of entities and columns whose values are named by `bindparam`.

    It cannot load relationships; whoever asks may give them to what was found. `IN` takes
    expressions, as a list of values would be spelled out each time.
    """

    def __init__(self, statement: Select[*tuple[Any, ...]]) -> None:
        self._statement = statement

    @cached_property
    def _prepared(self) -> tuple[str, list[tuple[str, Any]], list[tuple[slice, Read]]]:
        """The text, its values in order with their defaults, and how a row is read."""
        parts = [_part(described) for described in self._statement.column_descriptions]
        statement = self._statement.with_only_columns(*(c for columns, _ in parts for c in columns))
        compiled: Any = statement.compile(dialect=DIALECT)
        ends = list(accumulate(len(columns) for columns, _ in parts))
        slices = map(slice, [0, *ends], ends)
        return (
            str(compiled),
            [(name, compiled.params[name]) for name in compiled.positiontup],
            list(zip(slices, (read for _, read in parts), strict=True)),
        )

    async def asked(self, connection: Any, parameters: Mapping[str, Any]) -> list[Row]:
        """Ask on a connection of asyncpg."""
        text, names, parts = self._prepared
        values = [parameters.get(name, default) for name, default in names]
        records = await connection.fetch(text, *values)
        return [tuple([read(record[place]) for place, read in parts]) for record in records]

    async def asked_in(self, session: AsyncSession, parameters: Mapping[str, Any]) -> list[Row]:
        """Ask in the transaction of a session, which does not get to know the entities."""
        text, names, parts = self._prepared
        values = tuple([parameters.get(name, default) for name, default in names])

        def ask(session: Session) -> list[Row]:
            found = session.connection().exec_driver_sql(text, values).fetchall()
            return [tuple([read(row[place]) for place, read in parts]) for row in found]

        return await session.run_sync(ask)


def _part(described: Mapping[str, Any]) -> tuple[list[Any], Read]:
    """The columns of one thing that is selected, and how it is read from them."""
    entity = described["expr"]
    if entity is not described.get("entity"):
        process = _processor(entity)
        return [entity], lambda values: process(values[0])
    keys = tuple(inspect(entity).column_attrs.keys())
    columns = [getattr(entity, key) for key in keys]
    processors = [(key, _processor(column)) for key, column in zip(keys, columns, strict=True)]
    changed = [(key, process) for key, process in processors if process is not _as_it_is]
    kind = _of_no_session(described["entity"])

    def read(values: Sequence[Any]) -> Any:
        found = object.__new__(kind)
        loaded = found.__dict__
        loaded.update(zip(keys, values, strict=True))
        for key, process in changed:
            loaded[key] = process(loaded[key])
        return found

    return columns, read


class Held:
    """An attribute of an entity of no session.

    Its value is held by the entity, where Python finds it first. An attribute of the ORM would be
    found before that, and called each time: hundreds of times for the rules about one list.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> NoReturn:
        raise DetachedInstanceError(f"{self._name!r} of {owner.__name__} was not read.")


@cache
def _of_no_session(entity: type[Any]) -> type[Any]:
    """The same class of entities, with their rules, but without the ORM."""
    mapper: Mapper[Any] = inspect(entity)
    held = {name: Held(name) for name in mapper.attrs.keys()}  # noqa: SIM118 -- no dictionary
    unmapped = {"__abstract__": True, **held}
    return new_class(entity.__name__, (entity,), exec_body=lambda body: body.update(unmapped))


def _as_it_is(value: Any) -> Any:
    return value


def _processor(column: Any) -> Callable[[Any], Any]:
    return column.type.dialect_impl(DIALECT).result_processor(DIALECT, None) or _as_it_is


class Reading:
    """The connection of one request, taken from the pool by its first question.

    Each question is a transaction of its own.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._held: PoolProxiedConnection | None = None

    async def rows(self, question: Question, parameters: Mapping[str, Any]) -> list[Row]:
        """Ask a question; each row has its entities and values in their order."""
        if self._held is None:
            self._held = await greenlet_spawn(self._engine.sync_engine.pool.connect)
        try:
            return await question.asked(self._held.driver_connection, parameters)
        except BaseException:
            # A value that the driver cannot send leaves the database amid a statement with its
            # locks, and so may a cancellation.
            await greenlet_spawn(self._held.invalidate)
            raise

    async def end(self) -> None:
        """Give the connection back."""
        if self._held is not None:
            await greenlet_spawn(self._held.close)
