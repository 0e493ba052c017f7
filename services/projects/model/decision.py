"""A decision: a question to members of a project, the rule it stands under, and what they say.

Who is asked is fixed when it opens. A member that withdraws afterwards is counted out, visibly;
nobody is ever counted in. What a member has said stays on record when it says something else.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from services.projects.model.base import Base
from services.projects.model.deadline import end_of_day
from services.projects.model.project import NobodyToAsk, Project
from services.projects.model.standing import MAY_WRITE, Standing
from services.projects.model.verdict import (
    Tally,
    Verdict,
    is_reached,
    tally_of,
    verdict_at_deadline,
    verdict_meanwhile,
)
from shared.contracts.projects import (
    DecisionRule,
    DecisionState,
    DecisionStatus,
    Effect,
    PositionTaken,
)
from shared.identifiers import new_id
from shared.refusals import Conflict, Forbidden, Invalid, NotFound, permits

EFFECTS: Final[TypeAdapter[Effect]] = TypeAdapter(Effect)


class DecisionNotFound(NotFound):
    code = "decision-not-found"
    title = "There is no such decision"


class NotAsked(Forbidden):
    code = "not-asked"
    title = "The decision does not ask this member"


class CountedOut(Conflict):
    code = "counted-out"
    title = "The member has withdrawn and is counted no longer"


class NotProposer(Forbidden):
    code = "not-proposer"
    title = "Only the member that put the question may do this"


class DecisionClosed(Conflict):
    code = "decision-closed"
    title = "The decision is closed; nobody takes a position on it any more"


class NotSettled(Conflict):
    code = "not-settled"
    title = "The rule is not met yet, so the decision closes at its deadline"


class RuleOverrulesAffected(Invalid):
    code = "rule-overrules-affected"
    title = "What touches a member's promise needs the consent of each, not of most"


class ClosesTooSoon(Invalid):
    code = "closes-too-soon"
    title = "The members would have too little time to answer"


class ClosesTooLate(Invalid):
    code = "closes-too-late"
    title = "A question is to be answered within a year"


class AskedAlready(Conflict):
    code = "asked-already"
    title = "An open decision asks about this already"


class TooManyOpen(Conflict):
    code = "too-many-open"
    title = "The project has as many open decisions as it can have"


CONSENT: Final[frozenset[DecisionRule]] = frozenset({"unanimity", "silence"})
"""The rules under which one objection is enough."""

SILENCE_WORKING_DAYS: Final = 3
"""For so many whole working days, in the city of each that is asked, silence must be possible."""


OPEN_MAX: Final = 100
"""Open in one project at a time: whoever leaves it is counted out of all of them at once."""

LONGEST: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, under which rule, and until when: the end of `closes_on` in `time_zone`."""

    title: dict[str, str]
    text: dict[str, str]
    rule: DecisionRule
    closes_on: date
    time_zone: str
    effect: Effect | None = None

    @property
    def closes_at(self) -> datetime:
        return end_of_day(self.closes_on, self.time_zone)


class Elector(Base, kw_only=True):
    """A member that is asked, with what it says now."""

    __tablename__ = "elector"

    decision_id: Mapped[UUID] = mapped_column(
        ForeignKey("decision.id"), primary_key=True, init=False
    )
    member: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[PositionTaken | None] = mapped_column(Text, init=False, default=None)
    reason: Mapped[str | None] = mapped_column(init=False, default=None)
    taken_at: Mapped[datetime | None] = mapped_column(init=False, default=None)
    counted_out_at: Mapped[datetime | None] = mapped_column(init=False, default=None)

    __table_args__ = (
        Index(
            "ix_elector_silent",
            "member",
            postgresql_where=sql("position IS NULL AND counted_out_at IS NULL"),
        ),
    )


class Position(Base, kw_only=True):
    """What a member said at a time. Never changed: a later one stands beside it."""

    __tablename__ = "position"

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    decision_id: Mapped[UUID] = mapped_column(ForeignKey("decision.id"))
    member: Mapped[str]
    position: Mapped[PositionTaken] = mapped_column(Text)
    reason: Mapped[str | None]
    taken_at: Mapped[datetime]
    taken_by: Mapped[str | None]

    __table_args__ = (
        Index("ix_position_decision_id_taken_at_id", "decision_id", "taken_at", "id"),
    )


