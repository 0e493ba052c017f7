"""What must be said of an identity provider."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from services.members.model.identity_provider import (
    ProviderAuthentication,
    SigningAlgorithm,
    SubjectClaim,
    UnknownPeople,
)
from shared.addresses import LENGTH_MAX
from shared.contracts.members import Role
from shared.fields import Input, Line


def _once_each(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _with_openid(scopes: tuple[str, ...]) -> tuple[str, ...]:
    return _once_each(("openid", *scopes))


Visible = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]+$", min_length=1, max_length=255)]
Issuer = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]+$", max_length=LENGTH_MAX)]
Secret = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]+$", min_length=1, max_length=1000)]
ClaimName = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]+$", max_length=200)]
Scopes = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^[!#-\[\]-~]+$", max_length=200)], ...],
    Field(max_length=20),
    AfterValidator(_with_openid),
]
Algorithms = Annotated[
    tuple[SigningAlgorithm, ...], Field(min_length=1, max_length=4), AfterValidator(_once_each)
]
RoleOfGroup = Annotated[dict[Line, Role], Field(max_length=100)]
StrongAcr = Annotated[tuple[Visible, ...], Field(max_length=10), AfterValidator(_once_each)]


class ProviderFields(Input):
    """An identity provider, without its secret."""

    name: Line
    issuer: Issuer
    client_id: Visible
    authentication: ProviderAuthentication = "client_secret_basic"
    scopes: Scopes = ("openid", "profile", "email")
    algorithms: Algorithms = ("RS256",)
    subject_claim: SubjectClaim = "sub"
    roles_claim: ClaimName | None = None
    role_of_group: RoleOfGroup = Field(default_factory=dict)
    unknown_people: UnknownPeople = "refuse"
    unknown_role: Role | None = None
    strong_acr: StrongAcr = ()
