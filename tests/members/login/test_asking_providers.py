"""How providers are asked: a few at a time, guarded, and once for all who wait."""

import asyncio

import pytest

from services.members.gateways.identity_provider_http import (
    IdentityProviderClient,
    ProviderAway,
)
from tests.members.login.provider import Provider

SLOW, QUICK = "https://slow.example", "https://quick.example"


@pytest.fixture
async def client() -> IdentityProviderClient:
    return IdentityProviderClient(allow_private=True, seconds=0.5, parallel=3)


async def test_a_slow_provider_holds_up_its_own_people_alone(
    client: IdentityProviderClient,
) -> None:
    answers = []

    async def log_in_at_the_slow_one() -> None:
        try:
            async with client.turn(SLOW):
                await asyncio.Event().wait()
        except ProviderAway as away:
            answers.append(str(away))

    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(log_in_at_the_slow_one())
        await asyncio.sleep(0)
        for _ in range(10):
            async with client.turn(QUICK):
                assert answers == []

    assert answers == ["it took too long"] * 5


async def test_what_it_publishes_is_asked_for_once_for_all_who_wait(
    client: IdentityProviderClient, provider: Provider
) -> None:
    found = await asyncio.gather(*(client.metadata(provider.issuer) for _ in range(20)))

    assert {each["issuer"] for each in found} == {provider.issuer}
    assert provider.asked == ["/.well-known/openid-configuration"]


async def test_what_was_known_outlives_an_outage(
    client: IdentityProviderClient, provider: Provider
) -> None:
    known = await client.keys(f"{provider.issuer}/jwks")
    provider.is_down = True
    remembered = client._known[f"{provider.issuer}/jwks"]
    client._known[f"{provider.issuer}/jwks"] = type(remembered)(
        remembered.document, remembered.read_at - 10_000
    )

    assert await client.keys(f"{provider.issuer}/jwks") == known
    assert provider.asked == ["/jwks"] * 2


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/", "http://no-such-name.invalid/", "gopher://127.0.0.1/", "http://[", ""],
)
async def test_what_cannot_be_asked_is_away(client: IdentityProviderClient, url: str) -> None:
    with pytest.raises(ProviderAway):
        await client.fetch("GET", url, {}, None)


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://localhost/", "http://1.1.1.1/"])
async def test_nothing_in_our_house_is_asked(url: str) -> None:
    client = IdentityProviderClient(allow_private=False, seconds=0.5, parallel=1)

    with pytest.raises(ProviderAway):
        await client.fetch("GET", url, {}, None)
