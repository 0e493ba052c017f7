"""Parts of this platform that officials log in to, registered by its operator."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from deploy.operations.services import service, settings_of
from shared.clock import utc_now

if TYPE_CHECKING:
    from services.portal.settings import PortalSettings


async def register_application(
    name: str,
    *,
    redirect_uris: Sequence[str],
    post_logout_redirect_uris: Sequence[str],
    backchannel_logout_uri: str | None,
    keys: dict[str, Any] | None,
    as_json: bool,
) -> int:
    """Register an application, or take over its addresses and keys, and print what it is."""
    from services.members.model.member import MemberNotFound
    from services.members.use_cases import (
        register_platform_application as registering,
    )

    async with service("members").database() as (_, sessions):
        try:
            async with sessions.begin() as session:
                registered = await registering.register_platform_application(
                    session,
                    name=name,
                    redirect_uris=redirect_uris,
                    post_logout_redirect_uris=post_logout_redirect_uris,
                    backchannel_logout_uri=backchannel_logout_uri,
                    keys=keys,
                    now=utc_now(),
                )
                facts = {
                    "client_id": registered.client.id,
                    "client_secret": registered.secret,
                    "redirect_uris": list(registered.client.redirect_uris),
                }
        except MemberNotFound:
            print("Open the network first, with `renkei init`.", file=sys.stderr)
            return 1
        except ValidationError as error:
            for each in error.errors():
                print(f"{'.'.join(map(str, each['loc']))}: {each['msg']}", file=sys.stderr)
            return 1
    if as_json:
        print(json.dumps(facts))
    else:
        print("\n".join(f"{name}: {value}" for name, value in facts.items()))
        if registered.secret is not None:
            print("The secret is not shown again.")
    return 0


async def register_portal(*, if_open: bool) -> int:
    """Register the portal as its settings say, and print its client id.

    Args:
        if_open: whether a network that has not been opened is no fault.
    """
    from services.members.model.member import MemberNotFound

    portal = portal_settings()
    if portal is None:
        print("Say as what: RENKEI_PORTAL_CLIENT_ID and RENKEI_PORTAL_CLIENT_KEY.", file=sys.stderr)
        return 1
    async with service("members").database() as (_, sessions):
        try:
            async with sessions.begin() as session:
                client_id = await enter_portal(session, portal)
        except MemberNotFound:
            if if_open:
                return 0
            print("Open the network first, with `renkei init`.", file=sys.stderr)
            return 1
    print(client_id)
    if client_id != portal.portal_client_id:
        print(f"It is known by that: set RENKEI_PORTAL_CLIENT_ID={client_id}.", file=sys.stderr)
        return 1
    return 0


def portal_settings() -> "PortalSettings | None":
    """Read how the portal is set up; nothing if nobody has said what it is registered as."""
    portal = cast("PortalSettings", settings_of("portal"))
    is_told = portal.portal_client_id and portal.portal_client_key.get_secret_value()
    return portal if is_told else None


async def enter_portal(session: AsyncSession, portal: "PortalSettings") -> str:
    """Make the portal an application of the platform, or take over its address and key.

    Returns:
        Its client id, which stays what it first was.

    Raises:
        MemberNotFound: the network has not been opened.
    """
    from services.members.use_cases import (
        register_platform_application as registering,
    )
    from services.portal.settings import key_of

    url = portal.own_url
    registered = await registering.register_platform_application(
        session,
        name="portal",
        client_id=portal.portal_client_id,
        redirect_uris=[f"{url}/session/callback"],
        post_logout_redirect_uris=[f"{url}/session/logged-out"],
        backchannel_logout_uri=f"{url}/session/backchannel-logout",
        keys={"keys": [key_of(portal.portal_client_key).as_dict(private=False)]},
        now=utc_now(),
    )
    return registered.client.id
