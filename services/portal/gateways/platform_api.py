"""The public API of the platform, asked for whoever is logged in."""

import re
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import structlog
from httpx2 import AsyncClient, HTTPError, InvalidURL
from pydantic import BaseModel, ValidationError

from services.portal.gateways.authorization_server import PlatformAway

log = structlog.get_logger(__name__)

Seen = TypeVar("Seen", bound=BaseModel)

NOT_FOUND: Final = 404
CHALLENGE_LIMIT: Final = 2_000
PARAMETER: Final = re.compile(r'([a-z_]+)="([^"\\]*)"')
SECONDS: Final = re.compile(r"[0-9]{1,9}")


class AccessRefused(Exception):
    """The access token is not taken: it has ended, or what it belonged to has."""


class LoginNeeded(Exception):
    """The access token is taken, but the login behind it is too old, or of another kind.

    Source: RFC 9470, section 3.
    """

    def __init__(self, max_age: str | None, acr_values: str | None) -> None:
        super().__init__(f"max_age {max_age}, acr_values {acr_values}")
        self.max_age = max_age
        self.acr_values = acr_values


class ApiRefused(Exception):
    """The platform understood, and says no."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code


class OfficialSeen(BaseModel):
    """A person, as they see themselves."""

    id: UUID
    function: dict[str, str]
    name: str | None = None


class Place(BaseModel):
    """Another member that the same person acts for."""

    official_id: UUID
    member: str


class Me(BaseModel):
    """Who is logged in."""

    official: OfficialSeen
    member: str
    roles: list[str]
    other_places: list[Place] = []


class Opened(BaseModel):
    """An application that is used from a browser in which somebody is logged in."""

    session_id: UUID
    name: str
    began_at: datetime


class Presence(BaseModel):
    """Where somebody is logged in."""

    id: UUID
    is_current: bool
    began_at: datetime
    ends_at: datetime
    applications: list[Opened]


class Presences(BaseModel):
    """Where somebody is logged in, newest first; the oldest of very many are left out."""

    items: list[Presence]


class MemberSeen(BaseModel):
    """A member, by the names that it has."""

    slug: str
    name: dict[str, str]


class PlatformApi:
    """Asks the API with the access token of whoever is logged in."""

    def __init__(self, http: AsyncClient, *, issuer: str) -> None:
        self._http = http
        self._base = f"{issuer}/api/v1"

    async def me(self, access_token: str) -> Me:
        """Read who somebody is.

        Raises:
            AccessRefused: the token is not taken.
            ApiRefused: the platform says no.
            PlatformAway: it does not answer as it should.
        """
        return read(Me, await self.ask("GET", "/me", access_token))

    async def member(self, slug: str, access_token: str) -> MemberSeen:
        """Read a member.

        Raises:
            AccessRefused: the token is not taken.
            ApiRefused: the platform says no.
            PlatformAway: it does not answer as it should.
        """
        return read(MemberSeen, await self.ask("GET", f"/members/{slug}", access_token))

    async def presences(self, access_token: str) -> list[Presence]:
        """Read where somebody is logged in.

        Raises:
            AccessRefused: the token is not taken.
            ApiRefused: the platform says no.
            PlatformAway: it does not answer as it should.
        """
        said = await self.ask("GET", "/me/sessions?limit=50", access_token)
        return read(Presences, said).items

    async def end_presence(self, presence_id: UUID, access_token: str) -> None:
        """End a session of somebody's in one browser, unless it is over.

        Raises:
            AccessRefused: the token is not taken.
            ApiRefused: the platform says no.
            PlatformAway: it does not answer as it should.
        """
        try:
            await self.ask("DELETE", f"/me/sessions/{presence_id}", access_token)
        except ApiRefused as refused:
            if refused.status != NOT_FOUND:
                raise

    async def end_all_presences(self, access_token: str) -> None:
        """End all sessions of somebody as the official that they are here.

        Raises:
            AccessRefused: the token is not taken.
            ApiRefused: the platform says no.
            PlatformAway: it does not answer as it should.
        """
        await self.ask("DELETE", "/me/sessions", access_token)

    async def ask(self, method: str, path: str, access_token: str) -> Any:
        """Send one request.

        Raises:
            AccessRefused: the token is not taken.
            LoginNeeded: it is, but whoever is behind it has to log in again.
            ApiRefused: the platform says no.
            PlatformAway: it does not answer as it should.
        """
        try:
            answer = await self._http.request(
                method,
                f"{self._base}{path}",
                headers={"Authorization": f"Bearer {access_token}"},
            )
            said = answer.json() if answer.content else None
        except (HTTPError, InvalidURL, ValueError) as error:
            raise PlatformAway(type(error).__name__) from error
        if answer.status_code == 401:
            raise login_needed(answer.headers.get("www-authenticate", "")) or AccessRefused
        if answer.is_success:
            return said
        if answer.is_client_error and answer.status_code != 429:
            kind = str(said.get("type", "")) if isinstance(said, dict) else ""
            raise ApiRefused(answer.status_code, kind.removeprefix("/problems/")[:100])
        raise PlatformAway(f"{path} was answered with {answer.status_code}")


def login_needed(challenge: str) -> LoginNeeded | None:
    """Read whether a challenge asks for a new login, and for which."""
    said = dict(PARAMETER.findall(challenge[:CHALLENGE_LIMIT]))
    if said.get("error") != "insufficient_user_authentication":
        return None
    max_age = said.get("max_age", "")
    return LoginNeeded(
        max_age if SECONDS.fullmatch(max_age) else None, said.get("acr_values") or None
    )


def read(kind: type[Seen], said: Any) -> Seen:
    """Read an answer.

    Raises:
        PlatformAway: it is not what was asked for.
    """
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        log.warning("platform.answer_unreadable", kind=kind.__name__, errors=error.error_count())
        raise PlatformAway(f"no {kind.__name__} was answered") from error
