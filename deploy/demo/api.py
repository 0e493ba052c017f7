"""Speaks to the public API the way the system of a city does, with that city's own client."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any, Final, Literal, TypeVar

from httpx2 import AsyncClient, Limits, Response, TransportError

T = TypeVar("T")

AWAY: Final = frozenset({429, 502, 503, 504})
PATIENCE_SECONDS: Final = 30.0
NOT_YET_SECONDS: Final = 15.0
POLL_SECONDS: Final = 0.05
"""The first pause between two questions; each is longer than the one before, up to the next."""
POLL_SECONDS_MAX: Final = 0.5
TOKEN_MARGIN_SECONDS: Final = 30.0
CONNECTIONS: Final = 16


class Refused(Exception):
    """The platform understood and said no."""

    def __init__(self, response: Response) -> None:
        self.status = response.status_code
        try:
            self.problem: dict[str, Any] = response.json()
        except ValueError:
            self.problem = {"detail": response.text[:300]}
        request = response.request
        super().__init__(f"{request.method} {request.url.path}: {self.status} {self.problem}")

    @property
    def code(self) -> str:
        """Name of the broken rule, such as `member-not-active`."""
        return str(self.problem.get("type", "")).removeprefix("/problems/")


@asynccontextmanager
async def connection(url: str) -> AsyncIterator[AsyncClient]:
    """Connections to the platform, shared by all cities that this process speaks for."""
    limits = Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with AsyncClient(base_url=url, timeout=30, limits=limits, trust_env=False) as http:
        yield http


class Api(ABC):
    """Somebody who speaks for a member."""

    def __init__(self, http: AsyncClient, *, member: str) -> None:
        self.http = http
        self.member = member
        self._token = ""
        self._token_ends_at = 0.0
        self._asking = asyncio.Lock()

    async def get(self, path: str, **query: Any) -> Any:
        """Read one thing.

        Raises:
            Refused: it is not there for this member.
        """
        return _body(await self.send("GET", path, params=query or None))

    async def all_of(self, path: str, **query: Any) -> list[Any]:
        """Read a whole list, page by page."""
        items: list[Any] = []
        page = await self.get(path, limit=200, **query)
        while True:
            items += page["items"]
            if page["next"] is None:
                return items
            page = await self.get(page["next"])

    async def post(
        self,
        path: str,
        body: Any = None,
        *,
        key: str,
        version: int | Literal["*"] | None = None,
        not_yet: Collection[str] = (),
    ) -> Any:
        """Do something once, however often it is asked for with the same key.

        Args:
            path: what to post to.
            body: what to send.
            key: names the deed; the same for every attempt, also after a restart.
            version: of the thing that is changed, where it exists already; `*` for any.
            not_yet: codes of refusals that end by themselves when news has spread. A refusal
                belongs to its key for good, so each of these attempts has a key of its own.

        Raises:
            Refused: the platform said no.
        """
        deadline = time.monotonic() + NOT_YET_SECONDS
        attempt, pause = 1, POLL_SECONDS
        while True:
            headers = {"Idempotency-Key": key if attempt == 1 else f"{key}.{attempt}"}
            if version is not None:
                headers["If-Match"] = version if version == "*" else f'"{version}"'
            try:
                return _body(await self.send("POST", path, json=body, headers=headers))
            except Refused as refused:
                if refused.code not in not_yet or time.monotonic() > deadline:
                    raise
            attempt += 1
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, POLL_SECONDS_MAX)

    async def put(self, path: str, body: Any, *, version: int | Literal["*"]) -> Any:
        """Say how something is to be from now on.

        Raises:
            Refused: the platform said no.
        """
        return await self._say_how_it_is("PUT", path, body, version)

    async def patch(self, path: str, body: Any, *, version: int | Literal["*"]) -> Any:
        """Say what is to be different from now on.

        Raises:
            Refused: the platform said no.
        """
        return await self._say_how_it_is("PATCH", path, body, version)

    async def _say_how_it_is(
        self, method: str, path: str, body: Any, version: int | Literal["*"]
    ) -> Any:
        headers = {"If-Match": version if version == "*" else f'"{version}"'}
        return _body(await self.send(method, path, json=body, headers=headers))

    async def send(self, method: str, path: str, **request: Any) -> Response:
        """Send a request as this member; a part that is away for the moment is waited for."""
        headers = {**request.pop("headers", {}), "Authorization": f"Bearer {await self._bearer()}"}
        return await _patiently(self.http, method, path, headers=headers, **request)

    @abstractmethod
    async def new_token(self) -> dict[str, Any]:
        """Ask for an access token; gives the answer of the token endpoint."""

    async def _bearer(self) -> str:
        async with self._asking:
            if time.monotonic() > self._token_ends_at:
                self.take(await self.new_token())
            return self._token

    def take(self, answer: dict[str, Any]) -> None:
        """Use what a token endpoint answered from now on."""
        self._token = answer["access_token"]
        lifetime = float(answer["expires_in"])
        self._token_ends_at = time.monotonic() + lifetime - TOKEN_MARGIN_SECONDS


class CityApi(Api):
    """One member's machine."""

    def __init__(
        self, http: AsyncClient, *, member: str, client_id: str, client_secret: str
    ) -> None:
        super().__init__(http, member=member)
        self.client_id = client_id
        self._secret = client_secret

    async def new_token(self) -> dict[str, Any]:
        return await ask_for_token(
            self.http, self.client_id, self._secret, grant_type="client_credentials"
        )


async def ask_for_token(
    http: AsyncClient, client_id: str, secret: str, **question: str
) -> dict[str, Any]:
    """Ask the token endpoint.

    Raises:
        Refused: it said no.
    """
    answer: dict[str, Any] = _body(
        await _patiently(http, "POST", "/oauth/token", data=question, auth=(client_id, secret))
    )
    return answer


async def eventually(
    ask: Callable[[], Awaitable[T]], good: Callable[[T], bool], *, seconds: float
) -> T:
    """Ask again and again until the answer is good, or the time is over.

    Returns:
        The last answer, good or not.
    """
    deadline = time.monotonic() + seconds
    pause = POLL_SECONDS
    while True:
        answer = await ask()
        if good(answer) or time.monotonic() > deadline:
            return answer
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, POLL_SECONDS_MAX)


async def _patiently(http: AsyncClient, method: str, path: str, **request: Any) -> Response:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        pause = 0.2
        try:
            response = await http.request(method, path, **request)
        except TransportError:
            if time.monotonic() > deadline:
                raise
        else:
            if response.status_code not in AWAY or time.monotonic() > deadline:
                return response
            pause = float(response.headers.get("Retry-After", pause))
        await asyncio.sleep(pause)


def _body(response: Response) -> Any:
    if not response.is_success:
        raise Refused(response)
    return response.json() if response.content else None
