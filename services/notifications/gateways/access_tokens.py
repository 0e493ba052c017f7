"""Access tokens that receivers want to see, from their own authorization servers.

A token is used until shortly before it ends. Whoever needs one while it is asked for waits for the
same answer, so that a slow authorization server is asked once.
Source: RFC 6749, section 4.4; RFC 6750, section 2.1.
"""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_token_request

from services.notifications.model.authentication import ClientCredentials

KNOWN_MAX: Final = 5_000
USUAL_SECONDS: Final = 300
"""How long a token is used whose server does not say how long it is good."""

LEEWAY_SECONDS: Final = 30
LONGEST_SECONDS: Final = 86_400
TOKEN: Final = re.compile(r"[\x21-\x7e]{1,8000}")
"""What can stand in a header. A server that gives anything else must not end it."""


class TokenRefused(Exception):
    """The authorization server gives no token that we can use."""


Fetch = Callable[[str, dict[str, str], str], Awaitable[tuple[int, Any]]]
"""Posts a form to an address, and gives the status and the JSON of the answer.

It raises `TokenRefused` where there is no answer that can be read.
"""


@dataclass(frozen=True, slots=True)
class Known:
    token: str = field(repr=False)
    until: float


class AccessTokens:
    """Tokens of one process, by what they are got with."""

    def __init__(self, fetch: Fetch, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._known: OrderedDict[ClientCredentials, Known] = OrderedDict()
        self._asking: dict[ClientCredentials, asyncio.Task[str]] = {}

    async def token(self, credentials: ClientCredentials) -> str:
        """Get a token that is good for a while yet.

        Raises:
            TokenRefused: there is none to be had.
        """
        known = self._known.get(credentials)
        if known is not None and known.until > self._clock():
            self._known.move_to_end(credentials)
            return known.token
        asking = self._asking.get(credentials)
        if asking is None:
            asking = asyncio.create_task(self._ask(credentials))
            self._asking[credentials] = asking
            asking.add_done_callback(lambda done: self._answered(credentials, done))
        return await asyncio.shield(asking)

    def forget(self, credentials: ClientCredentials, token: str) -> None:
        """Use this token no longer: the receiver does not take it. A newer one stays."""
        known = self._known.get(credentials)
        if known is not None and known.token == token:
            del self._known[credentials]

    def _answered(self, credentials: ClientCredentials, done: asyncio.Task[str]) -> None:
        del self._asking[credentials]
        if not done.cancelled():
            done.exception()  # whoever waited has it; where all have gone, nobody need know

    async def _ask(self, credentials: ClientCredentials) -> str:
        wanted = {"scope": credentials.scope, "audience": credentials.audience}
        _, headers, body = ClientAuth(credentials.client_id, credentials.client_secret).prepare(
            "POST",
            credentials.token_url,
            {
                "Accept": "application/json",
                "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8",
            },
            prepare_token_request(
                "client_credentials", **{name: value for name, value in wanted.items() if value}
            ),
        )
        status, answer = await self._fetch(credentials.token_url, headers, body)
        token, seconds = read_answer(status, answer)
        self._known[credentials] = Known(token, self._clock() + seconds)
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        return token


def read_answer(status: int, answer: Any) -> tuple[str, float]:
    """Read a token, and how many seconds it can be used.

    Raises:
        TokenRefused: there is none, or none that can be shown to anybody.
    """
    if status != 200 or not isinstance(answer, dict):
        raise TokenRefused(f"answered with {status}")
    token, kind = answer.get("access_token"), answer.get("token_type")
    if not isinstance(token, str) or TOKEN.fullmatch(token) is None:
        raise TokenRefused("no token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise TokenRefused("a token of another type")
    lifetime = answer.get("expires_in")
    if isinstance(lifetime, bool) or not isinstance(lifetime, int | float) or not lifetime > 0:
        lifetime = USUAL_SECONDS
    lifetime = min(lifetime, LONGEST_SECONDS)
    return token, max(lifetime - LEEWAY_SECONDS, lifetime / 2)
