"""What browsers send to the login: forms of our own pages, and answers of providers."""

import hmac
import re
from hashlib import sha256
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from fastapi import Request

from services.members.settings import MembersSettings

FORM: Final = "application/x-www-form-urlencoded"
FORM_LIMIT_BYTES: Final = 64_000
QUERY_LIMIT_BYTES: Final = 8_000
FIELDS_LIMIT: Final = 20
SLUG: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
SLUG_LIMIT: Final = 60
VISIBLE: Final = re.compile(r"[\x20-\x7e]*")


def is_own_form(request: Request) -> bool:
    """Tell whether a page of ours sent this, and not one of somebody else.

    Source: Fetch Metadata Request Headers; where a browser does not send them, `Origin` decides.
    """
    settings: MembersSettings = request.app.state.settings
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    parts = urlsplit(settings.issuer)
    return request.headers.get("origin") == f"{parts.scheme}://{parts.netloc}"


def is_slug(text: str) -> bool:
    """Tell whether a part of an address can name a member."""
    return len(text) <= SLUG_LIMIT and SLUG.fullmatch(text) is not None


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
    """Read what a provider sends by way of the browser, as strictly."""
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
    # What providers explain to people may be written in any script; nothing of it is used.
    fields.pop("error_description", None)
    is_plain = all(VISIBLE.fullmatch(text) for pair in fields.items() for text in pair)
    return fields if is_plain else None
