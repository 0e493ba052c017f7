"""What every use case begins with that changes a client."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.client import Client, ensure_sees_clients_of
from services.members.model.member import Member
from services.members.model.speaker import Speaker
from services.members.queries.clients import client_of
from services.members.queries.members import member_for_change, speaker_of
from shared.contracts.members import ClientState
from shared.http.preconditions import ensure_version


@dataclass(frozen=True, slots=True)
class GovernedClient:
    """A client that may be changed now, and by whom."""

    client: Client
    before: ClientState
    member: Member
    speaker: Speaker


async def governed_client(
    session: AsyncSession,
    slug: str,
    client_id: str,
    *,
    expected: int | None,
    speaker: Speaker,
) -> GovernedClient:
    """Load a client, locked, for a speaker who may change it and has seen it as it is.

    Raises:
        MemberNotFound: there is no such member.
        SpeakerUnknown: the speaker's client has just been revoked.
        ClientNotFound: the member has no such client, or shows it to others only.
        OnlyTheMemberItself: the speaker is the secretariat.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
        VersionStale: it is at another version than `expected`.
    """
    member = await member_for_change(session, slug)
    # Once more: while this waited for its turn, the speaker's own client may have been revoked.
    speaker = await speaker_of(session, speaker.actor)
    ensure_sees_clients_of(slug, speaker)
    client = await client_of(session, slug, client_id, for_change=True)
    member.ensure_governed_by(speaker)
    before = client.state()
    ensure_version(expected, before)
    return GovernedClient(client, before, member, speaker)
