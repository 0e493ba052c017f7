"""What a provider's claims say about a person, as far as we take it from there."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from services.members.model.identity_provider import IdentityProvider
from services.members.model.official import ROLES
from shared.contracts.members import Role
from shared.fields import Email, LanguageTag, Line

EMAIL: Final[TypeAdapter[str]] = TypeAdapter(Email)
LINE: Final[TypeAdapter[str]] = TypeAdapter(Line)
LANGUAGE: Final[TypeAdapter[str]] = TypeAdapter(LanguageTag)


def verified_email_of(claims: Mapping[str, Any]) -> str | None:
    """Give the mail address that the provider has checked; its word must be `true`, not text."""
    return _valid(EMAIL, claims.get("email")) if claims.get("email_verified") is True else None


def name_of(claims: Mapping[str, Any]) -> str | None:
    return _valid(LINE, claims.get("name"))


def language_of(claims: Mapping[str, Any]) -> str:
    return _valid(LANGUAGE, claims.get("locale")) or "en"


def domain_of(email: str) -> str:
    return email.rpartition("@")[2].lower()


def roles_of(provider: IdentityProvider, claims: Mapping[str, Any]) -> tuple[Role, ...] | None:
    """Give the roles that the provider's groups stand for.

    Returns:
        Nothing if the member does not keep roles there, or the provider is silent about groups,
        which is not the same as a person who is in none.
    """
    if provider.roles_claim is None or not provider.role_of_group:
        return None
    groups = _at(claims, provider.roles_claim)
    if isinstance(groups, str):
        groups = [groups]
    if not isinstance(groups, list):
        return None
    found = {provider.role_of_group.get(group) for group in groups if isinstance(group, str)}
    return tuple(role for role in ROLES if role in found)


def _at(claims: Mapping[str, Any], name: str) -> Any:
    """Find a claim by its name, or by a path such as `realm_access.roles`."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _valid(kind: TypeAdapter[str], value: Any) -> str | None:
    try:
        return kind.validate_python(value, strict=True)
    except ValidationError:
        return None
