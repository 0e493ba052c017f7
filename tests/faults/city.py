"""A city's machine: it sends each write until it knows what came of it, and keeps a journal."""

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from httpx2 import AsyncClient, Limits, Response, TransportError

Verdict = Literal["accepted", "refused", "unknown"]

ACCEPTED: Final = frozenset({200, 201, 204})
AWAY: Final = frozenset({429, 502, 503, 504})
KEY_IN_USE: Final = "idempotency-key-in-use"
STALE: Final = frozenset({409, 412})
GONE: Final = frozenset({404, 409, 412})
PATIENCE_SECONDS: Final = 45.0
PAUSE_SECONDS: Final = 0.2
TOKEN_MARGIN_SECONDS: Final = 30.0

ENTITIES: Final = {
    "projects": ("projects", "project"),
    "participations": ("projects", "participation"),
    "milestones": ("projects", "milestone"),
    "objectives": ("projects", "objective"),
    "comments": ("projects", "comment"),
    "members": ("members", "member"),
    "officials": ("members", "official"),
    "clients": ("members", "client"),
    "inbox": ("notifications", "inbox_item"),
    "webhook-endpoints": ("notifications", "webhook_endpoint"),
}
"""By collection: who owns its things, and what events call them."""

NAMED_BY_SLUG: Final = frozenset({"member", "objective"})


class StoryEnds(Exception):
    """Something went otherwise than the story needs, or its time is over."""


@dataclass(frozen=True)
class Attempt:
    """One request on the wire. `status` is 0 where the connection gave no answer."""

    status: int
    seconds: float
    code: str = ""


@dataclass
class Write:
    """Something that a city wanted to be done, and what it knows of it."""

    member: str
    client_id: str
    method: str
    path: str
    body: Any
    key: str | None
    if_match: int | None
    attempts: list[Attempt] = field(default_factory=list)
    verdict: Verdict = "unknown"
    answer: Any = None
    replayed: bool = False

    @property
    def publisher(self) -> str:
        return ENTITIES[self._collection][0]

    @property
    def entity(self) -> str:
        return ENTITIES[self._collection][1]

    @property
    def subject(self) -> str:
        """Identifies the entity that was written."""
        if self.answer is None:
            return self.path.rpartition("/")[2]
        return str(self.answer["slug" if self.entity in NAMED_BY_SLUG else "id"])

    @property
    def version(self) -> int:
        """Of the entity, after the write."""
        if self.answer is None:
            assert self.if_match is not None
            return self.if_match + 1
        return int(self.answer["version"])

    @property
    def _collection(self) -> str:
        """The last collection in the path, except that contributions belong to milestones."""
        return [part for part in self.path.split("/") if part in ENTITIES][-1]


@dataclass
class Journal:
    """What all cities wrote.

    Attributes:
        surprises: answers that no story explains.
    """

    writes: list[Write] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)

    def of(self, verdict: Verdict) -> list[Write]:
        return [write for write in self.writes if write.verdict == verdict]


