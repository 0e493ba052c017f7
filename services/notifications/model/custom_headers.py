"""Headers that the owner of an endpoint wants with every request: the key of its gateway, say."""

import re
from collections.abc import Mapping
from typing import Final

from shared.refusals import Invalid

HEADERS_MAX: Final = 20
CHARACTERS_MAX: Final = 8_000

NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
VALUE: Final = re.compile(r"[\x21-\x7e]([\t\x20-\x7e]*[\x21-\x7e])?")
"""Source: RFC 9110, section 5.5, without what is not ASCII. No line can begin in it."""

OURS: Final = frozenset(
    {
        # Of the connection, for the next hop alone. Source: RFC 9110, section 7.6.1.
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
        # What says where a request goes, what it holds, and how it is answered.
        *("host", "expect", "accept-encoding", "cookie", "user-agent"),
        *("traceparent", "tracestate"),
    }
)
OUR_PREFIXES: Final = ("webhook-", "content-")


class WebhookHeaderNotAllowed(Invalid):
    code = "webhook-header-not-allowed"
    title = "Webhooks cannot carry this header"


def ensure_headers(headers: Mapping[str, str]) -> None:
    """Refuse headers that would change what a request is, or end it early.

    Raises:
        WebhookHeaderNotAllowed: one of them would, is named twice, or there are too many.
    """
    if len(headers) > HEADERS_MAX:
        raise WebhookHeaderNotAllowed(f"There can be {HEADERS_MAX}.")
    if sum(len(name) + len(value) for name, value in headers.items()) > CHARACTERS_MAX:
        raise WebhookHeaderNotAllowed(f"Together they can have {CHARACTERS_MAX} characters.")
    seen: set[str] = set()
    for name, value in headers.items():
        if NAME.fullmatch(name) is None:
            raise WebhookHeaderNotAllowed(
                "A name has 1 to 100 letters, digits, or signs of a token."
            )
        lower = name.lower()
        if lower in OURS or lower.startswith(OUR_PREFIXES):
            raise WebhookHeaderNotAllowed(f"{name} is set by the platform alone.")
        if lower in seen:
            raise WebhookHeaderNotAllowed(f"{name} is given twice.")
        if VALUE.fullmatch(value) is None:
            # Never the value: it may be a secret.
            raise WebhookHeaderNotAllowed(
                f"The value of {name} must be one line of ASCII, without space around it."
            )
        seen.add(lower)
