"""What forms of our pages bring."""

import re
from collections.abc import Mapping
from typing import Final

from fastapi import Request

from services.portal.http.cookies import SESSION
from services.portal.http.pages import TICKET
from shared.http.browser import cookie_of, is_ticket

SLUG: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
SLUG_LIMIT: Final = 60


def is_own_form(request: Request, fields: Mapping[str, str] | None) -> bool:
    """Tell whether a form was on a page that this session was shown."""
    cookie = cookie_of(request, SESSION)
    return cookie is not None and is_ticket((fields or {}).get("ticket", ""), cookie, TICKET)


def is_slug(text: str) -> bool:
    """Tell whether this can name a member."""
    return len(text) <= SLUG_LIMIT and SLUG.fullmatch(text) is not None
