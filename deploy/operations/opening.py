"""The first start: who hosts the network."""

import json
import sys

from deploy.operations.applications import enter_portal, portal_settings
from deploy.operations.services import service
from shared.clock import utc_now


async def open_from_text(text: str, *, as_json: bool) -> int:
    """Open the network as the JSON text says, and print the secret of the host's first client.

    The portal is registered in the same step, if it is set up.
    """
    from services.members.use_cases import open_network

    host = open_network.HostFields.model_validate_json(text)
    portal = portal_settings()
    async with service("members").database() as (_, sessions):
        try:
            async with sessions.begin() as session:
                opened = await open_network.open_network(session, host=host, now=utc_now())
                if portal is not None:
                    await enter_portal(session, portal)
        except open_network.NetworkAlreadyOpen as refusal:
            print(refusal.detail, file=sys.stderr)
            return 1
    facts = {
        "member": opened.member,
        "administrator": str(opened.administrator_id),
        "client_id": opened.client_id,
        "client_secret": opened.client_secret,
    }
    if as_json:
        print(json.dumps(facts))
    else:
        print("\n".join(f"{name}: {value}" for name, value in facts.items()))
        print("The secret is not shown again.")
    return 0
