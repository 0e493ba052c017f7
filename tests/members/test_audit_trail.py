"""A trail shows where it was touched."""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.members.model.audit import (
    AuditEntry,
    AuditHead,
    Break,
    Walk,
    break_at,
    hash_after,
)

LENGTH = 9


def entry(number: int) -> AuditEntry:
    return AuditEntry(
        member="seoul",
        at=datetime(2026, 11, 23, 9, number, tzinfo=UTC),
        action="official.changed",
        outcome="done",
        reason=None,
        subject=f"official:{number}",
        actor="client:seoul-main",
        actor_member="seoul",
        client_id="seoul-main",
        session_id=None,
        details={"fields": ["ソウル", number], "b": None, "a": True},
    )


def trail() -> tuple[list[AuditEntry], AuditHead]:
    """Nine entries, and their end."""
    head = AuditHead(member="seoul")
    entries = [entry(number) for number in range(1, LENGTH + 1)]
    for each in entries:
        head.append(each)
    return entries, head


def first_break(entries: list[AuditEntry], head: AuditHead) -> Break | None:
    entries = sorted(entries, key=lambda each: each.position)
    walk = Walk()
    rest = list(entries)
    while rest and walk.follows(rest[0]):
        rest.pop(0)
    return break_at(walk, rest, head)


def renumber(entries: list[AuditEntry]) -> None:
    for position, each in enumerate(entries, 1):
        each.position = position


def rehash(each: AuditEntry) -> None:
    each.hash = each.computed_hash()


def test_a_trail_that_nobody_touched_has_no_break() -> None:
    assert first_break(*trail()) is None


def test_an_empty_trail_has_no_break() -> None:
    assert first_break([], AuditHead(member="seoul")) is None


def test_the_hash_is_that_of_the_canonical_form() -> None:
    hashed = hash_after("ab", {"b": 1, "a": ["ソウル", None], "c": {"y": True, "x": "\n"}})

    # printf '%s' 'ab{"a":["ソウル",null],"b":1,"c":{"x":"\n","y":true}}' | sha256sum
    assert hashed == "e1092d5ecebf0b09ff238e665745e4c90565b14f288acda87da230a5178e391a"


FIELDS: list[tuple[str, Any]] = [
    ("member", "busan"),
    ("at", datetime(2026, 11, 23, 10, tzinfo=UTC)),
    ("action", "official.erased"),
    ("outcome", "refused"),
    ("reason", "because"),
    ("subject", "official:0"),
    ("actor", None),
    ("actor_member", "tokyo"),
    ("client_id", None),
    ("session_id", "0199"),
    ("details", {}),
]


@pytest.mark.parametrize("name, value", FIELDS)  # noqa: PT006
@given(position=st.integers(1, LENGTH))
def test_a_change_of_any_field_is_found(name: str, value: Any, position: int) -> None:
    entries, head = trail()

    setattr(entries[position - 1], name, value)

    assert first_break(entries, head) == Break(position, "changed")


@given(position=st.integers(1, LENGTH))
def test_a_change_with_a_hash_that_fits_it_is_found(position: int) -> None:
    entries, head = trail()

    entries[position - 1].subject = "official:0"
    rehash(entries[position - 1])

    assert first_break(entries, head) == Break(position, "changed")


@given(position=st.integers(1, LENGTH), is_renumbered=st.booleans())
def test_a_missing_entry_is_named(position: int, is_renumbered: bool) -> None:
    entries, head = trail()

    del entries[position - 1]
    if is_renumbered:
        renumber(entries)

    assert first_break(entries, head) == Break(position, "missing")


@given(length=st.integers(0, LENGTH - 1))
def test_a_tail_that_was_cut_off_is_named_by_its_first_entry(length: int) -> None:
    entries, head = trail()

    assert first_break(entries[:length], head) == Break(length + 1, "missing")


@given(position=st.integers(1, LENGTH), is_in_chain=st.booleans())
def test_an_entry_that_was_put_in_is_named(position: int, is_in_chain: bool) -> None:
    entries, head = trail()
    added = entry(0)
    added.previous_hash = entries[position - 1].previous_hash if is_in_chain else "0"
    added.hash = "0"

    entries.insert(position - 1, added)
    renumber(entries)
    if is_in_chain:
        rehash(added)

    assert first_break(entries, head) == Break(position, "inserted")


def test_an_entry_behind_the_head_was_put_in() -> None:
    entries, head = trail()
    behind = deepcopy(head)
    added = entry(0)
    behind.append(added)

    assert first_break([*entries, added], head) == Break(LENGTH + 1, "inserted")


@given(places=st.lists(st.integers(1, LENGTH), min_size=2, max_size=2, unique=True).map(sorted))
def test_entries_that_changed_places_are_found_at_the_first(places: list[int]) -> None:
    entries, head = trail()
    one, other = (entries[place - 1] for place in places)

    one.position, other.position = other.position, one.position

    assert first_break(entries, head) == Break(places[0], "moved")


TAMPERING: list[tuple[Callable[[AuditHead], None], Break]] = [
    (lambda head: setattr(head, "hash", "0"), Break(LENGTH, "changed")),
    (lambda head: setattr(head, "length", LENGTH - 1), Break(LENGTH, "inserted")),
    (lambda head: setattr(head, "length", LENGTH + 1), Break(LENGTH + 1, "missing")),
]


@pytest.mark.parametrize(("tamper", "found"), TAMPERING)
def test_a_head_that_was_touched_is_found(
    tamper: Callable[[AuditHead], None], found: Break
) -> None:
    entries, head = trail()

    tamper(head)

    assert first_break(entries, head) == found
