"""Who is asking."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final
from uuid import UUID

from shared.refusals import Forbidden, Unauthenticated

LEEWAY: Final = timedelta(seconds=60)
"""May lie between the moment in which a login was just young enough, at the authorization server,
and the request that needs it: for the code, the token, and clocks that differ."""

STRONG: Final = "urn:renkei:mfa"
"""`acr` of a person whose provider asked for a second factor."""


class MissingScope(Forbidden):
    code = "missing-scope"
    title = "The access token does not cover this"


@dataclass(frozen=True, slots=True)
class LoginDemand:
    """What must be true of a person's login, for what nobody may do behind their back."""

    max_age: timedelta | None = None
    acr_values: tuple[str, ...] = ()
    """Ways to prove who one is, of which any will do; none stands for all."""


ANY_LOGIN: Final = LoginDemand()


class InsufficientUserAuthentication(Unauthenticated):
    """The token is good, but the login behind it is not what is needed.

    Source: RFC 9470, section 3.
    """

    code = "insufficient-user-authentication"
    title = "A new login is needed"

    def __init__(self, demand: LoginDemand) -> None:
        """Ask for a login that meets `demand`."""
        needs, members = [], dict[str, Any]()
        if demand.max_age is not None:
            members["max_age"] = int(demand.max_age.total_seconds())
            needs.append(f"at most {members['max_age']} seconds old")
        if demand.acr_values:
            members["acr_values"] = " ".join(demand.acr_values)
            needs.append(f"of the kind {' or '.join(demand.acr_values)}")
        detail = f"This needs a login that is {' and '.join(needs)}."
        super().__init__(detail, members=members)


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

    def ensure_logged_in(self, demand: LoginDemand, *, at: datetime) -> None:
        """Refuse a person whose login does not meet `demand`.

        A machine proves who it is for each token, and nobody can take its seat: it passes.

        Raises:
            InsufficientUserAuthentication: it is too old, or of another kind.
        """
        if self.official_id is None:
            return
        is_old = demand.max_age is not None and (
            self.authenticated_at is None or at - self.authenticated_at > demand.max_age + LEEWAY
        )
        is_weak = bool(demand.acr_values) and self.acr not in demand.acr_values
        if is_old or is_weak:
            raise InsufficientUserAuthentication(demand)


Actor.CLOCK = Actor(member="")
