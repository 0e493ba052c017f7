"""The rules of membership, without a database."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.members.model.member import (
    EffectiveBeforePrevious,
    EffectiveInFuture,
    HostStays,
    Member,
    MembershipEnded,
    ReasonMissing,
    TransitionRuledOut,
)
from services.members.model.speaker import (
    MemberNotActive,
    OnlyTheMemberItself,
    OnlyTheSecretariat,
    Speaker,
)
from shared.actor import Actor, MissingScope
from shared.contracts.members import MembershipStatus
from shared.refusals import Refusal

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
OWN = frozenset({"members:read", "members:write"})
SEOUL = Speaker(Actor("seoul", client_id="seoul-main", scopes=OWN), "active", is_host=False)
BUSAN = Speaker(Actor("busan", client_id="busan-main", scopes=OWN), "active", is_host=False)
TOKYO = Speaker(Actor("tokyo", client_id="tokyo-main", scopes=OWN), "active", is_host=True)
SECRETARIAT = Speaker(
    Actor("tokyo", client_id="tokyo-office", scopes=OWN | {"network:write"}),
    "active",
    is_host=True,
)


def member(
    status: MembershipStatus = "active",
    *,
    slug: str = "seoul",
    zone: str = "Asia/Seoul",
    is_host: bool = False,
) -> Member:
    return Member(
        slug=slug,
        kind="city",
        name={"en": slug.title()},
        local_name=None,
        country="KR",
        time_zone=zone,
        latitude=37.566,
        longitude=126.9784,
        is_host=is_host,
        status=status,
        status_since=date(2001, 10, 1),
        created_at=NOON,
        updated_at=NOON,
    )


def take(
    found: Member,
    status: MembershipStatus,
    speaker: Speaker,
    *,
    on: date | None = None,
    reason: str | None = "a reason",
    at: datetime = NOON,
) -> None:
    found.take_step(status, effective_on=on, reason=reason, speaker=speaker, at=at)


ALLOWED: list[tuple[MembershipStatus, MembershipStatus, Speaker]] = [
    ("invited", "active", SEOUL),
    ("invited", "withdrawn", SEOUL),
    ("active", "suspended", SECRETARIAT),
    ("active", "withdrawn", SEOUL),
    ("suspended", "active", SECRETARIAT),
    ("suspended", "withdrawn", SEOUL),
    ("suspended", "withdrawn", SECRETARIAT),
]


@pytest.mark.parametrize(("before", "after", "speaker"), ALLOWED)
def test_a_step_is_open_to_whom_it_concerns(
    before: MembershipStatus, after: MembershipStatus, speaker: Speaker
) -> None:
    seoul = member(before)

    take(seoul, after, speaker, on=date(2005, 8, 30))

    assert (seoul.status, seoul.status_since) == (after, date(2005, 8, 30))
    assert (seoul.version, seoul.updated_at) == (2, NOON)


REFUSED: list[tuple[MembershipStatus, MembershipStatus, Speaker, type[Refusal]]] = [
    ("invited", "active", SECRETARIAT, OnlyTheMemberItself),
    ("invited", "active", BUSAN, OnlyTheMemberItself),
    ("invited", "withdrawn", SECRETARIAT, OnlyTheMemberItself),
    ("active", "withdrawn", SECRETARIAT, OnlyTheMemberItself),
    ("active", "suspended", SEOUL, OnlyTheSecretariat),
    ("active", "suspended", BUSAN, OnlyTheMemberItself),
    ("active", "suspended", TOKYO, OnlyTheMemberItself),
    ("suspended", "active", SEOUL, OnlyTheSecretariat),
    ("invited", "suspended", SECRETARIAT, TransitionRuledOut),
    ("active", "active", SEOUL, TransitionRuledOut),
    ("suspended", "suspended", SECRETARIAT, TransitionRuledOut),
    ("withdrawn", "active", SEOUL, MembershipEnded),
    ("withdrawn", "withdrawn", SEOUL, MembershipEnded),
]


@pytest.mark.parametrize(("before", "after", "speaker", "refusal"), REFUSED)
def test_every_other_step_is_refused(
    before: MembershipStatus, after: MembershipStatus, speaker: Speaker, refusal: type[Refusal]
) -> None:
    seoul = member(before)

    with pytest.raises(refusal):
        take(seoul, after, speaker)

    assert (seoul.status, seoul.version) == (before, 1)


def test_the_host_stays() -> None:
    tokyo = member(slug="tokyo", is_host=True)

    with pytest.raises(HostStays):
        take(tokyo, "suspended", SECRETARIAT)
    with pytest.raises(HostStays):
        take(tokyo, "withdrawn", SECRETARIAT)

    assert tokyo.version == 1


def test_a_suspension_says_why() -> None:
    seoul = member()

    with pytest.raises(ReasonMissing):
        take(seoul, "suspended", SECRETARIAT, reason=None)

    assert seoul.status == "active"


def test_the_day_is_that_of_the_member() -> None:
    honolulu, auckland = member(zone="Pacific/Honolulu"), member(zone="Pacific/Auckland")
    evening_in_london = datetime(2026, 5, 4, 20, 0, tzinfo=UTC)

    take(honolulu, "withdrawn", SEOUL, at=evening_in_london)
    take(auckland, "withdrawn", SEOUL, at=evening_in_london)

    assert honolulu.status_since == date(2026, 5, 4)
    assert auckland.status_since == date(2026, 5, 5)


def test_nothing_takes_effect_on_a_day_that_has_not_come_there() -> None:
    honolulu = member(zone="Pacific/Honolulu")
    already_tomorrow_in_tokyo = datetime(2026, 5, 5, 0, 30, tzinfo=UTC)

    with pytest.raises(EffectiveInFuture):
        take(honolulu, "withdrawn", SEOUL, on=date(2026, 5, 5), at=already_tomorrow_in_tokyo)

    assert honolulu.status == "active"


def test_history_is_entered_late_but_in_order() -> None:
    seoul = member()

    take(seoul, "suspended", SECRETARIAT, on=date(2003, 1, 1))
    take(seoul, "active", SECRETARIAT, on=date(2003, 1, 1))
    with pytest.raises(EffectiveBeforePrevious):
        take(seoul, "withdrawn", SEOUL, on=date(2002, 12, 31))

    assert (seoul.status, seoul.version) == ("active", 3)


def test_a_transition_records_who_did_what_when() -> None:
    seoul = member()

    step = seoul.take_step(
        "suspended",
        effective_on=date(2003, 1, 1),
        reason="Fees unpaid",
        speaker=SECRETARIAT,
        at=NOON,
    )

    assert (step.member, step.member_version, step.status) == ("seoul", 2, "suspended")
    assert (step.effective_on, step.reason) == (date(2003, 1, 1), "Fees unpaid")
    assert (step.recorded_at, step.recorded_by) == (NOON, "client:tokyo-office")


def test_a_step_needs_the_scope_of_its_side() -> None:
    seoul = member()
    reader = Speaker(Actor("seoul", scopes=frozenset({"members:read"})), "active", is_host=False)

    with pytest.raises(MissingScope):
        take(seoul, "withdrawn", reader)

    assert seoul.status == "active"


def test_only_an_active_member_changes_what_is_known_of_it() -> None:
    for status in ("invited", "suspended", "withdrawn"):
        with pytest.raises(MemberNotActive):
            member(status).ensure_may_change(SEOUL)
    with pytest.raises(OnlyTheMemberItself):
        member().ensure_may_change(BUSAN)

    member().ensure_may_change(SEOUL)
    member("suspended").ensure_may_change(SECRETARIAT)


def test_a_member_looks_after_its_own_officials_unless_suspended_or_gone() -> None:
    member("invited").ensure_governed_by(SEOUL)
    member("active").ensure_governed_by(SEOUL)

    for status in ("suspended", "withdrawn"):
        with pytest.raises(MemberNotActive):
            member(status).ensure_governed_by(SEOUL)
    for other in (BUSAN, SECRETARIAT):
        with pytest.raises(OnlyTheMemberItself):
            member().ensure_governed_by(other)


def test_the_secretariat_begins_what_the_member_continues() -> None:
    seoul = member("invited")
    seoul.ensure_may_appoint(SECRETARIAT, ("administrator",))
    seoul.ensure_may_register(SECRETARIAT)
    with pytest.raises(OnlyTheMemberItself):
        seoul.ensure_may_appoint(SECRETARIAT, ("coordinator",))

    seoul.has_officials = seoul.has_clients = True

    with pytest.raises(OnlyTheMemberItself):
        seoul.ensure_may_appoint(SECRETARIAT, ("administrator",))
    with pytest.raises(OnlyTheMemberItself):
        seoul.ensure_may_register(SECRETARIAT)
    seoul.ensure_may_appoint(SEOUL, ("coordinator",))
    seoul.ensure_may_register(SEOUL)


def test_nobody_begins_anything_for_a_member_that_has_left() -> None:
    seoul = member("withdrawn")

    with pytest.raises(MembershipEnded):
        seoul.ensure_may_appoint(SECRETARIAT, ("administrator",))
    with pytest.raises(MembershipEnded):
        seoul.ensure_may_register(SECRETARIAT)


@pytest.mark.parametrize(
    ("status", "speaker", "actions"),
    [
        ("invited", SEOUL, ["accept", "withdraw", "appoint_official", "register_client"]),
        ("invited", SECRETARIAT, ["change", "appoint_official", "register_client"]),
        ("active", SEOUL, ["withdraw", "change", "appoint_official", "register_client"]),
        (
            "active",
            SECRETARIAT,
            ["suspend", "change", "appoint_official", "register_client"],
        ),
        ("active", BUSAN, []),
        ("suspended", SEOUL, ["withdraw"]),
        (
            "suspended",
            SECRETARIAT,
            ["reinstate", "withdraw", "change", "appoint_official", "register_client"],
        ),
        ("withdrawn", SEOUL, []),
        ("withdrawn", SECRETARIAT, ["change"]),
    ],
)
def test_the_actions_offered_are_those_that_would_succeed(
    status: MembershipStatus, speaker: Speaker, actions: list[str]
) -> None:
    assert member(status).allowed_actions(speaker) == actions


STATUSES: list[MembershipStatus] = ["active", "suspended", "withdrawn"]
ACTION_OF = {
    ("invited", "active"): "accept",
    ("active", "suspended"): "suspend",
    ("suspended", "active"): "reinstate",
}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(STATUSES),
            st.sampled_from([SEOUL, BUSAN, TOKYO, SECRETARIAT]),
            st.dates(date(2001, 1, 1), date(2026, 12, 31)),
        ),
        max_size=12,
    )
)
def test_whatever_is_asked_for_the_history_stays_in_order(
    asked: list[tuple[MembershipStatus, Speaker, date]],
) -> None:
    seoul = member("invited")
    history = [seoul.begin(by=None, at=NOON)]

    for status, speaker, day in asked:
        offered = seoul.allowed_actions(speaker)
        before = seoul.state()
        try:
            step = seoul.take_step(
                status, effective_on=day, reason="a reason", speaker=speaker, at=NOON
            )
        except Refusal:
            assert seoul.state() == before
        else:
            assert ACTION_OF.get((before.status, status), "withdraw") in offered
            history.append(step)

    days = [step.effective_on for step in history]
    assert days == sorted(days)
    assert [step.member_version for step in history] == list(range(1, len(history) + 1))
    assert "withdrawn" not in [step.status for step in history[:-1]]
    assert seoul.status == history[-1].status
