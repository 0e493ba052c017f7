"""Who may still be told a fact, as SQL: asked when it is sent, and when it is read from a feed.

`m` is the message, `member` what the other side calls the member. What was queued while a member
took part in a project is not told it afterwards, but for what became of its own place. Of what
nothing is known yet nothing is taken away: the fact named the member, and copies may be late.
"""

from typing import Final

AMONG_PARTICIPANTS: Final = """
CASE WHEN split_part(m.event_type, '.', 2) = 'comment' THEN
    convert_from(m.body, 'UTF8')::jsonb #>> '{data,state,visibility}' = 'participants'
ELSE false END
"""
"""Words that only those with a place in a project read, whoever sees the project."""

ROUNDS_MAX: Final = 3
"""So often a member's own facts may come back to it as the cause of its next ones."""


def rounds(member: str) -> str:
    """SQL for how many facts of a member led to this one.

    Args:
        member: an expression for its slug, such as `l.member`.
    """
    return f"cardinality(array_positions(m.chain, {member}))"


def hindrance_to_send(member: str) -> str:
    """SQL for why a fact is not sent to a member: as `hindrance`, or as it is its own `loop`.

    Args:
        member: an expression for its slug, such as `l.member`.
    """
    return f"""
    CASE WHEN m.acting_member = {member} AND {rounds(member)} > {ROUNDS_MAX} THEN 'loop'
    ELSE {hindrance(member)} END
    """


def hindrance(member: str) -> str:
    """SQL for why a member is not told a fact any more: `left_project`, or null.

    Args:
        member: an expression for its slug, such as `f.member`.
    """
    return f"""
    CASE WHEN m.project_id IS NOT NULL AND NOT m.is_for_all
        AND m.about_member IS DISTINCT FROM {member}
        AND EXISTS (SELECT FROM known_project p WHERE p.id = m.project_id)
        AND NOT EXISTS (
            SELECT FROM known_project p WHERE p.id = m.project_id
            AND (p.lead = {member} OR p.visibility = 'network' AND NOT {AMONG_PARTICIPANTS})
        )
        AND EXISTS (
            SELECT FROM known_participation k
            WHERE k.project_id = m.project_id AND k.member = {member}
        )
        AND NOT EXISTS (
            SELECT FROM known_participation k
            WHERE k.project_id = m.project_id AND k.member = {member}
              AND k.status IN ('invited', 'accepted')
        )
    THEN 'left_project' END
    """  # noqa: S608 -- the name of a column
