"""Use case: an operator lets a part of this platform be what officials of all members log in to."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.scopes import SCOPES
from services.members.queries.clients import first_party_client
from services.members.queries.members import host_for_change
from services.members.use_cases.fields import ClientFields
from services.members.use_cases.record import different, record
from services.members.use_cases.register_client import RegisteredClient, new_client
from shared.actor import Actor
from shared.contracts.members import ClientChanged, ClientRegistered
from shared.messaging.outbox import announce

CHANGING: Final = {
    "scopes",
    "keys",
    "redirect_uris",
    "post_logout_redirect_uris",
    "backchannel_logout_uri",
}


async def register_platform_application(
    session: AsyncSession,
    *,
    name: str,
    client_id: str | None = None,
    redirect_uris: Sequence[str],
    post_logout_redirect_uris: Sequence[str] = (),
    backchannel_logout_uri: str | None = None,
    keys: dict[str, Any] | None = None,
    now: datetime,
) -> RegisteredClient:
    """Register an application of the platform itself, which nobody has to consent to.

    It belongs to the host, covers every scope and serves every member. Asked again with the same
    name, it takes over the addresses and keys that it has now, and keeps its id and secret.

    Args:
        session: of the database.
        name: such as `portal`.
        client_id: what it is to be known by from the first time on; without, one is made.
        redirect_uris: where browsers may be sent back to.
        post_logout_redirect_uris: the same after a logout.
        backchannel_logout_uri: where it is told that a session in it has ended.
        keys: public keys as a JWK set, for `private_key_jwt`; without, it gets a secret.
        now: when.

    Returns:
        The client, and its secret if it has just been made.

    Raises:
        MemberNotFound: the network has not been opened.
        ValidationError: an address or a key is not acceptable.
    """
    host = await host_for_change(session)
    operator = Actor(member=host.slug)
    fields = ClientFields(
        name=name,
        scopes=SCOPES,
        kind="application",
        authentication="client_secret" if keys is None else "private_key_jwt",
        keys=keys,
        redirect_uris=tuple(redirect_uris),
        post_logout_redirect_uris=tuple(post_logout_redirect_uris),
        backchannel_logout_uri=backchannel_logout_uri,
        serves_network=True,
    )
    known = await first_party_client(session, host.slug, name)
    if known is None:
        registered = new_client(host, fields, now=now)
        client = registered.client
        client.id = client_id or client.id
        client.is_first_party = True
        client.ensure_consistent()
        session.add(client)
        announce(
            session,
            ClientRegistered.about(client.state(), by=operator, at=now, audience=(host.slug,)),
        )
        await record(
            session,
            member=host.slug,
            action="client.registered",
            subject=f"client:{client.id}",
            actor=operator,
            at=now,
            details={"kind": client.kind, "scopes": client.scopes},
        )
        return registered
    before = known.state()
    if known.become(fields.model_dump(include=CHANGING), at=now):
        announce(
            session,
            ClientChanged.about(
                known.state(), before=before, by=operator, at=now, audience=(host.slug,)
            ),
        )
        await record(
            session,
            member=host.slug,
            action="client.changed",
            subject=f"client:{known.id}",
            actor=operator,
            at=now,
            details={"fields": different(before, known.state()), "scopes": known.scopes},
        )
    return RegisteredClient(known, None)
