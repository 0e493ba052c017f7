"""The plan of a project: which milestones wait for which, and what follows from it.

A milestone cannot be done before the ones that it depends on, and `lag_days` calendar days after
each of them, counted where that one is due. Deadlines in different time zones are compared by the
instants at which their days end. What is completed or cancelled holds nobody up any more.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from services.projects.model.deadline import end_of_day
from shared.contracts.projects import MilestoneStatus
from shared.fields import YEARS
from shared.refusals import Conflict, Invalid

OPEN: Final[frozenset[MilestoneStatus]] = frozenset({"planned", "in_progress"})
DEPENDENCIES_MAX: Final = 50
LAG_DAYS_MAX: Final = 3650
PLAN_DEPENDENCIES_MAX: Final = 5_000
"""Of all milestones of a project: whoever asks about one of them has the whole plan worked out."""

MOVED_MAX: Final = 200
"""A fact is told about each, in one transaction."""

INSTANT: Final = timedelta(microseconds=1)


class DependencyCycle(Conflict):
    code = "dependency-cycle"
    title = "Milestones would wait for each other in a circle"


class DependencyUnknown(Invalid):
    code = "dependency-unknown"
    title = "The project has no such milestone to wait for"


class DeadlineTooEarly(Conflict):
    code = "deadline-too-early"
    title = "The deadline would lie before what the milestone waits for"


class TooManyDependencies(Conflict):
    code = "too-many-dependencies"
    title = "The milestones of the project wait for as many others as they can"


class TooManyMoved(Conflict):
    code = "too-many-moved"
    title = "More milestones would have to move with it than can move at once"


class MovedOutsideCalendar(Conflict):
    code = "moved-outside-calendar"
    title = "What waits for it would be due beyond the days that can be told"


class Dependency(NamedTuple):
    """What a milestone waits for, and how many days longer."""

    milestone_id: UUID
    lag_days: int


def dependencies_in(stored: Sequence[Mapping[str, Any]]) -> list[Dependency]:
    """Read dependencies as a milestone stores them."""
    return [Dependency(UUID(one["milestone_id"]), one["lag_days"]) for one in stored]


def loosened(old: Sequence[Dependency], wanted: Sequence[Dependency]) -> list[Dependency]:
    """What of old dependencies is wanted as well: less than either, so that it never holds up."""
    lags = dict(wanted)
    return [
        Dependency(needed, min(lag_days, lags[needed]))
        for needed, lag_days in old
        if needed in lags
    ]


def local_day(moment: datetime, time_zone: str) -> date:
    """The day that it is somewhere at a moment."""
    return moment.astimezone(ZoneInfo(time_zone)).date()


@dataclass(frozen=True, slots=True)
class Step:
    """A milestone, as far as a plan must know it."""

    id: UUID
    due_on: date
    time_zone: str
    status: MilestoneStatus
    accountable: str
    contributors: Collection[str] = ()
    depends_on: Sequence[Dependency] = ()
    forecast_on: date | None = None
    completed_on: date | None = None

    @property
    def is_open(self) -> bool:
        return self.status in OPEN


@dataclass(frozen=True, slots=True)
class Outlook:
    """When a milestone can be done at the earliest, and must be at the latest.

    Later than `latest_on` it would move the end of the whole project; `slack_days` lie between.
    Both are days where the milestone is due.
    """

    earliest_on: date
    latest_on: date
    slack_days: int
    is_critical: bool
    is_late: bool


class Plan:
    """All milestones of one project.

    Args:
        steps: in any order. What depends on something that is not among them does not wait for it.
    """

    # What is found once holds no step, which is another one after its deadline has moved. It is
    # forgotten when something waits for something else.

    def __init__(self, steps: Iterable[Step]) -> None:
        self.steps: Final = {step.id: step for step in steps}

    @cached_property
    def _followers(self) -> Mapping[UUID, list[tuple[UUID, int]]]:
        """By milestone those that wait for it, with their lag."""
        found: dict[UUID, list[tuple[UUID, int]]] = {each: [] for each in self.steps}
        for step in self.steps.values():
            for needed, lag_days in step.depends_on:
                if needed in found:
                    found[needed].append((step.id, lag_days))
        return found

    @cached_property
    def _ids_in_order(self) -> list[UUID]:
        """Each after all that it waits for."""
        waiting = {
            step.id: sum(needed.milestone_id in self.steps for needed in step.depends_on)
            for step in self.steps.values()
        }
        ready = [each for each in self.steps if not waiting[each]]
        for each in ready:  # grows while it is walked
            for follower, _ in self._followers[each]:
                waiting[follower] -= 1
                if not waiting[follower]:
                    ready.append(follower)
        return ready

    @property
    def _in_order(self) -> list[Step]:
        return [self.steps[each] for each in self._ids_in_order]

    @property
    def places(self) -> dict[UUID, int]:
        """Where each milestone stands in an order in which it comes after all it waits for."""
        return {each: place for place, each in enumerate(self._ids_in_order)}

    @property
    def dependencies(self) -> int:
        return sum(len(step.depends_on) for step in self.steps.values())

    def following(self, milestone_id: UUID) -> list[Step]:
        """The open milestones that wait for this one, however far behind it, nearest first."""
        reached = {milestone_id}
        found = []
        for each in self._ids_in_order:
            if each in reached:
                reached.update(follower for follower, _ in self._followers[each])
                found.append(self.steps[each])
        return [step for step in found if step.id != milestone_id and step.is_open]

    def ensure_can_depend(self, milestone_id: UUID, on: Sequence[Dependency]) -> None:
        """Refuse dependencies that make no sense, or that its deadline does not allow.

        Raises:
            DependencyUnknown: the project has no such milestone.
            TooManyDependencies: the project has as many as it can have.
            DependencyCycle: one of them waits for this milestone, or is it.
            DeadlineTooEarly: the milestone is due before it could be done.
        """
        unknown = [needed.milestone_id for needed in on if needed.milestone_id not in self.steps]
        if unknown:
            raise DependencyUnknown(f"The project has no milestone {unknown[0]}.")
        step = self.steps[milestone_id]
        added = len(on) - len(step.depends_on)
        if added > 0 and self.dependencies + added > PLAN_DEPENDENCIES_MAX:
            raise TooManyDependencies(f"All together may have {PLAN_DEPENDENCIES_MAX}.")
        behind = {milestone_id, *(step.id for step in self._behind(milestone_id))}
        for needed in on:
            if needed.milestone_id in behind:
                raise DependencyCycle(
                    f"{needed.milestone_id} waits for {milestone_id}.",
                    members={"milestone_id": str(needed.milestone_id)},
                )
        self.ensure_late_enough(step, step.due_on, step.time_zone, depends_on=on)

    def lets_go(self, step: Step, on: Sequence[Dependency]) -> bool:
        """Tell whether a milestone would wait no longer, or less, for what is not completed."""
        kept = dict(on)
        return any(
            kept.get(needed.id, -1) < lag_days
            for needed, lag_days in self._needed(step.depends_on)
            if needed.status != "completed"
        )

    def ensure_late_enough(
        self,
        step: Step,
        due_on: date,
        time_zone: str,
        *,
        depends_on: Sequence[Dependency] | None = None,
    ) -> None:
        """Refuse a deadline before what the milestone waits for.

        Raises:
            DeadlineTooEarly: something that it depends on is due too late for it.
        """
        needed = step.depends_on if depends_on is None else depends_on
        earliest = self._earliest_due(needed, time_zone, {})
        if earliest is not None and due_on < earliest:
            raise DeadlineTooEarly(
                f"It can be due on {earliest} at the earliest.",
                members={"earliest_on": earliest.isoformat()},
            )

    def moved(self, milestone_id: UUID, due_on: date, time_zone: str) -> dict[UUID, date]:
        """Find which deadlines must give way if this one moves, and to which days, nearest first.

        Each keeps its time zone, and moves no further than it must.

        Raises:
            TooManyMoved: there are too many of them.
            MovedOutsideCalendar: one would have to move beyond what is a day here.
        """
        found = self._giving_way(self.following(milestone_id), {milestone_id: (due_on, time_zone)})
        if len(found) > MOVED_MAX:
            raise TooManyMoved(f"{len(found)} would have to move; up to {MOVED_MAX} can.")
        last = max(found.values(), default=due_on)
        if last.year > YEARS[1]:
            raise MovedOutsideCalendar(f"One would be due on {last}.")
        return found

    def note_due(self, milestone_id: UUID, due_on: date, time_zone: str) -> None:
        """Know that a deadline has moved."""
        step = self.steps[milestone_id]
        self.steps[milestone_id] = replace(step, due_on=due_on, time_zone=time_zone)

    def note_waiting(self, milestone_id: UUID, on: Sequence[Dependency]) -> None:
        """Know what a milestone waits for now."""
        self.steps[milestone_id] = replace(self.steps[milestone_id], depends_on=on)
        self.__dict__.pop("_followers", None)
        self.__dict__.pop("_ids_in_order", None)

    def in_order(self) -> dict[UUID, date]:
        """Find which deadlines lie before what they wait for, and the first days that do not."""
        return self._giving_way([step for step in self._in_order if step.is_open], {})

    def _giving_way(
        self, steps: Iterable[Step], due: dict[UUID, tuple[date, str]]
    ) -> dict[UUID, date]:
        moved: dict[UUID, date] = {}
        for step in steps:
            earliest = self._earliest_due(step.depends_on, step.time_zone, due)
            if earliest is not None and step.due_on < earliest:
                moved[step.id] = earliest
                due[step.id] = (earliest, step.time_zone)
        return moved

    def outlook(self) -> list[tuple[Step, Outlook]]:
        """Say of each milestone that is not cancelled when it can be done and when it must be.

        Each comes after all that it waits for.

        The end of the project is the day on which its last milestone can be done. What lies on
        the critical path has no slack: a day later there is a day later at the end.

        Source: critical path method, for results without a duration of their own: what a milestone
        waits for is its time, and else its forecast or deadline.
        """
        steps = [step for step in self._in_order if step.status != "cancelled"]
        earliest: dict[UUID, date] = {}
        for step in steps:
            earliest[step.id] = self._earliest_done(step, earliest)
        if not steps:
            return []
        end = max(_end(earliest[step.id], step.time_zone) for step in steps)
        latest: dict[UUID, date] = {}
        for step in reversed(steps):
            latest[step.id] = self._latest_done(step, latest, end)
        return [
            (
                step,
                Outlook(
                    earliest[step.id],
                    latest[step.id],
                    slack_days=(latest[step.id] - earliest[step.id]).days,
                    is_critical=step.is_open and latest[step.id] <= earliest[step.id],
                    is_late=step.is_open and earliest[step.id] > step.due_on,
                ),
            )
            for step in steps
        ]

    def _behind(self, milestone_id: UUID) -> list[Step]:
        """Everything that waits for a milestone, open or not."""
        reached, found = {milestone_id}, [self.steps[milestone_id]]
        for step in found:  # grows while it is walked
            for follower, _ in self._followers[step.id]:
                if follower not in reached:
                    reached.add(follower)
                    found.append(self.steps[follower])
        return found[1:]

    def _earliest_due(
        self,
        depends_on: Sequence[Dependency],
        time_zone: str,
        due: Mapping[UUID, tuple[date, str]],
    ) -> date | None:
        """The first day at whose end all that is still open can be due before; `due` goes first."""
        ends = []
        for step, lag_days in self._needed(depends_on):
            if step.is_open:
                day, where = due.get(step.id, (step.due_on, step.time_zone))
                ends.append(_end(day + timedelta(days=lag_days), where))
        return _first_day_by(max(ends), time_zone) if ends else None

    def _earliest_done(self, step: Step, earliest: Mapping[UUID, date]) -> date:
        if step.completed_on is not None:
            return step.completed_on
        ends = [
            _end(earliest[needed.id] + timedelta(days=lag_days), needed.time_zone)
            for needed, lag_days in self._needed(step.depends_on)
            if needed.id in earliest
        ]
        if step.forecast_on is not None:
            ends.append(_end(step.forecast_on, step.time_zone))
        return _first_day_by(max(ends), step.time_zone) if ends else step.due_on

    def _latest_done(self, step: Step, latest: Mapping[UUID, date], end: datetime) -> date:
        if step.completed_on is not None:
            return step.completed_on
        followers = [(self.steps[each], lag) for each, lag in self._followers[step.id]]
        days = [
            _last_day_by(_end(latest[follower.id], follower.time_zone), step.time_zone)
            - timedelta(days=lag_days)
            for follower, lag_days in followers
            if follower.is_open
        ]
        return min(days, default=_last_day_by(end, step.time_zone))

    def _needed(self, depends_on: Sequence[Dependency]) -> list[tuple[Step, int]]:
        return [
            (self.steps[needed.milestone_id], needed.lag_days)
            for needed in depends_on
            if needed.milestone_id in self.steps
        ]


_end: Final = lru_cache(maxsize=10_000)(end_of_day)
"""Many milestones are due on the same days."""


def _first_day_by(moment: datetime, where: str) -> date:
    """The first day that ends no earlier than a moment."""
    return local_day(moment - INSTANT, where)


def _last_day_by(moment: datetime, where: str) -> date:
    """The last day that has ended by a moment."""
    return local_day(moment, where) - timedelta(days=1)
