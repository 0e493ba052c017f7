"""What we ask an identity provider, and when we believe its answer.

Rules around a `fetch` that the caller gives. Of Authlib only the parts that write the request:
its client for browsers keeps verifier and nonce in the browser, forgets the older of two tabs, and
believes the provider's own list of algorithms.

Source: OpenID Connect Core 1.0, section 3.1; RFC 6749; RFC 7636; RFC 9207.
"""

from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from services.members.model.id_token import (
    LEEWAY,
    LoginRefused,
    Metadata,
    ReadKeys,
    algorithms_of,
    claims_of,
)
from services.members.model.identity_provider import IdentityProvider
from services.members.model.login_attempt import LoginAttempt
from shared.actor import STRONG
from shared.addresses import AddressNotAllowed, ensure_allowed
from shared.one_time import hash_of, new_one_time_secret

Fetch = Callable[[str, str, dict[str, str], str | None], Awaitable[tuple[int, Any]]]
"""Method, address, headers and body of a form; answers status and JSON."""

ID_TOKEN_LIMIT: Final = 32_000
SUBJECT_LIMIT: Final = 255


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where to send a browser, and what must be known when it comes back."""

    url: str = field(repr=False)
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Said:
    """Who logged in, as the provider says and we believe."""

    subject: str = field(repr=False)
    """By the claim that identifies people of this provider."""
    claims: dict[str, Any] = field(repr=False)
    """Of the id_token, and of UserInfo where the id_token is silent."""
    id_token: str = field(repr=False)
    session_id: str | None
    acr: str | None
    authenticated_at: datetime | None


def ensure_usable(provider: IdentityProvider, metadata: Metadata, *, allow_private: bool) -> None:
    """Refuse a provider that is another one, or that would lead us or a browser astray.

    Raises:
        LoginRefused: it does.
    """
    if metadata.get("issuer") != provider.issuer:
        raise LoginRefused("metadata-of-another-issuer", str(metadata.get("issuer"))[:200])
    optional = {"userinfo_endpoint", "end_session_endpoint"} & metadata.keys()
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", *sorted(optional)):
        try:
            ensure_allowed(str(metadata.get(name, "")), allow_private=allow_private)
        except AddressNotAllowed as error:
            raise LoginRefused("metadata-not-usable", f"{name}: {error}") from error


def begin(
    provider: IdentityProvider,
    metadata: Metadata,
    *,
    callback: str,
    max_age: int,
    acr_values: tuple[str, ...] = (),
    again: bool = False,
    ui_locales: str | None = None,
) -> Beginning:
    """Write the request that a browser brings to the provider.

    Args:
        provider: of the member.
        metadata: its own description of itself.
        callback: where it sends the browser back to.
        max_age: seconds since the person proved who they are, at most. It is always sent, because
            only then must a provider say when that was.
        acr_values: how the person must prove who they are.
        again: whether they must do so even if the provider remembers them.
        ui_locales: languages for its pages.

    Raises:
        LoginRefused: there is no algorithm in common.
    """
    algorithms_of(provider, metadata)
    beginning = [new_one_time_secret() for _ in range(3)]
    state, nonce, verifier = beginning
    wishes = {
        "max_age": str(max_age),
        "acr_values": " ".join(acr_values),
        "prompt": "login" if again else "",
        "ui_locales": ui_locales or "",
    }
    url = prepare_grant_uri(
        metadata["authorization_endpoint"],
        provider.client_id,
        "code",
        redirect_uri=callback,
        scope=" ".join(provider.scopes),
        state=state,
        nonce=nonce,
        code_challenge=create_s256_code_challenge(verifier),
        code_challenge_method="S256",
        **{name: value for name, value in wishes.items() if value},
    )
    return Beginning(url, state, nonce, verifier)


async def finish(
    provider: IdentityProvider,
    metadata: Metadata,
    attempt: LoginAttempt,
    answer: Mapping[str, str],
    *,
    secret: str,
    verifier: str,
    callback: str,
    longest: timedelta,
    keys: ReadKeys,
    fetch: Fetch,
    now: datetime,
) -> Said:
    """Find out who logged in.

    Args:
        provider: at which the attempt began.
        metadata: its own description of itself.
        attempt: which has been used up before.
        answer: parameters that the browser brought.
        secret: ours at this provider.
        verifier: of the attempt.
        callback: of the attempt.
        longest: how long ago a person may have proved who they are if nothing was asked.
        keys: of the provider.
        fetch: for the requests to it.
        now: when.

    Raises:
        LoginRefused: the answer is not to be believed, or is a no.
    """
    code = _code_of(provider, metadata, answer)
    token = await _redeem(provider, metadata, code, secret, verifier, callback, fetch)
    id_token = str(token["id_token"])
    claims = await claims_of(provider, metadata, id_token, keys=keys, now=now)
    _ensure_for_us(provider, claims)
    nonce = _short(claims.get("nonce")) or ""
    if not compare_digest(hash_of(nonce), attempt.nonce_hash):
        raise LoginRefused("foreign-nonce")
    authenticated_at = _ensure_fresh(attempt, claims, longest, now)
    if attempt.acr_values and claims.get("acr") not in attempt.acr_values:
        raise LoginRefused("not-strong-enough", str(claims.get("acr"))[:100])
    more = await _userinfo(metadata, token.get("access_token"), claims, fetch)
    said = more | claims  # what is signed wins
    return Said(
        subject=_subject_of(provider, said),
        claims=said,
        id_token=id_token,
        session_id=_short(claims.get("sid")),
        acr=_acr_of(provider, claims),
        authenticated_at=authenticated_at,
    )


def _code_of(provider: IdentityProvider, metadata: Metadata, answer: Mapping[str, str]) -> str:
    if answer.get("iss", provider.issuer) != provider.issuer:
        raise LoginRefused("answer-of-another-issuer")
    if metadata.get("authorization_response_iss_parameter_supported") and "iss" not in answer:
        raise LoginRefused("answer-without-issuer")
    if "error" in answer or "code" not in answer:
        raise LoginRefused("provider-refused", answer.get("error", "")[:100])
    return answer["code"]


async def _redeem(
    provider: IdentityProvider,
    metadata: Metadata,
    code: str,
    secret: str,
    verifier: str,
    callback: str,
    fetch: Fetch,
) -> dict[str, Any]:
    """Exchange the code for tokens. Source: RFC 6749, sections 2.3.1 and 4.1.3."""
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": callback,
        "code_verifier": verifier,
    }
    if provider.authentication == "client_secret_basic":
        both = f"{quote_plus(provider.client_id)}:{quote_plus(secret)}"
        headers["Authorization"] = f"Basic {b64encode(both.encode()).decode()}"
    else:
        form |= {"client_id": provider.client_id, "client_secret": secret}
    status, token = await fetch("POST", metadata["token_endpoint"], headers, urlencode(form))
    if status != 200 or not isinstance(token, dict):
        error = token.get("error") if isinstance(token, dict) else None
        raise LoginRefused("code-not-redeemed", f"{status} {error}"[:200])
    if not isinstance(token.get("id_token"), str) or len(token["id_token"]) > ID_TOKEN_LIMIT:
        raise LoginRefused("no-id-token")
    return token


def _ensure_for_us(provider: IdentityProvider, claims: Mapping[str, Any]) -> None:
    audience = claims["aud"]
    is_shared = isinstance(audience, list) and len(audience) > 1
    if claims.get("azp", None if is_shared else provider.client_id) != provider.client_id:
        raise LoginRefused("for-another-client")


def _ensure_fresh(
    attempt: LoginAttempt, claims: Mapping[str, Any], longest: timedelta, now: datetime
) -> datetime | None:
    """Give when the person proved who they are, if the provider says so.

    A clock that is ahead must not keep the login recent for longer.
    """
    at = claims.get("auth_time")
    if at is None and attempt.max_age is None:
        return None
    if not isinstance(at, int) or isinstance(at, bool):
        raise LoginRefused("not-fresh-enough")
    limit = longest if attempt.max_age is None else timedelta(seconds=attempt.max_age)
    earliest, latest = attempt.began_at - limit - LEEWAY, attempt.expires_at + LEEWAY
    if not earliest.timestamp() <= at <= latest.timestamp():
        raise LoginRefused("not-fresh-enough")
    return min(datetime.fromtimestamp(at, UTC), now)


def _acr_of(provider: IdentityProvider, claims: Mapping[str, Any]) -> str | None:
    """Give how the person proved who they are; our own word for it is for us to say."""
    acr = claims.get("acr")
    if acr in provider.strong_acr:
        return STRONG
    return None if acr == STRONG else _short(acr)


async def _userinfo(
    metadata: Metadata, access_token: Any, claims: Mapping[str, Any], fetch: Fetch
) -> dict[str, Any]:
    """Ask for what the id_token leaves out. Source: OpenID Connect Core, section 5.3."""
    if "userinfo_endpoint" not in metadata or not _is_bearer(access_token):
        return {}
    headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}
    status, more = await fetch("GET", metadata["userinfo_endpoint"], headers, None)
    if status != 200 or not isinstance(more, dict):
        return {}
    if more.get("sub") != claims["sub"]:
        raise LoginRefused("userinfo-of-somebody-else")
    if "email" in claims and more.get("email") != claims["email"]:
        # Whether it was checked is said of another address.
        more = {name: value for name, value in more.items() if name != "email_verified"}
    return more


def _is_bearer(token: Any) -> bool:
    return isinstance(token, str) and token.isascii() and token.isprintable() and " " not in token


def _subject_of(provider: IdentityProvider, said: Mapping[str, Any]) -> str:
    subject = said.get(provider.subject_claim)
    if not isinstance(subject, str) or not subject.isascii() or _short(subject) is None:
        raise LoginRefused("no-subject")
    return subject


def _short(value: Any) -> str | None:
    """Keep a word of the provider, unless it is none."""
    is_word = isinstance(value, str) and value.isprintable() and 0 < len(value) <= SUBJECT_LIMIT
    return value if is_word else None
