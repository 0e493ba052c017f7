"""Whatever members try while time passes: no city is spoken for, and history stays true."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from services.projects.model.participation import HAS_A_PLACE, Participation
from services.projects.model.project import UNDER_WAY
from services.projects.model.standing import Standing
from shared.contracts.projects import ParticipationState
from shared.refusals import Refusal
from tests.projects.scenes import NOON, SCOPES, ZONES, Scene, actor, known

LEAD = "tokyo"
CITIES = ("berlin", "delhi", "seoul")
ACTORS = st.sampled_from(("owner", "owner", "owner", LEAD, *CITIES))
"""Mostly whose turn it is: otherwise little would ever happen."""

GUESTS = st.sampled_from(CITIES)
DAYS = st.sampled_from([None, -1, 0, 1, 2, 15, 40])
ENDED = {"declined", "expired", "withdrawn"}


class Stay:
    """From when until when a member took part, as somebody writes it down who stands by."""

    def __init__(self, since: datetime) -> None:
        self.since = since
        self.until: datetime | None = None
        self.notice: datetime | None = None

    def holds_at_end_of(self, day: date, zone: str) -> bool:
        midnight = datetime.combine(day + timedelta(days=1), time.min, ZoneInfo(zone))
        end = midnight.astimezone(UTC)
        until = self.until or self.notice
        return self.since < end and (until is None or until >= end)


class Places(RuleBasedStateMachine):
    """Everybody tries everything at any time; the clock looks whenever it comes to it."""

    @initialize()
    def begin(self) -> None:
        self.now = NOON
        self.scene = Scene().propose()
        self.places: list[Participation] = []
        self.stays: dict[UUID, Stay] = {}
        self.status = dict.fromkeys((LEAD, *CITIES), "active")
        self.final: dict[UUID, ParticipationState] = {}
        self.reminded: Counter[tuple[UUID, datetime | None]] = Counter()
        for member in CITIES:
            self.invite("owner", member, 20)
        for member in CITIES[:2]:
            self.answer("owner", member, accept=True)

    def standing(self, member: str) -> Standing:
        places = {each.member: each.place for each in self.places if each.place is not None}
        return Standing(actor(member, SCOPES), self.status[member], ZONES[member], places)

    def newest(self, member: str) -> Participation:
        return next(each for each in reversed(self.places) if each.member == member)

    def attempt(
        self, act: Callable[[], Any], by: str, *, owner: str, place: Participation | None = None
    ) -> bool:
        """A refusal leaves no trace; what succeeds is the owner's to do, who may act at all."""
        before = [each.state() for each in self.places]
        try:
            act()
        except Refusal:
            assert [each.state() for each in self.places] == before
            return False
        assert by == owner
        assert self.status[by] == "active"
        if place is not None:
            assert place.id not in self.final
        return True

    # What members try.

    @rule(by=ACTORS, member=GUESTS, days=DAYS)
    def invite(self, by: str, member: str, days: int | None) -> None:
        by = LEAD if by == "owner" else by
        today = self.now.date()
        made: list[Participation] = []
        had_a_place = any(each.member == member for each in self.places if each.place)

        def act() -> None:
            made.append(
                Participation.invite(
                    self.scene.project,
                    member=member,
                    known=known(member, self.status[member]),
                    role="participant",
                    note=None,
                    answer_by_on=None if days is None else today + timedelta(days=days),
                    time_zone=None,
                    by=self.standing(by),
                    at=self.now,
                )
            )

        if self.attempt(act, by, owner=LEAD):
            assert not had_a_place
            assert self.status[member] == "active"
            self.places += made

    @rule(by=ACTORS, member=GUESTS, accept=st.sampled_from([True, True, False]))
    def answer(self, by: str, member: str, accept: bool) -> None:
        by = member if by == "owner" else by
        place = self.newest(member)
        standing, end = self.standing(by), place.answer_by_at
        offered = place.allowed_actions(standing, self.now)

        def act() -> None:
            if accept:
                place.accept(reservation=None, note=None, by=standing, at=self.now)
            else:
                place.decline(note=None, by=standing, at=self.now)

        done = self.attempt(act, by, owner=member, place=place)
        assert done == (("accept" if accept else "decline") in offered)
        if done:
            assert end is not None
            assert self.now < end
            if accept:
                self.stays[place.id] = Stay(self.now)

    @rule(member=GUESTS)
    def join(self, member: str) -> None:
        self.invite("owner", member, 20)
        self.answer("owner", member, accept=True)

    @rule(member=GUESTS, days=st.integers(1, 3), hours=st.integers(1, 80))
    def leave_later(self, member: str, days: int, hours: int) -> None:
        self.withdraw("owner", member, days)
        self.let_time_pass(hours)
        self.retract("owner", member)

    @rule(by=ACTORS, member=GUESTS, days=DAYS)
    def withdraw(self, by: str, member: str, days: int | None) -> None:
        by = member if by == "owner" else by
        place = self.newest(member)
        standing = self.standing(by)
        here = self.now.astimezone(ZoneInfo(ZONES[member])).date()
        on = None if days is None else here + timedelta(days=days)
        offered = place.allowed_actions(standing, self.now)
        done = self.attempt(
            lambda: place.withdraw(on=on, note="Bye", by=standing, at=self.now),
            by,
            owner=member,
            place=place,
        )
        assert done == ("withdraw" in offered and days != -1)
        if done and on is not None and on > here:
            begins = datetime.combine(on, time.min, ZoneInfo(ZONES[member]))
            self.stays[place.id].notice = begins.astimezone(UTC)
        elif done:
            self.stays[place.id].until = self.now

    @rule(by=ACTORS, member=GUESTS)
    def retract(self, by: str, member: str) -> None:
        by = member if by == "owner" else by
        place = self.newest(member)
        standing = self.standing(by)
        offered = place.allowed_actions(standing, self.now)
        done = self.attempt(
            lambda: place.retract_withdrawal(note=None, by=standing, at=self.now),
            by,
            owner=member,
            place=place,
        )
        assert done == ("retract" in offered)
        if done:
            notice, self.stays[place.id].notice = self.stays[place.id].notice, None
            assert notice is not None
            assert self.now < notice

    @rule(by=ACTORS, member=GUESTS, days=st.sampled_from([None, 1, 10, 25, 40]))
    def change_invitation(self, by: str, member: str, days: int | None) -> None:
        by = LEAD if by == "owner" else by
        place = self.newest(member)
        standing, end = self.standing(by), place.answer_by_at
        offered = place.allowed_actions(standing, self.now)

        def act() -> None:
            if days is None:
                place.revoke(note=None, by=standing, at=self.now)
            else:
                place.extend(
                    self.now.date() + timedelta(days=days), "UTC", by=standing, at=self.now
                )

        done = self.attempt(act, by, owner=LEAD, place=place)
        assert not done or ("revoke" if days is None else "extend") in offered
        if done and days is not None:
            assert end is not None
            assert place.answer_by_at is not None
            assert place.answer_by_at > end

    # What happens to them.

    @rule(member=GUESTS, status=st.sampled_from(["suspended", "active", "active"]))
    def change_membership(self, member: str, status: str) -> None:
        if self.status[member] != "withdrawn":
            self.status[member] = status

    @rule(member=GUESTS, really=st.integers(0, 9))
    def leave_network(self, member: str, really: int) -> None:
        if really or self.status[member] == "withdrawn":
            return
        self.status[member] = "withdrawn"
        place = self.newest(member)
        if place.place is not None:
            place.leave_network(ZONES[member], at=self.now)
            if stay := self.stays.get(place.id):
                stay.until = min(self.now, stay.notice or self.now)

    @rule(rests=st.booleans())
    def lead(self, rests: bool) -> None:
        project, standing = self.scene.project, self.standing(LEAD)
        acts = (
            lambda: project.activate(by=standing, at=self.now),
            lambda: project.suspend("Rest", by=standing, at=self.now),
            lambda: project.resume(by=standing, at=self.now),
        )
        for act in acts if rests else acts[::2]:
            self.attempt(act, LEAD, owner=LEAD)

    @rule(hours=st.sampled_from([1, 3, 7, 26, 26, 24 * 9, 24 * 30]))
    def let_time_pass(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule()
    def let_the_clock_look(self) -> None:
        for place in self.places * 2:  # as two workers would
            if place.is_to_remind(self.now) and self.scene.project.status in UNDER_WAY:
                assert place.answer_by_at is not None
                assert self.now < place.answer_by_at <= self.now + timedelta(days=7)
                place.remind(at=self.now)
                self.reminded[place.id, place.answer_by_at] += 1
            if place.is_to_expire(self.now):
                place.expire(at=self.now)
            if place.is_to_withdraw(self.now):
                place.withdraw_as_announced(at=self.now)
                self.stays[place.id].until = self.stays[place.id].notice

    # What is true all the time.

    @invariant()
    def a_member_has_one_place_at_most(self) -> None:
        counts = Counter(each.member for each in self.places if each.status in HAS_A_PLACE)
        assert set(counts.values()) <= {1}

    @invariant()
    def what_has_ended_changes_no_more(self) -> None:
        for place in self.places:
            if place.status in ENDED:
                state = place.state()
                assert self.final.setdefault(place.id, state) == state
                assert place.place is None

    @invariant()
    def who_never_accepted_never_took_part(self) -> None:
        for place in self.places:
            assert (place.accepted_on is not None) == (place.id in self.stays)
            if place.status in {"expired", "declined"}:
                assert place.id not in self.stays

    @invariant()
    def a_time_to_answer_brings_one_reminder_at_most(self) -> None:
        assert set(self.reminded.values()) <= {1}

    @invariant()
    def nobody_keeps_a_place_that_left_the_network(self) -> None:
        for place in self.places:
            assert place.place is None or self.status[place.member] != "withdrawn"

    @invariant()
    def history_is_what_a_bystander_wrote_down(self) -> None:
        for member in CITIES:
            here = self.now.astimezone(ZoneInfo(ZONES[member])).date()
            for back in (1, 2, 10, 45):
                day = here - timedelta(days=back)
                on_record = [
                    each.id
                    for each in self.places
                    if each.member == member and each.takes_part_on(day)
                ]
                seen = [
                    each.id
                    for each in self.places
                    if each.member == member
                    and each.id in self.stays
                    and self.stays[each.id].holds_at_end_of(day, ZONES[member])
                ]
                assert on_record == seen
                assert len(seen) <= 1


TestPlaces = Places.TestCase
TestPlaces.settings = settings(max_examples=100, stateful_step_count=30)
