"""Somebody of whom the directory has told comes in: by a sure address, or named by the subject."""

import pytest

from tests.members.login.provider import SECRET, running_provider
from tests.members.login.seoul import Seoul, browser, is_in
from tests.members.network import city
from tests.members.scim.directory import Directory, directory_of


async def log_in(seoul: Seoul) -> bool:
    """Log in with a new browser, and tell whether that has a session then."""
    async with browser(seoul.network.app) as client:
        await seoul.log_in(client)
        return is_in(client)


async def bound(seoul: Seoul) -> list[str]:
    """Name the officials who have an identity, in the order of their appointment."""
    return [str(one.id) for one in await seoul.officials() if one.identity_id is not None]


async def named(seoul: Seoul) -> Directory:
    """A directory whose `externalId` is the subject at the city's provider."""
    return await directory_of(seoul.network, identity_provider_id=seoul.row["id"])


async def test_a_sure_address_binds_whom_the_directory_has_told_of(seoul: Seoul) -> None:
    made = await (await directory_of(seoul.network)).create()
    await seoul.prove()

    assert await log_in(seoul)

    assert await bound(seoul) == [made["id"]]


async def test_a_named_subject_binds_without_an_address(seoul: Seoul) -> None:
    made = await (await named(seoul)).create(externalId="kim-1", emails=[])
    seoul.provider.person |= {"email": None}

    assert await log_in(seoul)

    assert await bound(seoul) == [made["id"]]


async def test_an_external_id_alone_names_nobody(seoul: Seoul) -> None:
    await (await directory_of(seoul.network)).create(externalId="kim-1")

    assert not await log_in(seoul)

    assert await bound(seoul) == []


@pytest.mark.parametrize("external_id", ["KIM-1", "kim-1x", "kim", "kim-1\u200b"])
async def test_a_subject_is_named_exactly(seoul: Seoul, external_id: str) -> None:
    await (await named(seoul)).create(externalId=external_id)

    assert not await log_in(seoul)

    assert await bound(seoul) == []


async def test_whom_the_directory_names_is_nobody_else_with_the_same_address(
    seoul: Seoul,
) -> None:
    await (await named(seoul)).create(externalId="who-had-the-address-before")
    await seoul.prove()

    assert not await log_in(seoul)

    assert await bound(seoul) == []


async def test_the_named_subject_weighs_more_than_anothers_address(seoul: Seoul) -> None:
    directory = await named(seoul)
    meant = await directory.create("jun", externalId="kim-1")
    await seoul.invite("min@seoul.example")
    await seoul.prove()

    assert await log_in(seoul)

    assert await bound(seoul) == [meant["id"]]


async def test_one_subject_for_two_people_binds_neither(seoul: Seoul) -> None:
    directory = await named(seoul)
    for name in ("min", "jun"):
        await directory.create(name, externalId="kim-1")
    await seoul.prove()

    assert not await log_in(seoul)

    assert await bound(seoul) == []


async def test_who_is_deactivated_stays_out_also_under_another_entry(seoul: Seoul) -> None:
    directory = await named(seoul)
    await directory.create("gone", externalId="kim-1", active=False)
    await directory.create("jun", externalId="kim-1")
    await seoul.prove()

    assert not await log_in(seoul)

    assert await bound(seoul) == []


@pytest.mark.parametrize("change", ["issuer", "subject_claim"])
async def test_a_subject_is_named_at_one_issuer_and_claim(seoul: Seoul, change: str) -> None:
    await (await named(seoul)).create(externalId="kim-1", emails=[])
    if change == "subject_claim":
        seoul.provider.person["oid"] = "kim-1"
        await seoul.change(subject_claim="oid")
    else:
        async with running_provider() as moved:
            there = Seoul(seoul.network, moved, seoul.row)
            await there.change(issuer=moved.issuer, client_secret=SECRET)

            assert not await log_in(there)

    assert change == "issuer" or not await log_in(seoul)
    assert await bound(seoul) == []


async def test_another_members_directory_names_nobody_here(seoul: Seoul) -> None:
    await seoul.network.join(city("busan"))
    same_house = await seoul.network.send(
        "POST",
        "/busan/identity-providers",
        {"name": "x", "issuer": seoul.provider.issuer, "client_id": "x", "client_secret": "x"},
        by="busan",
    )
    provider_id = same_house.json()["id"]
    busan = await directory_of(seoul.network, "busan", identity_provider_id=provider_id)
    await busan.create(externalId="kim-1")

    assert not await log_in(seoul)

    assert await bound(seoul) == []


async def test_who_is_bound_stays_so_whatever_the_directory_says_later(seoul: Seoul) -> None:
    directory = await named(seoul)
    made = await directory.create(externalId="kim-1")
    await log_in(seoul)
    await directory.patch(
        f"/Users/{made['id']}", {"op": "replace", "path": "externalId", "value": "somebody"}
    )
    thief = {"sub": "somebody", "email": None}
    person = dict(seoul.provider.person)
    seoul.provider.person |= thief

    assert not await log_in(seoul)

    seoul.provider.person |= person
    assert await log_in(seoul)
    assert await bound(seoul) == [made["id"]]