class City:
    """Acts for one member with its own access tokens."""

    def __init__(
        self, http: AsyncClient, journal: Journal, *, member: str, client_id: str, secret: str
    ) -> None:
        self.http = http
        self.journal = journal
        self.member = member
        self.client_id = client_id
        self.coordinator = ""
        self._secret = secret
        self._token = ""
        self._token_ends_at = 0.0
        self._asking = asyncio.Lock()

    async def read(self, path: str, **query: Any) -> Any:
        """Read one thing or one page, however long it takes until somebody answers."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            response, attempt = await self._send("GET", path, params=query)
            if response is not None and response.status_code == 200:
                return response.json()
            if time.monotonic() > deadline or attempt.status not in {0, *AWAY}:
                self.journal.surprises.append(f"{self.member} GET {path}: {attempt}")
                raise StoryEnds
            await asyncio.sleep(PAUSE_SECONDS)

    async def write(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        if_match: int | None = None,
        expected: Collection[int] = ACCEPTED,
    ) -> Any:
        """Do something once, and find out whether it was done.

        Args:
            method: how.
            path: to what.
            body: with what.
            key: the same for each attempt; without one only what certainly did not arrive is
                sent again.
            if_match: version that the city has read.
            expected: the answers that the story can go on with.

        Returns:
            What the platform answered, if that was a success.

        Raises:
            StoryEnds: it was no success.
        """
        write = Write(self.member, self.client_id, method, path, body, key, if_match)
        self.journal.writes.append(write)
        return await self.finish(write, expected)

    async def finish(self, write: Write, expected: Collection[int] = ACCEPTED) -> Any:
        """Send a write until its outcome is known or patience ends."""
        response = await self._until_answered(write)
        write.replayed = response.headers.get("Idempotency-Replayed") == "true"
        if response.status_code in ACCEPTED:
            write.verdict = "accepted"
            write.answer = response.json() if response.content else None
        elif write.method == "DELETE" and response.status_code in GONE:
            # The edge repeats what it got no answer to: this may have been done at the first time.
            raise StoryEnds
        else:
            write.verdict = "refused"
        if response.status_code not in expected:
            self.journal.surprises.append(
                f"{write.member} {write.method} {write.path} (attempts"
                f" {[each.status for each in write.attempts]}): {response.text[:300]}"
            )
        if write.verdict != "accepted":
            raise StoryEnds
        return write.answer

    async def _until_answered(self, write: Write) -> Response:
        headers = {}
        if write.key is not None:
            headers["Idempotency-Key"] = write.key
        if write.if_match is not None:
            headers["If-Match"] = f'"{write.if_match}"'
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            response, attempt = await self._send(
                write.method, write.path, json=write.body, headers=headers
            )
            write.attempts.append(attempt)
            if response is not None and not self._must_ask_again(attempt):
                return response
            if write.key is None or time.monotonic() > deadline:
                # Without a key: did it arrive? Sending it again could do it twice.
                raise StoryEnds
            await asyncio.sleep(PAUSE_SECONDS)

    @staticmethod
    def _must_ask_again(attempt: Attempt) -> bool:
        return attempt.status in AWAY or attempt.code == KEY_IN_USE

    async def _send(
        self, method: str, path: str, **request: Any
    ) -> tuple[Response | None, Attempt]:
        began = time.monotonic()
        try:
            headers = request.pop("headers", {}) | {
                "Authorization": f"Bearer {await self.bearer()}"
            }
            began = time.monotonic()
            response = await self.http.request(method, path, headers=headers, **request)
        except TransportError:
            return None, Attempt(0, time.monotonic() - began)
        return response, Attempt(response.status_code, time.monotonic() - began, code_of(response))

    async def bearer(self) -> str:
        """An access token that is good for some time."""
        async with self._asking:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while time.monotonic() > self._token_ends_at:
                try:
                    response = await self.http.post(
                        "/oauth/token",
                        data={"grant_type": "client_credentials"},
                        auth=(self.client_id, self._secret),
                    )
                except TransportError:
                    response = None
                if response is not None and response.is_success:
                    answer = response.json()
                    self._token = answer["access_token"]
                    lifetime = float(answer["expires_in"])
                    self._token_ends_at = time.monotonic() + lifetime - TOKEN_MARGIN_SECONDS
                elif response is not None and response.status_code not in AWAY:
                    raise AssertionError(f"no token for {self.member}: {response.text[:300]}")
                elif time.monotonic() > deadline:
                    raise StoryEnds
                else:
                    await asyncio.sleep(PAUSE_SECONDS)
            return self._token


def code_of(response: Response) -> str:
    """Name of the broken rule, such as `version-stale`; nothing for a success."""
    if response.is_success:
        return ""
    try:
        return str(response.json()["type"]).removeprefix("/problems/")
    except (ValueError, KeyError):
        return "no-problem"


def connection(url: str) -> AsyncClient:
    """Connections to the platform for all cities; patience is the cities' own business."""
    limits = Limits(max_connections=64, max_keepalive_connections=64)
    return AsyncClient(base_url=url, timeout=20, limits=limits, trust_env=False)
