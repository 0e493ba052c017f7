"""Verify a webhook of Renkei with nothing but the standard library.

python verify.py whsec_… ID TIMESTAMP SIGNATURE < body; exits with 0 if it is right.
"""

import base64
import hashlib
import hmac
import sys
import time

TOLERANCE_SECONDS = 300


def verify(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Tell whether a message is genuine and new. `body` must be the bytes as they came."""
    message, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message}.{timestamp}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    # Several signatures while secrets change, and of several versions: one that is right is enough.
    return any(
        hmac.compare_digest(f"v1,{expected}".encode(), given.encode())
        for given in headers["webhook-signature"].split()
    )


if __name__ == "__main__":
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    given_headers = dict(zip(names, sys.argv[2:5], strict=True))
    sys.exit(0 if verify(sys.argv[1], given_headers, sys.stdin.buffer.read()) else 1)
