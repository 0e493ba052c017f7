"""What an access token may cover: a closed list."""

from typing import Final, Literal, get_args

Scope = Literal[
    "members:read",
    "members:write",
    "network:write",
    "projects:read",
    "projects:contribute",
    "projects:write",
    "notifications:read",
    "notifications:write",
]

SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
"""In the order in which they are always shown."""

IDENTITY_SCOPES: Final = ("openid", "profile", "email")
"""Who the person is, for the application that they log in to. Source: OpenID Connect Core, 5.4."""

SECRETARIAT: Final[Scope] = "network:write"
"""Running the network: for clients of the host alone."""
