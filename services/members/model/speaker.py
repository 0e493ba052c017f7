"""Who speaks: an actor, with what the network knows of the member it acts for.

A person is allowed here no more than what their roles cover now.
"""

from dataclasses import dataclass

from shared.actor import Actor
from shared.contracts.members import MembershipStatus
from shared.refusals import Forbidden, Unauthenticated


class SpeakerUnknown(Unauthenticated):
    """The token is genuine, but who it was issued to may not act any more."""


class MemberNotActive(Forbidden):
    code = "member-not-active"
    title = "Only an active member may do this"


class OnlyTheMemberItself(Forbidden):
    code = "only-the-member-itself"
    title = "A member speaks only for itself"


class OnlyTheSecretariat(Forbidden):
    code = "only-the-secretariat"
    title = "Only the secretariat of the network may do this"


@dataclass(frozen=True, slots=True)
class Speaker:
    """An actor and its member's place in the network."""

    actor: Actor
    status: MembershipStatus
    is_host: bool

    @property
    def member(self) -> str:
        return self.actor.member

    @property
    def is_secretariat(self) -> bool:
        """Whether this is the host's office, which runs the network but decides for no member."""
        return self.is_host and "network:write" in self.actor.scopes

    def ensure_secretariat(self) -> None:
        """Refuse anybody but the secretariat.

        Raises:
            OnlyTheSecretariat: it is another member.
            MissingScope: it is the host, but not for its office.
        """
        if not self.is_host:
            raise OnlyTheSecretariat(f"The member {self.member} does not run the network.")
        self.actor.ensure_may("network:write")

    def ensure_acts_for(self, member: str) -> None:
        """Refuse anybody but the member itself.

        Raises:
            OnlyTheMemberItself: it is another member.
            MissingScope: the token does not cover the member's own affairs.
        """
        if self.member != member:
            raise OnlyTheMemberItself(f"Nobody but {member} may do this for {member}.")
        self.actor.ensure_may("members:write")

    def ensure_speaks_for(self, member: str) -> None:
        """Refuse anybody but the member itself, through somebody who speaks for it.

        Of people that are its coordinators alone, whose roles cover what binds the member.

        Raises:
            OnlyTheMemberItself: it is another member.
            MissingScope: a machine may not write, or a person does not speak for the member.
        """
        if self.member != member:
            raise OnlyTheMemberItself(f"Nobody but {member} may do this for {member}.")
        is_person = self.actor.official_id is not None
        self.actor.ensure_may("projects:write" if is_person else "members:write")

    def ensure_sees_officials_of(self, member: str) -> None:
        """Refuse whoever may not know the officials of `member`.

        Raises:
            MissingScope: the token does not cover reading.
            MemberNotActive: these are officials of others, who show them to active members only.
        """
        self.actor.ensure_may("members:read")
        if self.member != member and self.status != "active":
            raise MemberNotActive(f"The membership of {self.member} is {self.status}.")
