"""Which facts an endpoint wants, as SQL: `e` is the endpoint, `m` the message."""

from typing import Final


def matches(patterns: str, event_type: str) -> str:
    """SQL for whether one of some patterns wants events of a type, as `patterns_that_match` says.

    Args:
        patterns: an expression for an array of them.
        event_type: an expression for the type.
    """
    return f"""
    {patterns} && ARRAY[
        {event_type}, split_part({event_type}, '.', 1) || '.' || split_part({event_type}, '.', 2)
        || '.*', '*'
    ]
    """


WANTED: Final = f"""
    e.status = 'active' AND e.verified_at IS NOT NULL
    AND {matches("e.event_types", "m.event_type")}
    AND (e.project_ids = '{{}}' OR m.project_id = ANY (e.project_ids))
"""
