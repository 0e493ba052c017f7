"""Where somebody goes on after logging in: a page of ours, and nowhere else."""

import re
from typing import Final

PATH_LIMIT: Final = 500
LOCAL: Final = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@/%?]*")


def local_path(asked: str | None) -> str:
    """Give back a path of this host; the first page for whatever could lead elsewhere.

    Two slashes, a backslash or a control character would make another host of it in some browser.
    """
    if asked is None or len(asked) > PATH_LIMIT or not LOCAL.fullmatch(asked):
        return "/"
    return "/" if "//" in asked or asked.startswith("/session/") else asked
