"""What must be said of a member or an official; the same for the API and for operators."""

from typing import Annotated

from pydantic import AfterValidator, Field

from services.members.model.official import ROLES
from services.members.model.scopes import SCOPES, Scope
from shared.contracts.members import MemberKind, Role
from shared.fields import (
    Country,
    Degrees,
    Email,
    Input,
    LanguageTag,
    Line,
    Lines,
    Slug,
    ZoneName,
)

Latitude = Annotated[Degrees, Field(ge=-90, le=90)]
Longitude = Annotated[Degrees, Field(ge=-180, le=180)]


def _ordered_roles(roles: tuple[Role, ...]) -> tuple[Role, ...]:
    return tuple(role for role in ROLES if role in roles)


def _ordered_scopes(scopes: tuple[Scope, ...]) -> tuple[Scope, ...]:
    return tuple(scope for scope in SCOPES if scope in scopes)


Roles = Annotated[
    tuple[Role, ...], Field(min_length=1, max_length=len(ROLES)), AfterValidator(_ordered_roles)
]
Scopes = Annotated[
    tuple[Scope, ...], Field(min_length=1, max_length=len(SCOPES)), AfterValidator(_ordered_scopes)
]


class MemberFields(Input):
    """An organisation, as it enters the network."""

    slug: Slug
    kind: MemberKind
    name: Lines
    local_name: Line | None = None
    country: Country
    time_zone: ZoneName
    latitude: Latitude
    longitude: Longitude


class OfficialFields(Input):
    """A person, as it begins to act for a member."""

    function: Lines
    name: Line | None = None
    email: Email | None = None
    language: LanguageTag
    roles: Roles
