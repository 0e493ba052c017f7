"""Errors of OAuth that Authlib does not have, or words in another way.

Authlib has no types, hence `ignore[misc]`. Names say what went wrong.
"""

from authlib.oauth2 import OAuth2Error

from services.members.http.guesses import TooManyGuesses


class MalformedRequest(OAuth2Error):  # type: ignore[misc]
    """The request cannot be read. Source: RFC 6749, section 5.2."""

    error = "invalid_request"


class WrongCredentials(OAuth2Error):  # type: ignore[misc]
    """Nobody learns whether the client is unknown or the secret is wrong."""

    error = "invalid_client"
    description = "The client is unknown, or its credentials are wrong."
    status_code = 401

    def get_headers(self) -> list[tuple[str, str]]:
        headers: list[tuple[str, str]] = super().get_headers()
        return [*headers, ("WWW-Authenticate", 'Basic realm="renkei", charset="UTF-8"')]


class SlowDown(OAuth2Error):  # type: ignore[misc]
    """Too much has failed that came from there. Source: RFC 6585, section 4.

    OAuth names no error for it; this one says that the same request may succeed later.
    """

    error = "temporarily_unavailable"
    status_code = 429

    def __init__(self, refusal: TooManyGuesses) -> None:
        super().__init__(refusal.detail)
        self.seconds = refusal.seconds

    def get_headers(self) -> list[tuple[str, str]]:
        headers: list[tuple[str, str]] = super().get_headers()
        return [*headers, ("Retry-After", str(self.seconds))]


class GrantUnsupported(OAuth2Error):  # type: ignore[misc]
    """Authlib's own error repeats what was sent. Source: RFC 6749, section 5.2."""

    error = "unsupported_grant_type"
    description = "The grants supported are listed in the metadata of this server."


class TargetUnknown(OAuth2Error):  # type: ignore[misc]
    """Tokens are for the API of this network only. Source: RFC 8707, section 2."""

    error = "invalid_target"
    description = "The resource is not the API of this network."


class ResponseTypeUnsupported(OAuth2Error):  # type: ignore[misc]
    """Authlib's own error repeats what was sent. Source: RFC 6749, section 4.1.2.1."""

    error = "unsupported_response_type"
    description = "The response_type must be code."


class RequestNotSupported(OAuth2Error):  # type: ignore[misc]
    """Parameters come as parameters, not in a signed object. Source: OpenID Connect Core, 6."""

    error = "request_not_supported"
    description = "The parameter request is not supported; parameters can be pushed (RFC 9126)."


class RegistrationNotSupported(OAuth2Error):  # type: ignore[misc]
    """Source: OpenID Connect Core, section 7.2.1."""

    error = "registration_not_supported"
    description = "The parameter registration is not supported."


class AuthenticationUnmet(OAuth2Error):  # type: ignore[misc]
    """The person cannot prove who they are in the way that is asked for.

    Source: OpenID Connect Core Error Code unmet_authentication_requirements.
    """

    error = "unmet_authentication_requirements"
    description = "The identity provider did not authenticate the person as acr_values asks."


class ProofWrong(OAuth2Error):  # type: ignore[misc]
    """Source: RFC 9449, section 5."""

    error = "invalid_dpop_proof"
    description = "The DPoP proof is missing, is for another request, or has been used before."
