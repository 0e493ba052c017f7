"""Guesses that failed: how many came from where, and when that is enough."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Mapped, mapped_column

from services.members.model.base import Base


class FailedGuess(Base, kw_only=True):
    """How many came from one place since the first of them; forgotten after a while.

    The table is not logged: a crash of the database may forget it, and a flood costs the disk less.
    """

    __tablename__ = "failed_guess"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    key: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]
    ends_at: Mapped[datetime] = mapped_column(index=True)


@dataclass(frozen=True, slots=True)
class Door:
    """Somewhere that guesses can be tried; those at one door close no other.

    Attributes:
        name: of the door.
        per_source: how many may fail from one network address.
        per_name: how many may fail from there with one name, such as that of a client.
        lasts: for how long they are counted, from the first one on.
        rests: for how long it is closed before it lets somebody try whether it still must be.
    """

    name: str
    per_source: int
    per_name: int
    lasts: timedelta
    rests: timedelta = timedelta(days=1)

    def keys(self, source: str, name: str | None) -> dict[str, int]:
        """What a guess is counted under, with how many of each may fail."""
        keys = {f"{self.name} {source}": self.per_source}
        if name is not None:
            keys[f"{self.name} {source} {name}"] = self.per_name
        return keys
