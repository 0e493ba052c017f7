"""Which cities log in where, and who their people are there."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from deploy.demo.story import Story

Kind = Literal["node", "mock"]

KINDS: Final[Mapping[str, Kind]] = {
    "bangkok": "mock",
    "seoul": "node",
    "singapore": "node",
    "tokyo": "mock",
}
"""Which cities have a provider, and of which kind."""
SHARED: Final[Mapping[str, str]] = {"hanoi": "singapore"}
"""Cities without a provider whose liaison is an official of another city, and logs in there."""
LIAISON: Final = "liaison"
ROLES: Final = ("administrator", "coordinator", "contributor", "observer", "visitor")
"""What people are in their city. No city invites its visitor to the network."""
CLIENT_ID: Final = "renkei"
SCOPES: Final = ("openid", "profile", "email")
STRONG_ACR: Final[Mapping[Kind, tuple[str, ...]]] = {
    "node": ("urn:renkei:demo:second-factor",),
    "mock": (),
}
"""By which `acr` each kind says that it asked for a second factor; one cannot say."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Person(_Record):
    """Somebody whom a provider knows; `subject` is also the name to log in with."""

    subject: str
    name: str
    email: str


class Provider(_Record):
    """One city's provider, and what it knows of the platform."""

    member: str
    kind: Kind
    issuer: str
    port: int
    client_id: str = CLIENT_ID
    client_secret: str
    redirect_uri: str
    logged_out_uri: str
    backchannel_logout_uri: str
    people: tuple[Person, ...]

    @property
    def is_own(self) -> bool:
        """Whether it is the city's own, and not another's that knows the city as a client, too."""
        return self.member not in SHARED

    def person(self, role: str) -> Person:
        """Who has this role in the city."""
        [found] = [person for person in self.people if person.subject.endswith(f"-{role}")]
        return found


def providers_of(
    *, issuer: str, secrets: Mapping[str, str], node_port: int | None, mock_ports: Sequence[int]
) -> list[Provider]:
    """Describe the providers of all cities that have one, then those that are shared.

    Args:
        issuer: public base URL of the platform.
        secrets: by member, with which the platform authenticates at its provider.
        node_port: where the program for Node listens; None if there is none, and then the other
            kind serves its cities too.
        mock_ports: one for each member.
    """
    story = Story()
    found: list[Provider] = []
    for (member, kind), mock_port in zip(KINDS.items(), mock_ports, strict=True):
        is_node = kind == "node" and node_port is not None
        # Not 127.0.0.1, where the platform is: browsers send cookies of a host to all its ports.
        issuer_of_node, issuer_of_mock = (f"http://localhost:{p}" for p in (node_port, mock_port))
        found.append(
            Provider(
                member=member,
                kind="node" if is_node else "mock",
                issuer=f"{issuer_of_node}/{member}" if is_node else issuer_of_mock,
                port=node_port if is_node and node_port else mock_port,
                client_secret=secrets[member],
                **_addresses(issuer, member),
                people=tuple(_person(story, member, role) for role in _roles_in(member)),
            )
        )
    return found + [
        owner.model_copy(
            update={
                "member": member,
                "client_id": f"{CLIENT_ID}-{member}",
                "client_secret": secrets[member],
                "people": (owner.person(LIAISON),),
                **_addresses(issuer, member),
            }
        )
        for owner in found
        for member, name in SHARED.items()
        if name == owner.member
    ]


def read_providers(file: Path) -> list[Provider]:
    """Read what `providers_as_json` wrote."""
    return TypeAdapter(list[Provider]).validate_json(file.read_text(encoding="utf-8"))


def providers_as_json(providers: list[Provider]) -> str:
    return TypeAdapter(list[Provider]).dump_json(providers, indent=2).decode() + "\n"


def _addresses(issuer: str, member: str) -> dict[str, str]:
    """Where the platform hears of a login at the member's provider, and of its end."""
    login = f"{issuer}/login/{member}"
    return {
        "redirect_uri": f"{login}/callback",
        "logged_out_uri": f"{login}/logged-out",
        "backchannel_logout_uri": f"{login}/backchannel-logout",
    }


def _roles_in(member: str) -> tuple[str, ...]:
    return (*ROLES, LIAISON) if member in SHARED.values() else ROLES


def _person(story: Story, member: str, role: str) -> Person:
    return Person(
        subject=f"{member}-{role}",
        name=f"{role.title()}, {story.name_of(member)['en']}",
        email=f"{role}@{member}.example",
    )
