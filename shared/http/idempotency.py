"""Idempotency-Key: the same request sent again has one effect and gets the same answer.

The contract is Stripe's: same key, same answer, across replicas and restarts, also when the answer
was a refusal; another request with that key is 422, one at work with it 409. Requests that could
not be read (401, 422), lacked a precondition (428) or came too often (429), and faults (5xx) are
not remembered: sending them again tries again.

The answer is written in the transaction of the effect, so there is no moment in which one exists
without the other. What says "at work" is an advisory lock that ends with that transaction, also
when the process or the database dies. An answer that shows a secret is kept sealed.
Source: IETF draft-ietf-httpapi-idempotency-key-header.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Request, Response
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

from shared.actor import Actor
from shared.http.identity import CurrentActor
from shared.messaging.tables import RememberedAnswer
from shared.refusals import (
    Conflict,
    Invalid,
    PreconditionRequired,
    Refusal,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from shared.sealing import Seals
from shared.settings import Settings
from shared.telemetry import IDEMPOTENCY_REPLAYS

KEPT_HEADERS: Final = ("content-type", "location", "etag")


BeforeReplay = Callable[[AsyncSession, Actor], Awaitable[object]]
"""`app.state.before_replay`, where a service asks elsewhere whether the actor may still act."""


class KeyInUse(Conflict):
    code = "idempotency-key-in-use"
    title = "A request with this Idempotency-Key is at work"


class KeyReused(Invalid):
    code = "idempotency-key-reused"
    title = "This Idempotency-Key belongs to another request"


class Replay(Exception):
    """The answer has been given before; give it again."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


@dataclass(frozen=True, slots=True)
class Remembering:
    """What is needed to remember the answer of the request at work."""

    scope: str
    key: str
    fingerprint: bytes
    before_effects: AsyncSessionTransaction
    seals: Seals | None

    @property
    def place(self) -> str:
        """What a sealed answer is bound to."""
        return place_of(self.scope, self.key)


def place_of(scope: str, key: str) -> str:
    return f"remembered_answer {scope} {key}"


IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="Makes it safe to send the request again: one effect, the same answer.",
    ),
]


async def idempotent(
    request: Request, actor: CurrentActor, idempotency_key: IdempotencyKey = None
) -> None:
    await answer_again(request, actor, idempotency_key, seals=None)


async def idempotent_secret(
    request: Request, actor: CurrentActor, idempotency_key: IdempotencyKey = None
) -> None:
    settings: Settings = request.app.state.settings
    seals = Seals.read(settings.master_keys.get_secret_value())
    await answer_again(request, actor, idempotency_key, seals=seals)


async def answer_again(
    request: Request, actor: Actor, idempotency_key: str | None, *, seals: Seals | None
) -> None:
    """Answer again what was answered before; else note that the answer must be remembered.

    Raises:
        Replay: with the answer.
        KeyInUse: a request with this key is at work.
        KeyReused: the key belongs to a request with another body or address.
        Unauthenticated: the service says that the actor may not act any more.
    """
    if idempotency_key is None:
        return
    session: AsyncSession = request.state.session
    scope = f"{actor.member} {actor.reference} {request.method} {request.url.path}"
    fingerprint = await fingerprint_of(request)
    locked = await session.scalar(
        text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))"),
        {"name": f"{scope} {idempotency_key}"},
    )
    if not locked:
        raise KeyInUse("Wait for its answer, or send this again later.", members={"retry_after": 1})
    known = await session.scalar(
        select(RememberedAnswer).where(
            RememberedAnswer.scope == scope, RememberedAnswer.key == idempotency_key
        )
    )
    if known is None:
        request.state.remembering = Remembering(
            scope, idempotency_key, fingerprint, await session.begin_nested(), seals
        )
        return
    if known.fingerprint != fingerprint:
        raise KeyReused("Use a new key for a new request.")
    before_replay: BeforeReplay | None = getattr(request.app.state, "before_replay", None)
    if before_replay is not None:
        await before_replay(session, actor)
    IDEMPOTENCY_REPLAYS.inc()
    headers: dict[str, Any] = {**known.headers, "Idempotency-Replayed": "true"}
    body = known.body
    if seals is not None:
        body = seals.open(body.decode(), place=place_of(scope, idempotency_key))
    raise Replay(Response(body, known.status, headers))


async def fingerprint_of(request: Request) -> bytes:
    """What tells a repetition from another request: all that may change the answer."""
    parts = [
        request.url.query.encode(),
        request.headers.get("if-match", "").encode(),
        await request.body(),
    ]
    # The same bytes are another table in another encoding; JSON has only one.
    media_type = request.headers.get("content-type", "")
    if media_type and not media_type.startswith("application/json"):
        parts.append(media_type.encode())
    return hashlib.sha256(b"\0".join(parts)).digest()


def is_remembered(refusal: Refusal) -> bool:
    """Tell whether a refusal is the answer for good.

    It is not where the request only lacked something, or a part of the platform was away.
    """
    return not isinstance(
        refusal, Unauthenticated | PreconditionRequired | TooManyRequests | Unavailable
    )


async def remember(
    session: AsyncSession, remembering: Remembering | None, response: Response
) -> None:
    """Keep the answer, in the transaction of its effect."""
    if remembering is None:
        return
    body = bytes(response.body)
    if remembering.seals is not None:
        body = remembering.seals.seal(body, place=remembering.place).encode()
    session.add(
        RememberedAnswer(
            scope=remembering.scope,
            key=remembering.key,
            fingerprint=remembering.fingerprint,
            status=response.status_code,
            headers={
                name: response.headers[name] for name in KEPT_HEADERS if name in response.headers
            },
            body=body,
        )
    )


Idempotent = Depends(idempotent)
"""For the `dependencies` of every route that answers POST."""

IdempotentSecret = Depends(idempotent_secret)
"""The same for a route whose answer shows a secret: it is remembered, but not in clear."""
