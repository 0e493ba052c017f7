"""Who loses the right while a request waits for its turn does nothing with it."""

import asyncio
from typing import Final

import pytest

from services.members.model.client import Client
from services.members.model.member import Member
from shared.clock import utc_now
from tests.members.governing import ENDING, SENSITIVE, Request, city_of
from tests.members.network import Network, code_of
from tests.members.oauth.people import until_somebody_waits

VERBS: Final = (
    SENSITIVE
    | ENDING
    | {
        "give up a mail domain": Request("DELETE", "/seoul/email-domains/{domain}", version=1),
    }
)


@pytest.mark.parametrize("request_", VERBS.values(), ids=VERBS.keys())
async def test_a_client_that_is_revoked_while_it_waits_changes_nothing(
    network: Network, request_: Request
) -> None:
    seoul = await city_of(network)
    await network.send("POST", "/seoul/email-domains", {"domain": "busan.example"}, by="seoul")
    seoul.things["domain"] = "busan.example"
    about = request_.of(seoul)
    async with network.database.sessions.begin() as session:
        session.add(
            Client(
                id="seoul-main",  # whose tokens the network has
                member="seoul",
                name="Main",
                scopes=("members:read", "members:write"),
                created_at=utc_now(),
                updated_at=utc_now(),
            )
        )
    before = await seoul.traces()

    async with network.database.sessions.begin() as session:
        await session.get_one(Member, "seoul", with_for_update=True)
        waiting = asyncio.create_task(
            network.send(about.method, about.path, about.body, by="seoul", version=about.version)
        )
        await until_somebody_waits(network)
        (await session.get_one(Client, "seoul-main")).status = "revoked"
    response = await waiting

    assert (response.status_code, code_of(response)) == (401, "unauthenticated")
    assert await seoul.traces() == before
