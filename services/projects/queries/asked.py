"""Whom decisions ask, as a condition in SQL."""

from sqlalchemy import BindParameter, ColumnElement, exists

from services.projects.model.decision import Decision, Elector


def is_silent(member: str | BindParameter[str]) -> ColumnElement[bool]:
    """Match the decisions that ask `member` and have no position of it."""
    return (
        exists()
        .where(
            Elector.decision_id == Decision.id,
            Elector.member == member,
            Elector.position.is_(None),
            Elector.counted_out_at.is_(None),
        )
        .correlate(Decision)
    )
