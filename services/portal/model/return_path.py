"""Where somebody goes on after logging in: a page of ours, and nowhere else."""

import re
from typing import Final

PATH_LIMIT: Final = 500
LOCAL: Final = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@/%?]*")


def is_local(path: str) -> bool:
    """Tell whether a browser that is sent to this stays on this host.

    Two slashes, a backslash or a control character would make another host of it in some browser.
    """
    return len(path) <= PATH_LIMIT and LOCAL.fullmatch(path) is not None and "//" not in path


def local_path(asked: str | None) -> str:
    """Give back a path of this host; the first page for whatever could lead elsewhere."""
    if asked is None or not is_local(asked) or asked.startswith("/session/"):
        return "/"
    return asked
