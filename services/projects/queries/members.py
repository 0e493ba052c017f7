"""Every SELECT of what is known of members, apart from who asks."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import ARRAY, Text, any_, bindparam, select

from services.projects.model.known import KnownMember
from services.projects.model.participation import MemberUnknown
from services.projects.queries.standings import HOME, ensure_may_read, parameters, reading_from
from shared.actor import Actor
from shared.reading import Question, Reading

_NAMED: Final = Question(
    select(KnownMember, HOME)
    .where(KnownMember.slug == any_(bindparam("slugs", type_=ARRAY(Text()))))
    .order_by(KnownMember.slug)
)


async def members_named(
    reading: Reading, slugs: Collection[str], *, actor: Actor
) -> list[KnownMember]:
    """Load members, in the order of their slugs, in one statement. Everybody may know of each.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        MemberUnknown: the network has no such member.
    """
    found = await reading.rows(_NAMED, parameters(actor, slugs=list(slugs)))
    if found:
        reading_from(actor, found[0][1], None)
    else:
        await ensure_may_read(reading, actor=actor)
    members: list[KnownMember] = [member for member, _ in found]
    unknown = sorted(set(slugs) - {member.slug for member in members})
    if unknown:
        raise MemberUnknown(f"There is no member {unknown[0]}.", members={"unknown": unknown})
    return members