class Decision(Base, kw_only=True):
    """A question put by the member `proposer`."""

    __tablename__ = "decision"

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id"))
    title: Mapped[dict[str, str]]
    text: Mapped[dict[str, str]]
    rule: Mapped[DecisionRule] = mapped_column(Text)
    closes_on: Mapped[date]
    time_zone: Mapped[str]
    closes_at: Mapped[datetime]
    stored_effect: Mapped[dict[str, Any] | None] = mapped_column(
        "effect", JSONB(none_as_null=True), default=None
    )
    proposer: Mapped[str]
    status: Mapped[DecisionStatus] = mapped_column(Text, init=False, default="open")
    status_reason: Mapped[str | None] = mapped_column(init=False, default=None)
    hindrance: Mapped[str | None] = mapped_column(init=False, default=None)
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None] = mapped_column(init=False, default=None)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(init=False, default=1)

    project: Mapped[Project] = relationship(lazy="raise", repr=False)
    electorate: Mapped[list[Elector]] = relationship(
        lazy="raise", repr=False, init=False, order_by=Elector.member
    )

    __table_args__ = (
        Index("ix_decision_project_id_created_at_id", "project_id", "created_at", "id"),
        Index("ix_decision_created_at_id", "created_at", "id"),
        Index("ix_decision_updated_at_id", "updated_at", "id"),
        Index("ix_decision_closes_at_id", "closes_at", "id"),
        Index("ix_decision_open", "closes_at", postgresql_where=sql("status = 'open'")),
    )
    __mapper_args__ = {"version_id_col": version, "version_id_generator": False}  # noqa: RUF012

    @classmethod
    def open(
        cls,
        project: Project,
        question: Question,
        *,
        electorate: Collection[str],
        working_days: Mapping[str, int],
        others: int = 0,
        proposer: str,
        at: datetime,
    ) -> "Decision":
        """Put a question to members.

        Args:
            project: in which they work together.
            question: what is asked.
            electorate: the members that are asked; fixed from here on.
            working_days: how many whole ones each of them has until the deadline.
            others: how many decisions are open in the project.
            proposer: the member that asks.
            at: now.

        Raises:
            ProjectEnded: the project is over.
            NobodyToAsk: there is nobody besides the proposer.
            TooManyOpen: there are as many open decisions as there can be.
            ClosesTooSoon: the deadline has passed, or silence would be too short to mean consent.
            ClosesTooLate: the deadline is more than a year away.
        """
        project.ensure_open()
        if not set(electorate) - {proposer}:
            raise NobodyToAsk("Nobody besides the proposer would be asked.")
        if others >= OPEN_MAX:
            raise TooManyOpen(f"There are {others}; withdraw one, or wait.")
        ensure_can_close(question.closes_at, at)
        hurried = [
            member
            for member in sorted(set(electorate) - {proposer})
            if working_days.get(member, 0) < SILENCE_WORKING_DAYS
        ]
        if question.rule == "silence" and hurried:
            raise ClosesTooSoon(
                f"Silence means consent only after {SILENCE_WORKING_DAYS} whole working days in"
                f" each city; there are fewer in {', '.join(hurried)}.",
                members={"members": hurried},
            )
        effect = question.effect
        decision = cls(
            project_id=project.id,
            project=project,
            title=question.title,
            text=question.text,
            rule=question.rule,
            closes_on=question.closes_on,
            time_zone=question.time_zone,
            closes_at=question.closes_at,
            stored_effect=None if effect is None else effect.model_dump(mode="json"),
            proposer=proposer,
            opened_at=at,
            created_at=at,
            updated_at=at,
        )
        decision.electorate = [Elector(member=member) for member in sorted(electorate)]
        return decision

    @property
    def effect(self) -> Effect | None:
        return None if self.stored_effect is None else EFFECTS.validate_python(self.stored_effect)

    @property
    def heard(self) -> set[str]:
        """The members that are asked and have not been counted out."""
        return {each.member for each in self.electorate if each.counted_out_at is None}

    @property
    def silent(self) -> set[str]:
        """Those of them that have not said anything."""
        return {each.member for each in self.electorate if each.position is None} & self.heard

    @property
    def tally(self) -> Tally:
        counted = [each.position for each in self.electorate if each.counted_out_at is None]
        return tally_of(self.rule, counted)

    # Who may do what, and in which state.

    def ensure_open(self, at: datetime) -> None:
        """Refuse once it is closed, and from its deadline on, whether anybody has noticed or not.

        Raises:
            DecisionClosed: it is.
        """
        if self.status != "open":
            raise DecisionClosed(f"It is {self.status}.")
        if self.is_due(at):
            raise DecisionClosed(f"The deadline was {self.closes_at.isoformat()}.")

    def elector(self, member: str) -> Elector:
        """Find what a member that is asked says.

        Raises:
            NotAsked: it is not.
        """
        for elector in self.electorate:
            if elector.member == member:
                return elector
        raise NotAsked(f"Member {member} is not asked.")

    def ensure_answered_by(self, standing: Standing) -> None:
        """Refuse unless the actor may speak for a member that is asked.

        Raises:
            MissingScope, MemberNotActive: the actor may not write.
            NotAsked: the decision does not ask its member.
            CountedOut: the member has withdrawn.
        """
        standing.ensure_may_write(MAY_WRITE)
        if self.elector(standing.member).counted_out_at is not None:
            raise CountedOut(f"Member {standing.member} has withdrawn.")

    def ensure_proposed_by(self, standing: Standing) -> None:
        """Refuse unless the actor may speak for the member that put the question.

        Raises:
            MissingScope, MemberNotActive: the actor may not write.
            NotProposer: another member put it.
        """
        standing.ensure_may_write(MAY_WRITE)
        if standing.member != self.proposer:
            raise NotProposer(f"Member {self.proposer} put the question.")

    def ensure_settled(self, at: datetime) -> None:
        """Refuse to close early what somebody who is silent could still turn.

        Raises:
            DecisionClosed: it is closed.
            NotSettled: the rule is not met yet.
        """
        self.ensure_open(at)
        if not is_reached(self.rule, self.tally):
            raise NotSettled("Members that are silent could still turn it.")

    # What can be done.

    def take_position(
        self, position: PositionTaken, reason: str | None, *, by: Standing, at: datetime
    ) -> Position:
        """Say what the actor's member thinks, for the first time or differently.

        Returns:
            What is kept for the record.

        Raises:
            MissingScope, MemberNotActive, NotAsked: the actor may not.
            CountedOut: its member has withdrawn.
            DecisionClosed: it is closed.
        """
        self.ensure_answered_by(by)
        self.ensure_open(at)
        elector = self.elector(by.member)
        elector.position = position
        elector.reason = reason
        elector.taken_at = at
        self._changed(at)
        return Position(
            decision_id=self.id,
            member=by.member,
            position=position,
            reason=reason,
            taken_at=at,
            taken_by=by.actor.reference,
        )

    def count_out(self, member: str, *, at: datetime) -> None:
        """Count a member no longer that has withdrawn. What it said stays on record."""
        self.elector(member).counted_out_at = at
        self._changed(at)

    def is_due(self, at: datetime) -> bool:
        """Tell whether its time is over."""
        return self.closes_at <= at

    def verdict(self, at: datetime) -> Verdict | None:
        """What the decision has become by now; nothing while it stays open."""
        if self.is_due(at):
            return verdict_at_deadline(self.rule, self.tally)
        return verdict_meanwhile(self.rule, self.tally)

    def close(self, verdict: Verdict, reason: str | None = None, *, at: datetime) -> None:
        """Be closed. Final."""
        self._end(verdict, reason, at)

    def withdraw(self, reason: str, *, by: Standing, at: datetime) -> None:
        """Take the question back. Final.

        Raises:
            MissingScope, MemberNotActive, NotProposer: the actor may not.
            DecisionClosed: it is closed.
        """
        self.ensure_proposed_by(by)
        self.ensure_open(at)
        self._end("withdrawn", reason, at)

    def allowed_actions(self, by: Standing, at: datetime) -> list[str]:
        """Name what the actor may do to the decision now."""
        if not permits(self.ensure_open, at):
            return []
        offered: list[str] = []
        if permits(self.ensure_answered_by, by):
            offered.append("take_position")
        if permits(self.ensure_proposed_by, by):
            if permits(self.ensure_settled, at):
                offered.append("close")
            offered.append("withdraw")
        return offered

    def state(self) -> DecisionState:
        return DecisionState.model_validate(self)

    def _end(self, status: DecisionStatus, reason: str | None, at: datetime) -> None:
        self.status = status
        self.status_reason = reason
        self.closed_at = at
        self._changed(at)

    def _changed(self, at: datetime) -> None:
        self.version += 1
        self.updated_at = at


def ensure_can_close(closes_at: datetime, at: datetime) -> None:
    """Refuse a deadline that has passed, or that nobody would wait for.

    Raises:
        ClosesTooSoon: it has passed.
        ClosesTooLate: it is more than a year away.
    """
    if closes_at <= at:
        raise ClosesTooSoon("The deadline has passed.")
    if closes_at > at + LONGEST:
        raise ClosesTooLate(f"It can close until {at + LONGEST:%Y-%m-%d}.")


def no_decision(decision_id: UUID) -> DecisionNotFound:
    """The same words whether there is none or the actor may not see it."""
    return DecisionNotFound(f"You see no decision with the id {decision_id}.")
