"""What browsers keep and send: cookies, forms of our own pages, answers of other servers.

Every cookie has the prefix `__Host-`: it comes from this host alone, over TLS, and from no part of
it in particular. `Lax` and not `Strict`: a browser that comes back from another server must show
them.
"""

import hmac
import re
from hashlib import sha256
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from fastapi import Request, Response
from starlette.datastructures import Headers

COOKIE_LIMIT: Final = 200
FORM: Final = "application/x-www-form-urlencoded"
FORM_LIMIT_BYTES: Final = 64_000
QUERY_LIMIT_BYTES: Final = 8_000
FIELDS_LIMIT: Final = 20
VISIBLE: Final = re.compile(r"[\x20-\x7e]*")


def cookie_of(request: Request, name: str, *, limit: int = COOKIE_LIMIT) -> str | None:
    """Read a cookie, unless it is none of ours."""
    value = request.cookies.get(name, "")
    return value if 0 < len(value) <= limit and value.isascii() else None


def set_cookie(response: Response, name: str, value: str, *, seconds: int | None = None) -> None:
    """Give the browser a cookie, until it is closed or for so many seconds."""
    response.set_cookie(
        name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax"
    )


def drop_cookie(response: Response, name: str) -> None:
    response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")


def comes_from(headers: Headers, url: str) -> bool:
    """Tell whether a page below `url` made the browser send this, and not somebody else's.

    Source: Fetch Metadata Request Headers; where a browser does not send them, `Origin` decides.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    parts = urlsplit(url)
    return headers.get("origin") == f"{parts.scheme}://{parts.netloc}"


def ticket_for(cookie: str, purpose: str) -> str:
    """Make what a form must bring along, which only the pages of this browser's session show."""
    return hmac.new(cookie.encode(), purpose.encode(), sha256).hexdigest()


def is_ticket(given: str, cookie: str, purpose: str) -> bool:
    return hmac.compare_digest(given.encode(), ticket_for(cookie, purpose).encode())


async def read_fields(request: Request) -> dict[str, str] | None:
    """Read a form; nothing if it is none, too long, ambiguous or not plain text."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > FORM_LIMIT_BYTES:
            return None
    return _fields(bytes(body)) if kind == FORM else None


def read_answer(request: Request) -> dict[str, str] | None:
    """Read what another server sends by way of the browser, as strictly."""
    query: bytes = request.scope.get("query_string", b"")
    return _fields(query) if len(query) <= QUERY_LIMIT_BYTES else None


def _fields(text: bytes) -> dict[str, str] | None:
    if not text:
        return {}
    try:
        pairs = parse_qsl(
            text.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=FIELDS_LIMIT,
        )
    except ValueError:
        return None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        return None
    # What servers explain to people may be written in any script; nothing of it is used.
    fields.pop("error_description", None)
    is_plain = all(VISIBLE.fullmatch(text) for pair in fields.items() for text in pair)
    return fields if is_plain else None
