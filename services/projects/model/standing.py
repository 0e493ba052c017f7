"""Who asks, and how that member stands to a project: what every rule must know."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from shared.actor import Actor
from shared.contracts.projects import ParticipationRole, ParticipationStatus
from shared.refusals import Forbidden, Unauthenticated

MAY_READ: Final = "projects:read"
MAY_WRITE: Final = "projects:write"
MAY_CONTRIBUTE: Final = "projects:contribute"


class ClientRevoked(Unauthenticated):
    """The access token is genuine, but the client that it was issued to may not act any more."""


class OfficialMayNotAct(Unauthenticated):
    """The access token is genuine, but its member lets the person act for it no longer."""


class SessionOver(Unauthenticated):
    """The access token is genuine, but the session that it belongs to has ended."""


class MemberNotActive(Forbidden):
    code = "member-not-active"
    title = "The member is not active in the network and cannot change anything"


class NotParticipating(Forbidden):
    code = "not-participating"
    title = "Only a member that takes part in the project may do this"


class Place(NamedTuple):
    """The place of a member that is invited to a project or takes part in it."""

    role: ParticipationRole
    status: ParticipationStatus


Places = Mapping[str, Place]
"""Who is invited to a project or takes part in it, besides the lead."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The actor, what the network says of its member, and who else has a place in the project.

    A person is allowed here no more than what their roles cover now.
    """

    actor: Actor
    member_status: str | None
    time_zone: str | None
    places: Places = field(default_factory=dict)
    is_host: bool = False

    @property
    def member(self) -> str:
        return self.actor.member

    def ensure_may_read(self) -> None:
        """Refuse unless the actor may read projects at all.

        Raises:
            MissingScope: the access token or the person's roles do not cover it.
        """
        self.actor.ensure_may(MAY_READ)

    def ensure_may_write(self, *scopes: str) -> None:
        """Refuse unless the actor may change anything at all: every change begins here.

        Args:
            scopes: any one of them is enough; `projects:write` always is.

        Raises:
            MissingScope: the access token or the person's roles do not cover it.
            MemberNotActive: the member is suspended, has withdrawn or is not known here.
        """
        if not self.actor.scopes.intersection(scopes):
            self.actor.ensure_may(MAY_WRITE)
        if self.member_status != "active":
            raise MemberNotActive(
                f"Member {self.member} is {self.member_status or 'not known here'}.",
            )

    def takes_part(self, member: str) -> bool:
        """Tell whether a member has accepted to work in the project."""
        return self.places.get(member) == ("participant", "accepted")

    def may_take_part(self, member: str) -> bool:
        """Tell whether a member works in the project or is invited to."""
        place = self.places.get(member)
        return place is not None and place.role == "participant"

    def with_place(self, member: str, place: Place | None) -> "Standing":
        """How things stand once `member` has this place, or none."""
        others = {name: kept for name, kept in self.places.items() if name != member}
        return replace(self, places=others if place is None else {**others, member: place})

    def today(self, now: datetime) -> date:
        """The day that it is where the actor's member is."""
        return now.astimezone(ZoneInfo(self.time_zone or "UTC")).date()
