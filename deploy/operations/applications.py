"""Parts of this platform that officials log in to, registered by its operator."""

import json
import sys
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from deploy.operations.services import service
from shared.clock import utc_now


async def register_application(
    name: str,
    *,
    redirect_uris: Sequence[str],
    post_logout_redirect_uris: Sequence[str],
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
