"""Reads what is sent to the authorization server, before Authlib sees it.

Authlib expects a clean form: a NUL, a header that is not UTF-8 or a quote in the wrong place would
end as a fault of ours, a repeated parameter or a second set of credentials would be passed over.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote_plus

from fastapi import Request

from services.members.http.oauth.assertions import client_named_in
from services.members.http.oauth.errors import MalformedRequest, ProofWrong, WrongCredentials
from shared.http.dpop import Proof, WrongProof, read_proof

FORM: Final = "application/x-www-form-urlencoded"
FORM_LIMIT_BYTES: Final = 64 * 1024
PARAMETERS_LIMIT: Final = 100
BROKEN_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
VISIBLE: Final = re.compile(r"[\x20-\x7e]+")

QUERY_LIMIT_BYTES: Final = 16 * 1024
ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

AuthenticationMethod = Literal[
    "client_secret_basic", "client_secret_post", "private_key_jwt", "none"
]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client proves itself with."""

    method: AuthenticationMethod
    client_id: str
    secret: str = field(repr=False, default="")
    """Or the assertion that it signed."""


@dataclass(frozen=True, slots=True)
class ClientForm:
    """A request of a client that could be read."""

    parameters: dict[str, str] = field(repr=False)
    credentials: Credentials
    proof: Proof | None


async def read_client_form(request: Request, address: str, *, needs: str) -> ClientForm:
    """Read a request that a client sends by itself.

    Args:
        request: what has arrived.
        address: where to, as the outside knows it.
        needs: a parameter that cannot be left out.

    Raises:
        MalformedRequest: it is no form, too large, ambiguous or not text.
        WrongCredentials: there are none that we can check.
        ProofWrong: there is a DPoP proof, but not for this request.
    """
    parameters = await read_body(request)
    if needs not in parameters:
        raise MalformedRequest(f"The parameter {needs} is missing.")
    credentials = read_credentials(request, parameters)
    try:
        proof = read_proof(request.headers.getlist("dpop"), method="POST", uri=address)
    except WrongProof as error:
        raise ProofWrong from error
    return ClientForm(parameters, credentials, proof)


def read_query(request: Request) -> dict[str, str]:
    """Read the parameters in the address of a request.

    Raises:
        MalformedRequest: they are too many, ambiguous or not text.
    """
    query: bytes = request.scope["query_string"]
    if len(query) > QUERY_LIMIT_BYTES:
        raise MalformedRequest(f"At most {QUERY_LIMIT_BYTES} bytes are read.", status_code=414)
    return read_form(query)


async def read_body(request: Request) -> dict[str, str]:
    """Read a form.

    Raises:
        MalformedRequest: it is none, too large, ambiguous or not text.
    """
    if request.url.query:
        raise MalformedRequest("Parameters belong into the body.")
    kinds = request.headers.getlist("content-type")
    if len(kinds) != 1 or kinds[0].partition(";")[0].strip().lower() != FORM:
        raise MalformedRequest(f"The body must be {FORM}.")
    return read_form(await _body(request))


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > FORM_LIMIT_BYTES:
            raise MalformedRequest(f"At most {FORM_LIMIT_BYTES} bytes are read.", status_code=413)
    return bytes(body)


def read_form(body: bytes) -> dict[str, str]:
    """Read parameters; those without a value count as left out.

    Raises:
        MalformedRequest: not ASCII, not UTF-8 below it, not visible characters, or repeated.

    Source: RFC 6749, section 3.2 and appendix B.
    """
    if not body.isascii() or BROKEN_ESCAPE.search(body):
        raise MalformedRequest("The body is not well encoded.")
    if not body:
        return {}
    try:
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=PARAMETERS_LIMIT,
        )
    except ValueError as error:
        raise MalformedRequest("The body is not well encoded.") from error
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        raise MalformedRequest("A parameter is given more than once.")
    parameters = {name: value for name, value in parameters.items() if value}
    if not all(VISIBLE.fullmatch(text) for pair in parameters.items() for text in pair if text):
        raise MalformedRequest("A parameter has characters that none may have.")
    return parameters


def read_credentials(request: Request, parameters: dict[str, str]) -> Credentials:
    """Find out who the client says it is. Source: RFC 6749, section 2.3.

    Raises:
        MalformedRequest: there are two ways at once.
        WrongCredentials: there is none, or none that we know.
    """
    headers = request.headers.getlist("authorization")
    if len(headers) > 1:
        raise MalformedRequest("There is more than one Authorization header.")
    assertion = "client_assertion" in parameters or "client_assertion_type" in parameters
    if len(headers) + ("client_secret" in parameters) + assertion > 1:
        raise MalformedRequest("The client uses more than one way to authenticate.")
    if headers:
        credentials = _basic(headers[0])
        if parameters.get("client_id", credentials.client_id) != credentials.client_id:
            raise MalformedRequest("The client has two names.")
        return credentials
    if assertion:
        return _signed(parameters)
    if "client_id" not in parameters:
        raise WrongCredentials
    if "client_secret" not in parameters:
        return Credentials("none", parameters["client_id"])
    return Credentials("client_secret_post", parameters["client_id"], parameters["client_secret"])


def _signed(parameters: dict[str, str]) -> Credentials:
    assertion = parameters.get("client_assertion", "")
    if parameters.get("client_assertion_type") != ASSERTION:
        raise WrongCredentials
    client_id = client_named_in(assertion)
    if parameters.get("client_id", client_id) != client_id:
        raise MalformedRequest("The client has two names.")
    return Credentials("private_key_jwt", client_id, assertion)


def _basic(header: str) -> Credentials:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise WrongCredentials
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
        client_id, colon, secret = text.partition(":")
        client_id, secret = (unquote_plus(part, errors="strict") for part in (client_id, secret))
    except (binascii.Error, ValueError) as error:
        raise WrongCredentials from error
    if not colon or not VISIBLE.fullmatch(client_id) or not VISIBLE.fullmatch(secret):
        raise WrongCredentials
    return Credentials("client_secret_basic", client_id, secret)
