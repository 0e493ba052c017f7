"""The authorization server's public keys in a service's own database.

A service that starts while the authorization server is away still knows them. Who can write there
can already change everything that the keys protect, so this opens no new door; what could harm is
an old set, such as one that comes back with a backup, and whoever reads it asks for its age.
"""

from typing import Any, cast

from sqlalchemy import Table, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import DeclarativeBase

from shared.database import Sessions


class KeptKeys:
    """One row for each address that keys have been read at; a former issuer's are never taken.

    Args:
        sessions: of the service's database.
        table: with the columns `address`, `document` and `read_at`.
        address: where the keys are published.
    """

    def __init__(self, sessions: Sessions, table: type[DeclarativeBase], address: str) -> None:
        self._sessions = sessions
        self._table = cast(Table, table.__table__)
        self._address = address

    async def keep(self, document: Any) -> None:
        """Write down what has just been read."""
        values = {"document": document, "read_at": func.now()}
        statement = insert(self._table).values(address=self._address, **values)
        async with self._sessions.begin() as session:
            await session.execute(
                statement.on_conflict_do_update(index_elements=["address"], set_=values)
            )

    async def last(self) -> tuple[Any, float] | None:
        """What was read last, and how many seconds ago by the clock of the database."""
        columns = self._table.c
        age = func.extract("epoch", func.now() - columns.read_at)
        query = select(columns.document, age).where(columns.address == self._address)
        async with self._sessions.begin() as session:
            found = (await session.execute(query)).one_or_none()
        return None if found is None else (found[0], float(found[1]))
