"""Errors of the token endpoint that Authlib does not have, or words in another way.

Authlib has no types, hence `ignore[misc]`. Names say what went wrong.
"""

from authlib.oauth2 import OAuth2Error


class MalformedRequest(OAuth2Error):  # type: ignore[misc]  # noqa: N818
    """The request cannot be read. Source: RFC 6749, section 5.2."""

    error = "invalid_request"


class WrongCredentials(OAuth2Error):  # type: ignore[misc]  # noqa: N818
    """Nobody learns whether the client is unknown or the secret is wrong."""

    error = "invalid_client"
    description = "The client is unknown, or its credentials are wrong."
    status_code = 401

    def get_headers(self) -> list[tuple[str, str]]:
        headers: list[tuple[str, str]] = super().get_headers()
        return [*headers, ("WWW-Authenticate", 'Basic realm="renkei", charset="UTF-8"')]


class GrantUnsupported(OAuth2Error):  # type: ignore[misc]  # noqa: N818
    """Authlib's own error repeats what was sent. Source: RFC 6749, section 5.2."""

    error = "unsupported_grant_type"
    description = "The grants supported are listed in the metadata of this server."


class TargetUnknown(OAuth2Error):  # type: ignore[misc]  # noqa: N818
    """Tokens are for the API of this network only. Source: RFC 8707, section 2."""

    error = "invalid_target"
    description = "The resource is not the API of this network."
