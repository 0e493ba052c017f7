"""Members, officials, clients and what is issued to them, with their rules. No I/O, no clock.

Every table is known as soon as one of them is, because a foreign key must find its table whoever
asks first.
"""

from services.members.model import (
    audit,
    authorization_request,
    client,
    email_domain,
    erasure,
    failed_guess,
    identity,
    identity_provider,
    login_attempt,
    logout_notice,
    member,
    official,
    scim,
    sign_in,
    signing_key,
    token_family,
)

__all__ = [
    "audit",
    "authorization_request",
    "client",
    "email_domain",
    "erasure",
    "failed_guess",
    "identity",
    "identity_provider",
    "login_attempt",
    "logout_notice",
    "member",
    "official",
    "scim",
    "sign_in",
    "signing_key",
    "token_family",
]
