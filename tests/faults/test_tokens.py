"""A token that is good is good: while keys are replaced, and while members restarts or is away.

And a code, or a refresh token, is good once, however many ask and whomever they ask.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final
from uuid import uuid4

import pytest
from joserfc.jws import extract_compact

from deploy.demo.api import Refused
from deploy.demo.browser import Stuck
from deploy.embedded.layout import SERVICES
from tests.faults.load import side_by_side
from tests.faults.network import renkei
from tests.faults.striking import BACK_SECONDS, until
from tests.faults.town import NUMBERS, Town, key_of, running_town

pytestmark = pytest.mark.faults

MEMBERS: Final = tuple(f"members-web-{number}" for number in NUMBERS)
OTHERS: Final = ("projects", "notifications")
PARALLEL: Final = 12


@pytest.fixture(scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """A platform of its own: no other has people, providers and two of each process."""
    async with running_town(tmp_path_factory.mktemp("town")) as town:
        yield town


def all_good(services: Collection[str] = SERVICES) -> set[tuple[str, int]]:
    """What is answered where nothing goes wrong."""
    return {(service, 200) for service in services}


async def restarted(town: Town, name: str) -> None:
    """Let a process end in good order, and come back to where the edge sends it requests again."""
    await town.platform.pause(name)
    await town.platform.resume(name)
    await until(partial(town.serves, name), seconds=BACK_SECONDS, what=f"requests to {name}")


async def rotated(town: Town, *options: str) -> set[str]:
    """Begin to replace the keys, and tell the ids of those that sign next."""
    begun = await renkei(town.platform, "rotate-keys", *options)
    assert begun.returncode == 0, begun.stderr
    return {line.split()[1].removesuffix(":") for line in begun.stdout.splitlines()}


async def signs_everywhere(town: Town, key_ids: Collection[str]) -> None:
    """Wait until every process of the members service signs with one of these keys."""

    async def signs() -> bool:
        signed = [key_of(await town.issued_by(number)) for number in NUMBERS]
        return set(signed) <= set(key_ids)

    await until(signs, what="a new key signing")


async def published_everywhere(town: Town, key_ids: Collection[str]) -> None:
    """Wait until every process of the members service publishes these keys."""

    async def published() -> bool:
        sets = [await town.keys_of(number) for number in NUMBERS]
        return all(set(key_ids) <= each for each in sets)

    await until(published, what="new keys everywhere")


async def test_keys_are_replaced_and_no_good_token_is_refused(town: Town) -> None:
    traffic = town.traffic
    async with traffic.flowing() as answered:
        former = key_of(await town.issued_by(1))

        latter = await rotated(town)
        await published_everywhere(town, latter)
        await traffic.until_answered(20)
        published = key_of(await town.issued_by(1))
        # Minutes go by, in which every service reads the keys several times.
        await town.fetch(
            "members", "UPDATE signing_key SET created_at = created_at - '1 h'::interval"
        )
        await signs_everywhere(town, latter)
        await traffic.until_answered(40)
        both = {key_of(token) for token in traffic.tokens}
        # Everything that the former key has signed expires, and it goes.
        traffic.forget(signed_with=former)
        await town.fetch(
            "members", "UPDATE signing_key SET activated_at = activated_at - '1 h'::interval"
        )
        await until(lambda: is_gone(town, former), what="the end of the former key")

    assert published == former
    assert both <= {former, *latter}
    assert set(answered) == all_good()
    assert traffic.not_issued == []


async def is_gone(town: Town, key_id: str) -> bool:
    return not any([key_id in await town.keys_of(number) for number in NUMBERS])


async def test_keys_are_replaced_at_once_and_no_good_token_is_refused(town: Town) -> None:
    traffic = town.traffic
    async with traffic.flowing() as answered:
        former = key_of(await town.issued_by(1))

        latter = await rotated(town, "--now")
        await published_everywhere(town, latter)
        still = [key_of(await town.issued_by(number)) for number in NUMBERS]
        # The two minutes go by, in which caches between us and others expire.
        await town.fetch(
            "members",
            "UPDATE signing_key SET activated_at = now() WHERE activated_at > now()",
        )
        await signs_everywhere(town, latter)
        await traffic.until_answered(40)

    assert still == [former, former]
    assert set(answered) == all_good()
    assert traffic.not_issued == []


async def test_members_restarts_process_by_process_and_nobody_notices(town: Town) -> None:
    async with town.traffic.flowing() as answered:
        for name in MEMBERS:
            await restarted(town, name)

    assert set(answered) == all_good()
    assert town.traffic.not_issued == []


async def test_a_process_of_members_is_killed_and_no_good_token_is_refused(town: Town) -> None:
    async with town.traffic.flowing(issuing=False) as answered:
        for name in MEMBERS:
            killed = town.platform.kill(name)
            await town.platform.wait_restarted(name, killed, seconds=BACK_SECONDS)
            await until(partial(town.serves, name), seconds=BACK_SECONDS, what="requests to it")

    assert set(answered) == all_good()


async def test_others_know_who_asks_while_members_is_away_also_if_they_restart(town: Town) -> None:
    async with town.traffic.flowing(to=OTHERS, issuing=False) as answered:
        token = town.traffic.tokens[-1]
        for name in MEMBERS:
            await town.platform.pause(name)
        try:
            await town.traffic.until_answered(20, to=OTHERS)
            for number in NUMBERS:
                await side_by_side(restarted(town, f"{name}-web-{number}") for name in OTHERS)
            each = await town.statuses(token, OTHERS)
        finally:
            for name in MEMBERS:
                await town.platform.resume(name)

    assert set(answered) == all_good(OTHERS)
    assert each == {f"{service}-web-{number}": 200 for service in OTHERS for number in NUMBERS}


async def test_providers_restart_and_only_those_who_are_about_to_log_in_notice(town: Town) -> None:
    async with town.traffic.flowing() as answered:
        for name in town.providers():
            await town.platform.pause(name)
        for person in town.traffic.people:
            # Whoever has logged in already is not sent to the provider.
            await person.log_in()
        pages = []
        for member in town.members:
            async with town.somebody(member, "contributor") as late:
                with pytest.raises(Stuck) as stuck:
                    await late.log_in()
                pages.append(stuck.value.page)
        for name in town.providers():
            await town.platform.resume(name)
        came = []
        for member in town.members:
            async with town.somebody(member, "contributor") as early:
                came.append((await early.log_in())["token_type"])

    assert [page.status for page in pages] == [503 for _ in pages]
    assert came == ["Bearer" for _ in town.members]
    assert set(answered) == all_good()
    assert town.traffic.not_issued == []


async def test_a_machine_gets_another_secret_and_goes_on(town: Town) -> None:
    traffic = town.traffic
    machine = traffic.machines[0]
    client = f"/api/v1/members/{machine.member}/clients/{machine.client_id}"
    async with traffic.flowing() as answered:
        replaced = await machine.post(f"{client}/secret", key=str(uuid4()), version="*")
        await traffic.until_answered(20)
        others = len(traffic.not_issued)
        traffic.machines[0] = town.machine(machine.member, replaced["secret"])
        await traffic.until_answered(20)

    assert others == 0
    assert set(answered) == all_good()
    assert traffic.not_issued == []


async def test_a_provider_gets_another_secret_and_nobody_is_kept_from_logging_in(
    town: Town,
) -> None:
    came: list[str] = []
    left: dict[str, tuple[str, bool]] = {}
    for member in town.members:
        machine = town.world[member]
        providers = f"/api/v1/members/{member}/identity-providers"
        [active] = [each for each in await machine.all_of(providers) if each["status"] == "active"]
        there = f"{providers}/{active['id']}"
        async with coming_in(town, member, came):
            answer = await machine.send(
                "PATCH", there, json={"client_secret": "another"}, headers={"If-Match": "*"}
            )
            answer.raise_for_status()
            await arrivals(came, 2)
            offered = await machine.post(f"{there}/test", key=str(uuid4()))
            async with town.somebody(member, "administrator") as administrator:
                await administrator.browser.log_in(offered["url"], person=administrator.login)
            await arrivals(came, 2)
        shown = await machine.get(there)
        left[town.kind_of(member)] = (shown["status"], shown["has_next_secret"])

    assert set(came) == {"Bearer"}
    # The strict kind has been told of no other secret, so the login with it must have failed.
    expected = {"mock": ("active", False), "node": ("active", True)}
    assert left == {kind: expected[kind] for kind in left}


@asynccontextmanager
async def coming_in(town: Town, member: str, came: list[str]) -> AsyncIterator[None]:
    """Let one after the other log in with a new browser, and note what came of it."""
    ends = asyncio.Event()

    async def keep_coming() -> None:
        while not ends.is_set():
            async with town.somebody(member) as person:
                try:
                    came.append((await person.log_in())["token_type"])
                except (Stuck, Refused) as error:
                    came.append(repr(error))

    task = asyncio.create_task(keep_coming())
    try:
        yield
    finally:
        ends.set()
        await task


async def arrivals(came: list[str], more: int) -> None:
    """Wait until so many more have come."""
    wanted = len(came) + more

    async def have_come() -> bool:
        return len(came) >= wanted

    await until(have_come, seconds=60, what="logins")


@pytest.mark.parametrize("grant", ["authorization_code", "refresh_token"])
async def test_of_twelve_who_use_a_secret_at_once_one_gets_tokens_and_they_are_dead(
    town: Town, grant: str
) -> None:
    async with town.somebody(town.members[0]) as person:
        form = await person.come_back_with_code()
    if grant == "refresh_token":
        _, issued = await town.ask_for_tokens(1, **form)
        form = refreshing(issued)

    answers = await asyncio.gather(
        *(town.ask_for_tokens(NUMBERS[each % 2], **form) for each in range(PARALLEL))
    )

    [tokens] = [body for status, body in answers if status == 200]
    refused = [(status, body["error"]) for status, body in answers if status != 200]
    assert refused == [(400, "invalid_grant")] * (PARALLEL - 1)
    status, body = await town.ask_for_tokens(1, **refreshing(tokens))
    assert (status, body["error"]) == (400, "invalid_grant")

    async def is_out() -> bool:
        return set((await town.statuses(tokens["access_token"])).values()) == {401}

    await until(is_out, what="the end of the session everywhere")
    [ended] = await town.fetch(
        "members",
        "SELECT count(*) FROM event_log WHERE subject LIKE 'evt.members.session.' || $1 || '.%'",
        session_of(tokens["access_token"]),
    )
    assert ended[0] == 1


def refreshing(tokens: Mapping[str, Any]) -> dict[str, str]:
    """What an application asks with when its access token is about to expire."""
    return {"grant_type": "refresh_token", "refresh_token": str(tokens["refresh_token"])}


def session_of(token: str) -> str:
    payload = extract_compact(token.encode()).payload
    return str(json.loads(payload)["sid"])
