"""What browsers send to the login: forms of our own pages, and parts of addresses."""

import re
from typing import Final

from fastapi import Request

from services.members.settings import MembersSettings
from shared.http.browser import comes_from

SLUG: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
SLUG_LIMIT: Final = 60


def is_own_form(request: Request) -> bool:
    """Tell whether a page of ours sent this, and not one of somebody else."""
    settings: MembersSettings = request.app.state.settings
    return comes_from(request.headers, settings.issuer)


def is_slug(text: str) -> bool:
    """Tell whether a part of an address can name a member."""
    return len(text) <= SLUG_LIMIT and SLUG.fullmatch(text) is not None
