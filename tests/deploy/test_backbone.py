"""What PostgreSQL and NATS allow each service, as the embedded platform sets them up."""

import asyncio

import asyncpg
import nats
import pytest
from nats.js import JetStreamContext

from tests.servers import Servers, create_database, drop_database


def plain(url: str) -> str:
    return url.replace("+asyncpg", "", 1)


async def test_a_service_owns_its_database_and_gives_up_waiting_for_locks(
    servers: Servers,
) -> None:
    connection = await asyncpg.connect(
        plain(servers.postgres_url("renkei_projects", user="projects"))
    )
    try:
        owner = await connection.fetchval(
            "select pg_get_userbyid(datdba) from pg_database where datname = current_database()"
        )
        settings = [
            await connection.fetchval(f"show {name}")
            for name in ("lock_timeout", "idle_in_transaction_session_timeout")
        ]
    finally:
        await connection.close()

    assert owner == "projects"
    assert settings == ["5s", "30s"]


async def test_a_service_cannot_open_the_database_of_another(servers: Servers) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(plain(servers.postgres_url("renkei_members", user="projects")))


async def test_text_sorts_the_same_on_every_machine(servers: Servers) -> None:
    connection = await asyncpg.connect(servers.postgres_admin_url)
    try:
        sorted_names = await connection.fetch(
            "select name from unnest(array['b', 'B', 'é', 'a', '東京']) name order by name"
        )
    finally:
        await connection.close()

    assert [row["name"] for row in sorted_names] == ["B", "a", "b", "é", "東京"]


async def test_a_database_is_a_copy_of_its_template(servers: Servers) -> None:
    template = await create_database(servers)
    connection = await asyncpg.connect(plain(template))
    await connection.execute("create table city as select 'tokyo' as slug")
    await connection.close()

    copied = await create_database(servers, template.rpartition("/")[2])

    connection = await asyncpg.connect(plain(copied))
    try:
        assert await connection.fetchval("select slug from city") == "tokyo"
    finally:
        await connection.close()
        await drop_database(servers, copied)
        await drop_database(servers, template)


async def test_a_service_announces_in_its_own_name_only(servers: Servers) -> None:
    complaints: list[str] = []
    refused = asyncio.Event()

    async def complain(error: Exception) -> None:
        complaints.append(str(error))
        refused.set()

    heard: list[str] = []
    operator = await nats.connect(servers.nats_url)
    members = await nats.connect(servers.nats_url_of("members"), error_cb=complain)
    try:
        listening = await operator.subscribe("evt.*.backbone-test")
        await operator.flush()

        await members.publish("evt.members.backbone-test", b"")
        await members.publish("evt.projects.backbone-test", b"")
        await members.flush()
        async with asyncio.timeout(5):
            await refused.wait()
            heard.append((await listening.next_msg()).subject)
    finally:
        await members.close()
        await operator.close()

    assert heard == ["evt.members.backbone-test"]
    assert complaints == ['nats: permissions violation for publish to "evt.projects.backbone-test"']


async def test_a_service_reads_what_others_announced(servers: Servers) -> None:
    operator = await nats.connect(servers.nats_url)
    projects = await nats.connect(servers.nats_url_of("projects"))
    notifications = await nats.connect(servers.nats_url_of("notifications"))
    stream = "backbone-test"
    try:
        await operator.jetstream().add_stream(name=stream, subjects=["evt.projects.backbone.>"])
        await projects.jetstream().publish("evt.projects.backbone.1", b"a fact")

        message = await first_of(notifications.jetstream(), stream)

        assert message == b"a fact"
    finally:
        await operator.jetstream().delete_stream(stream)
        for connection in (operator, projects, notifications):
            await connection.close()


async def first_of(jetstream: JetStreamContext, stream: str) -> bytes:
    subscription = await jetstream.pull_subscribe(
        "evt.projects.backbone.>", durable="backbone-test", stream=stream
    )
    (message,) = await subscription.fetch(1, timeout=5)
    await message.ack_sync()
    return message.data


async def test_nobody_speaks_without_a_password(servers: Servers) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", servers.nats_port)
    await reader.readline()

    writer.write(b"CONNECT {}\r\nPING\r\n")
    answer = await reader.readline()

    writer.close()
    await writer.wait_closed()
    assert answer == b"-ERR 'Authorization Violation'\r\n"
