"""Whom decisions ask, as a condition in SQL."""

from sqlalchemy import BindParameter, ColumnElement, exists

from services.projects.model.decision import Decision, Elector


def asks(member: str | BindParameter[str]) -> ColumnElement[bool]:
    """Match the decisions that ask `member`, and still count it."""
    return _has_elector(member)


def is_silent(member: str | BindParameter[str]) -> ColumnElement[bool]:
    """Match the decisions that ask `member` and have no position of it."""
    return _has_elector(member, Elector.position.is_(None))


def _has_elector(
    member: str | BindParameter[str], *conditions: ColumnElement[bool]
) -> ColumnElement[bool]:
    return (
        exists()
        .where(
            Elector.decision_id == Decision.id,
            Elector.member == member,
            Elector.counted_out_at.is_(None),
            *conditions,
        )
        .correlate(Decision)
    )
