"""Who the person is that a token was issued for. Source: OpenID Connect Core, section 5.3."""

from datetime import datetime, timedelta
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.orm import Session

from services.members.http.oauth.serving import address_of, own_tokens_of
from services.members.http.oauth.tokens import OwnToken, OwnTokens, is_standing
from services.members.queries.clients import client_with_member
from services.members.queries.token_families import holder_of
from services.members.use_cases.note_identifier import note_identifier
from shared.clock import utc_now
from shared.http.dpop import ALGORITHMS, GOOD_SECONDS, Proof, WrongProof, read_proof

router = APIRouter(tags=["login"])

USERINFO_PATH: Final = "/oauth/userinfo"


class UserInfoOut(BaseModel):
    """Who the person is, as far as the token covers it."""

    sub: str
    name: str | None = None
    locale: str | None = None
    email: str | None = None


class Refused(Exception):
    """There is nothing to say about this token."""

    def __init__(self, error: str | None, status: int = 401, scheme: str = "Bearer") -> None:
        super().__init__(error)
        self.error, self.status, self.scheme = error, status, scheme

    def answer(self) -> Response:
        challenge = self.scheme
        if self.scheme == "DPoP":
            challenge += f' algs="{" ".join(ALGORITHMS)}"'
        if self.error is not None:
            comma = "," if self.scheme == "DPoP" else ""
            challenge += f'{comma} error="{self.error}"'
        body = {} if self.error is None else {"error": self.error}
        headers = {"WWW-Authenticate": challenge, "Cache-Control": "no-store"}
        return JSONResponse(body, self.status, headers)


ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    401: {"description": "`invalid_token`: it is missing or good no longer"},
    403: {"description": "`insufficient_scope`: it does not cover `openid`"},
}


@router.get(USERINFO_PATH, response_model=UserInfoOut, responses=ERRORS)
async def get_userinfo(request: Request) -> Response:
    """Say who the person is: with `profile` name and language, with `email` the address."""
    return await _answered(request)


@router.post(USERINFO_PATH, response_model=UserInfoOut, responses=ERRORS)
async def post_userinfo(request: Request) -> Response:
    """Say the same to clients that ask with POST."""
    return await _answered(request)


async def _answered(request: Request) -> Response:
    tokens = await own_tokens_of(request)
    now = utc_now()
    try:
        scheme, token = _authorization(request)
        proof = _proof(request, scheme, token)

        def answer(database: Session) -> Response:
            try:
                return _said(database, tokens, scheme, token, proof, now)
            except Refused as refused:
                return refused.answer()

        async with request.app.state.sessions.begin() as session:
            return await session.run_sync(answer)  # type: ignore[no-any-return]
    except Refused as refused:
        return refused.answer()


def _authorization(request: Request) -> tuple[str, str]:
    headers = request.headers.getlist("authorization")
    if not headers:
        raise Refused(None)
    scheme, _, token = headers[0].partition(" ")
    token = token.strip()
    if len(headers) > 1 or scheme.lower() not in ("bearer", "dpop") or not token.isascii():
        raise Refused("invalid_request", 400)
    return ("DPoP" if scheme.lower() == "dpop" else "Bearer"), token


def _proof(request: Request, scheme: str, token: str) -> Proof | None:
    try:
        proof = read_proof(
            request.headers.getlist("dpop") if scheme == "DPoP" else (),
            method=request.method,
            uri=address_of(request, USERINFO_PATH),
            token=token,
        )
    except WrongProof as error:
        raise Refused("invalid_dpop_proof", scheme="DPoP") from error
    if scheme == "DPoP" and proof is None:
        raise Refused("invalid_dpop_proof", scheme="DPoP")
    return proof


def _said(
    database: Session,
    tokens: OwnTokens,
    scheme: str,
    token: str,
    proof: Proof | None,
    now: datetime,
) -> Response:
    read = tokens.read(token)
    if read is None or read.thumbprint != (None if proof is None else proof.thumbprint):
        raise Refused("invalid_token", scheme=scheme)
    if proof is not None and not note_identifier(
        database,
        f"dpop:{proof.thumbprint}",
        proof.identifier,
        until=now + timedelta(seconds=GOOD_SECONDS),
    ):
        raise Refused("invalid_dpop_proof", scheme=scheme)
    return JSONResponse(_who(database, read, scheme, now), headers={"Cache-Control": "no-store"})


def _who(database: Session, read: OwnToken, scheme: str, now: datetime) -> dict[str, str]:
    if "openid" not in read.scopes or read.family_id is None:
        raise Refused("insufficient_scope", 403, scheme)
    holder = holder_of(database, read.family_id)
    known = client_with_member(database, read.client_id)
    if (
        holder is None
        or known is None
        or not is_standing(holder, now)
        or not known[0].may_have_tokens(known[1])
    ):
        raise Refused("invalid_token", scheme=scheme)
    official = holder.official
    said: dict[str, str | None] = {"sub": str(official.id)}
    if "profile" in read.scopes:
        said |= {"name": official.name, "locale": official.language}
    if "email" in read.scopes:
        said |= {"email": official.email}
    return {name: value for name, value in said.items() if value is not None}
