"""A member of the network and the dated history of its membership."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from services.members.model.base import Base, Versioned
from services.members.model.speaker import MemberNotActive, OnlyTheMemberItself, Speaker
from shared.contracts.members import MemberKind, MembershipStatus, MemberState, Role
from shared.identifiers import new_id
from shared.public_holidays import subdivisions_of
from shared.refusals import Conflict, Invalid, NotFound, permits

Side = Literal["member", "secretariat"]

BELONGING: Final[frozenset[MembershipStatus]] = frozenset({"active", "suspended"})
"""The statuses of those who belong to the network."""

GOVERNING: Final[frozenset[MembershipStatus]] = frozenset({"invited", "active"})
"""The statuses in which a member looks after its own officials and clients."""


class MemberNotFound(NotFound):
    code = "member-not-found"
    title = "There is no such member"


class MemberExists(Conflict):
    code = "member-exists"
    title = "There is a member with this slug already"


class MembershipEnded(Conflict):
    code = "membership-ended"
    title = "The membership has ended for good"


class TransitionRuledOut(Conflict):
    code = "transition-ruled-out"
    title = "The present status of the membership does not lead there"


class HostStays(Conflict):
    code = "host-stays"
    title = "The host of the network can be neither suspended nor withdrawn"


class EffectiveBeforePrevious(Conflict):
    code = "effective-before-previous"
    title = "Nothing can take effect before what came before it"


class EffectiveInFuture(Invalid):
    code = "effective-in-future"
    title = "A membership changes on a day that has come"


class SubdivisionUnknown(Invalid):
    code = "subdivision-unknown"
    title = "The country has no such subdivision with public holidays of its own"


class ReasonMissing(Invalid):
    code = "reason-missing"
    title = "A suspension needs a reason"


@dataclass(frozen=True, slots=True)
class Step:
    """A way from one status to another, and who may go it."""

    action: str
    sides: frozenset[Side]


STEPS: Final[dict[tuple[MembershipStatus, MembershipStatus], Step]] = {
    ("invited", "active"): Step("accept", frozenset({"member"})),
    ("active", "suspended"): Step("suspend", frozenset({"secretariat"})),
    ("suspended", "active"): Step("reinstate", frozenset({"secretariat"})),
    ("invited", "withdrawn"): Step("withdraw", frozenset({"member"})),
    ("active", "withdrawn"): Step("withdraw", frozenset({"member"})),
    ("suspended", "withdrawn"): Step("withdraw", frozenset({"member", "secretariat"})),
}


FORMER: Final = {"en": "A former official of {}", "ja": "{}の元職員"}
"""What stands in place of somebody of whom nothing may be kept."""


class MembershipTransition(Base, kw_only=True):
    """A status that a membership took on a day. Rows are added, never changed."""

    __tablename__ = "membership_transition"
    __table_args__ = (
        UniqueConstraint("member", "member_version"),
        Index("ix_membership_transition_member_effective_on", "member", "effective_on"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    member: Mapped[str] = mapped_column(ForeignKey("member.slug"))
    member_version: Mapped[int]
    status: Mapped[MembershipStatus] = mapped_column(Text)
    effective_on: Mapped[date]
    reason: Mapped[str | None]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str | None]


class Member(Versioned, Base, kw_only=True):
    """An organisation in the network, identified by its slug."""

    __tablename__ = "member"
    __table_args__ = (
        CheckConstraint(f"status IN {get_args(MembershipStatus)}", name="status"),
        CheckConstraint(f"kind IN {get_args(MemberKind)}", name="kind"),
        Index("uq_member_host", "is_host", unique=True, postgresql_where=text("is_host")),
        Index("ix_member_created_at_slug", "created_at", "slug"),
        Index("ix_member_updated_at_slug", "updated_at", "slug"),
    )

    slug: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[MemberKind] = mapped_column(Text)
    name: Mapped[dict[str, str]]
    local_name: Mapped[str | None]
    country: Mapped[str]
    subdivision: Mapped[str | None] = mapped_column(default=None)
    time_zone: Mapped[str]
    latitude: Mapped[float]
    longitude: Mapped[float]
    is_host: Mapped[bool]
    status: Mapped[MembershipStatus] = mapped_column(Text)
    status_since: Mapped[date]
    has_officials: Mapped[bool] = mapped_column(init=False, default=False)
    has_clients: Mapped[bool] = mapped_column(init=False, default=False)

    def state(self) -> MemberState:
        return MemberState.model_validate(self)

    def begin(self, *, by: str | None, at: datetime) -> MembershipTransition:
        """Record the status that a new member begins with, since `status_since`.

        Raises:
            SubdivisionUnknown: the country has no such subdivision.
            EffectiveInFuture: that day has not come where the member is.
        """
        ensure_subdivision_known(self.country, self.subdivision)
        self._ensure_has_come(self.status_since, at)
        return self._record(reason=None, by=by, at=at)

    def change(self, fields: dict[str, Any], *, at: datetime) -> bool:
        """Take over new names, place or time zone.

        Returns:
            Whether anything is different now.

        Raises:
            SubdivisionUnknown: the country, as it would be, has no such subdivision.
        """
        ensure_subdivision_known(
            fields.get("country", self.country), fields.get("subdivision", self.subdivision)
        )
        different = {name: value for name, value in fields.items() if getattr(self, name) != value}
        for name, value in different.items():
            setattr(self, name, value)
        if different:
            self.note_change(at)
        return bool(different)

    def take_step(
        self,
        status: MembershipStatus,
        *,
        effective_on: date | None,
        reason: str | None,
        speaker: Speaker,
        at: datetime,
    ) -> MembershipTransition:
        """Bring the membership to `status`.

        Args:
            status: where it leads.
            effective_on: today where the member is, unless history is recorded late.
            reason: needed for a suspension.
            speaker: who asks for it.
            at: when.

        Raises:
            OnlyTheMemberItself: it is for the member, or for the member and the secretariat, to do.
            OnlyTheSecretariat: it is for the secretariat to do.
            MissingScope: the token does not cover it.
            MembershipEnded: the member has withdrawn.
            TransitionRuledOut: the status is not reached from the present one.
            HostStays: the member is the host.
            ReasonMissing: a suspension without one.
            EffectiveInFuture: the day has not come where the member is.
            EffectiveBeforePrevious: the day lies before that of the transition before.
        """
        self.ensure_step_open_to(status, speaker)
        if status == "suspended" and reason is None:
            raise ReasonMissing("Say in `reason` why the member is suspended.")
        effective_on = effective_on or self.today(at)
        self._ensure_has_come(effective_on, at)
        if effective_on < self.status_since:
            raise EffectiveBeforePrevious(
                f"{self.slug} has been {self.status} since {self.status_since.isoformat()}."
            )
        self.status = status
        self.status_since = effective_on
        self.note_change(at)
        return self._record(reason=reason, by=speaker.actor.reference, at=at)

    def ensure_has_say(self, speaker: Speaker) -> None:
        """Refuse a step in the membership to all but the member and the secretariat.

        Raises:
            OnlyTheMemberItself: it is neither.
            MissingScope: the token does not cover it.
        """
        if not speaker.is_secretariat:
            speaker.ensure_speaks_for(self.slug)

    def ensure_step_open_to(self, status: MembershipStatus, speaker: Speaker) -> None:
        """Refuse a step that does not exist from here, or is for others to take."""
        self.ensure_has_say(speaker)
        self.ensure_not_ended()
        step = STEPS.get((self.status, status))
        if step is None:
            raise TransitionRuledOut(f"A membership that is {self.status} cannot become {status}.")
        if "secretariat" in step.sides and speaker.is_secretariat:
            pass
        elif "member" in step.sides:
            speaker.ensure_speaks_for(self.slug)
        else:
            speaker.ensure_secretariat()
        if self.is_host:
            raise HostStays(f"{self.slug} runs the network.")

    def ensure_not_ended(self) -> None:
        """Refuse whatever needs a membership.

        Raises:
            MembershipEnded: the member has withdrawn.
        """
        if self.status == "withdrawn":
            raise MembershipEnded(f"{self.slug} withdrew on {self.status_since.isoformat()}.")

    def ensure_may_change(self, speaker: Speaker) -> None:
        """Refuse new names or places to all but the member and the secretariat.

        Raises:
            OnlyTheMemberItself: it is neither.
            MissingScope: the token does not cover it.
            MemberNotActive: the member itself, while it is not active.
        """
        if speaker.is_secretariat:
            return
        speaker.ensure_acts_for(self.slug)
        if self.status != "active":
            raise MemberNotActive(f"The membership of {self.slug} is {self.status}.")

    def ensure_governed_by(self, speaker: Speaker) -> None:
        """Refuse changes of officials and clients to all but the member itself.

        Raises:
            OnlyTheMemberItself: it is another.
            MissingScope: the token does not cover it.
            MemberNotActive: the member is suspended or has withdrawn.
        """
        speaker.ensure_acts_for(self.slug)
        if self.status not in GOVERNING:
            raise MemberNotActive(f"The membership of {self.slug} is {self.status}.")

    def ensure_may_appoint(self, speaker: Speaker, roles: tuple[Role, ...]) -> None:
        """Refuse a new official to all but the member; the secretariat appoints only the first.

        Raises:
            OnlyTheMemberItself: it is another, or the member has officials.
            MissingScope: the token does not cover it.
            MemberNotActive: the member is suspended or has withdrawn.
            MembershipEnded: the member has withdrawn.
        """
        if self.slug == speaker.member or not speaker.is_secretariat:
            self.ensure_governed_by(speaker)
        elif self.has_officials or "administrator" not in roles:
            raise OnlyTheMemberItself("The secretariat appoints the first administrator only.")
        self.ensure_not_ended()

    def ensure_may_register(self, speaker: Speaker) -> None:
        """Refuse a new client to all but the member; the secretariat registers only the first.

        Raises:
            OnlyTheMemberItself: it is another, or the member has clients.
            MissingScope: the token does not cover it.
            MemberNotActive: the member is suspended or has withdrawn.
            MembershipEnded: the member has withdrawn.
        """
        if self.slug == speaker.member or not speaker.is_secretariat:
            self.ensure_governed_by(speaker)
        elif self.has_clients:
            raise OnlyTheMemberItself("The secretariat registers the first client only.")
        self.ensure_not_ended()

    def allowed_actions(self, speaker: Speaker) -> list[str]:
        """Name what this speaker may do with the member now."""
        steps = [
            step.action
            for (status, towards), step in STEPS.items()
            if status == self.status and permits(self.ensure_step_open_to, towards, speaker)
        ]
        others: dict[str, tuple[Any, ...]] = {
            "change": (self.ensure_may_change, speaker),
            "appoint_official": (self.ensure_may_appoint, speaker, ("administrator",)),
            "register_client": (self.ensure_may_register, speaker),
        }
        return steps + [action for action, rule in others.items() if permits(*rule)]

    def former_official(self) -> dict[str, str]:
        """Describe somebody of whom nothing may be kept."""
        name = self.name.get("en") or next(iter(self.name.values()))
        return {
            language: said.format(self.name.get(language, name))
            for language, said in FORMER.items()
        }

    def today(self, at: datetime) -> date:
        """The calendar day where the member is."""
        return at.astimezone(ZoneInfo(self.time_zone)).date()

    def _ensure_has_come(self, day: date, at: datetime) -> None:
        if day > self.today(at):
            raise EffectiveInFuture(f"In {self.time_zone} it is {self.today(at).isoformat()}.")

    def _record(self, *, reason: str | None, by: str | None, at: datetime) -> MembershipTransition:
        return MembershipTransition(
            member=self.slug,
            member_version=self.version,
            status=self.status,
            effective_on=self.status_since,
            reason=reason,
            recorded_at=at,
            recorded_by=by,
        )


def ensure_subdivision_known(country: str, subdivision: str | None) -> None:
    """Refuse a subdivision whose public holidays nobody could tell.

    Raises:
        SubdivisionUnknown: the country has no such subdivision, or none with holidays of its own.

    Source: ISO 3166-2.
    """
    if subdivision is not None and subdivision not in subdivisions_of(country):
        raise SubdivisionUnknown(
            f"{country} has no subdivision {subdivision}. Without one, the public holidays of the"
            " whole country are the member's."
        )
