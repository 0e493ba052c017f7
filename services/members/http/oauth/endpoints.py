"""What a client can ask beside tokens: keep a request, end a session, look into a token.

Source: RFC 9126, RFC 7009, RFC 7662.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final
from uuid import UUID

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidGrantError
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from services.members.http.guesses import guard_of
from services.members.http.oauth.authorize import REQUEST_URI
from services.members.http.oauth.errors import MalformedRequest, ProofWrong
from services.members.http.oauth.forms import FORM, QUERY_LIMIT_BYTES, read_client_form
from services.members.http.oauth.grants import (
    AUTHENTICATION_METHODS,
    CONFIDENTIAL_METHODS,
    KnownClient,
)
from services.members.http.oauth.routes import CLIENT_FORM, TEXT, TokenErrorOut
from services.members.http.oauth.server import AuthorizationServer, CheckedRequest
from services.members.http.oauth.serving import checked, guarded, issuing_of, own_tokens_of
from services.members.http.oauth.tokens import OwnTokens, said_of
from services.members.model.client import Client
from services.members.queries.token_families import refresh_token_with
from services.members.use_cases.begin_authorization import PUSHED_LIFETIME, push_authorization
from services.members.use_cases.end_sessions import end_sessions_at_once
from shared.actor import Actor
from shared.one_time import hash_of

router = APIRouter(tags=["tokens"])

PAR_PATH: Final = "/oauth/par"
REVOKE_PATH: Final = "/oauth/revoke"
INTROSPECT_PATH: Final = "/oauth/introspect"
NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}
OF_CLIENTS: Final = frozenset(CLIENT_FORM) - {"client_id"}

Work = Callable[[AuthorizationServer, CheckedRequest, KnownClient], Response]


class PushedOut(BaseModel):
    """What a pushed request is named by. Source: RFC 9126, section 2.2."""

    request_uri: str
    expires_in: Annotated[int, Field(description="Seconds from now.")]


class IntrospectionOut(BaseModel):
    """What a token is good for now. Source: RFC 7662, section 2.2."""

    active: bool


ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": TokenErrorOut, "description": "`invalid_request` and what the standard names"},
    401: {"model": TokenErrorOut, "description": "`invalid_client`"},
    413: {"model": TokenErrorOut, "description": "`invalid_request`: the form is too large"},
    429: {"model": TokenErrorOut, "description": "`temporarily_unavailable`: see `Retry-After`"},
}


def form_of(*needed: str, **others: Any) -> dict[str, Any]:
    """Describe a form that a client sends."""
    properties = dict.fromkeys(needed, TEXT) | others | CLIENT_FORM
    schema = {"type": "object", "required": list(needed), "properties": properties}
    return {"requestBody": {"required": True, "content": {FORM: {"schema": schema}}}}


async def _answered(
    request: Request, path: str, needs: str, methods: list[str], work: Work
) -> Response:
    """Do something for a client that has proved who it is; what is written stays."""
    issuing = await issuing_of(request)
    try:
        form = await read_client_form(request, f"{issuing.issuer}{path}", needs=needs)
        ready = checked(request, path, form)

        def answer(database: Session) -> Response:
            server = AuthorizationServer(database, issuing, ready)
            try:
                return work(server, ready, server.authenticate_client(ready, methods, path))
            except OAuth2Error as error:
                return AuthorizationServer.answer(*error())

        async def answered() -> Response:
            async with request.app.state.sessions.begin() as session:
                return await session.run_sync(answer)  # type: ignore[no-any-return]

        return await guarded(request, form, answered, is_beginning=path == PAR_PATH)
    except OAuth2Error as error:
        return AuthorizationServer.answer(*error())


@router.post(
    PAR_PATH,
    status_code=201,
    response_model=PushedOut,
    responses=ERRORS,
    openapi_extra=form_of("response_type", redirect_uri=TEXT, scope=TEXT, code_challenge=TEXT),
)
async def post_par(request: Request) -> Response:
    """Keep the parameters of an authorization, so that they do not pass through the browser.

    They are those of `/oauth/authorize`; the browser is sent there with `client_id` and the
    `request_uri` of the answer, within 90 seconds.
    """
    response = await _answered(request, PAR_PATH, "response_type", AUTHENTICATION_METHODS, _push)
    if response.status_code == 201:
        pushed = PushedOut.model_validate_json(bytes(response.body))
        guard_of(request, "authorization", hash_of(pushed.request_uri)).proved()
    return response


def _push(server: AuthorizationServer, ready: CheckedRequest, known: KnownClient) -> Response:
    given = {name: value for name, value in ready.form.items() if name not in OF_CLIENTS}
    given["client_id"] = known.get_client_id()
    if "request_uri" in given:
        raise MalformedRequest("A request_uri cannot be pushed.")
    if sum(map(len, (*given, *given.values()))) > QUERY_LIMIT_BYTES:
        raise MalformedRequest(f"At most {QUERY_LIMIT_BYTES} bytes are kept.", status_code=413)
    key = ready.dpop_thumbprint
    if key is not None and given.setdefault("dpop_jkt", key) != key:
        raise ProofWrong
    asked = CheckedRequest("GET", ready.uri, given, now=ready.now)
    try:
        server.get_consent_grant(asked)
    except OAuth2Error as error:
        error.redirect_uri = None  # no browser is here that could be sent anywhere
        raise
    handle = push_authorization(server.database, known.get_client_id(), given, now=ready.now)
    body = PushedOut(
        request_uri=REQUEST_URI + handle, expires_in=int(PUSHED_LIFETIME.total_seconds())
    )
    return JSONResponse(body.model_dump(), 201, NO_STORE)


@router.post(
    REVOKE_PATH,
    responses=ERRORS,
    openapi_extra=form_of("token", token_type_hint=TEXT),
    response_class=Response,
)
async def post_revocation(request: Request) -> Response:
    """End the session that a token belongs to: all its tokens are refused from now on.

    Also unknown tokens are answered with 200. A machine's token has no session and runs out by
    itself, within minutes.
    """
    tokens = await own_tokens_of(request)

    def revoke(server: AuthorizationServer, ready: CheckedRequest, known: KnownClient) -> Response:
        _revoke(server.database, tokens, ready, known.client)
        return JSONResponse({}, 200, NO_STORE)

    return await _answered(request, REVOKE_PATH, "token", AUTHENTICATION_METHODS, revoke)


def _revoke(database: Session, tokens: OwnTokens, ready: CheckedRequest, client: Client) -> None:
    token = ready.form["token"]
    found = refresh_token_with(database, hash_of(token))
    read = tokens.read(token) if found is None else None
    family_id: UUID | None
    if found is not None:
        issued_to, family_id = found[1].client_id, found[1].id
    elif read is not None:
        issued_to, family_id = read.client_id, read.family_id
    else:
        return
    if issued_to != client.id:
        raise InvalidGrantError("The token was issued to another client.")
    if family_id is not None:
        end_sessions_at_once(
            database,
            now=ready.now,
            because="revoked",
            by=Actor(member=client.member, client_id=client.id),
            family_id=family_id,
        )


@router.post(
    INTROSPECT_PATH,
    response_model=IntrospectionOut,
    responses=ERRORS,
    openapi_extra=form_of("token", token_type_hint=TEXT),
)
async def post_introspection(request: Request) -> Response:
    """Say what a token is good for now, with whatever has changed since it was issued.

    A client looks into the tokens that it got, and into access tokens of its own member.
    """
    tokens = await own_tokens_of(request)

    def introspect(
        server: AuthorizationServer, ready: CheckedRequest, known: KnownClient
    ) -> Response:
        said = said_of(
            server.database, tokens, ready.form["token"], asker=known.client, now=ready.now
        )
        body = {"active": False} if said is None else {"active": True} | said
        return JSONResponse(body, 200, NO_STORE)

    return await _answered(request, INTROSPECT_PATH, "token", CONFIDENTIAL_METHODS, introspect)
