"""Who is asking."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from shared.refusals import Forbidden


class MissingScope(Forbidden):
    code = "missing-scope"
    title = "The access token does not cover this"


@dataclass(frozen=True, slots=True)
class Actor:
    """The member on whose behalf a request runs, and who or what speaks for it.

    Exactly one of `official_id` (a person) and `client_id` (a machine of the member) did the
    asking; a person's token names the application it came through as `client_id` too, and the
    session there as `session_id`. `acr` says how the person proved who they are, and
    `authenticated_at` when.
    """

    CLOCK: ClassVar["Actor"]

    member: str
    client_id: str | None = None
    official_id: UUID | None = None
    scopes: frozenset[str] = frozenset()
    session_id: UUID | None = None
    acr: str | None = None
    authenticated_at: datetime | None = None

    @property
    def reference(self) -> str | None:
        """Name the actor in facts, such as `official:0199…` or `client:seoul-main`."""
        if self.official_id is not None:
            return f"official:{self.official_id}"
        return f"client:{self.client_id}" if self.client_id is not None else None

    def narrowed(self, scopes: Iterable[str]) -> "Actor":
        """The same actor, who may do no more than `scopes` of what the token covers."""
        return replace(self, scopes=self.scopes.intersection(scopes))

    def ensure_may(self, scope: str) -> None:
        """Refuse unless the actor's token covers `scope`.

        Raises:
            MissingScope: it does not.
        """
        if scope not in self.scopes:
            raise MissingScope(f"This needs the scope {scope!r}.", members={"scope": scope})


Actor.CLOCK = Actor(member="")
