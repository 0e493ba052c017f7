"""What the demo's receiver of webhooks takes, and what it does not."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient, Response
from standardwebhooks import Webhook

from deploy.demo.receiver.app import receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = json.dumps(
    {
        "type": "renkei.milestone.completed.v1",
        "timestamp": "2026-04-01T00:00:00Z",
        "data": {"state": {"title": {"en": "Flood <maps>", "ja": "浸水想定図"}}},
    }
)


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    file = tmp_path / "demo.json"
    file.write_text(json.dumps({"webhooks": {"seoul": {"secret": SECRET}}}))
    return file


@pytest.fixture
async def city(demo: Path, tmp_path: Path) -> AsyncIterator[AsyncClient]:
    async with of_city(demo, tmp_path) as client:
        yield client


def of_city(demo: Path, place: Path) -> AsyncClient:
    transport = ASGITransport(receiver(demo, place / "receiver"))
    return AsyncClient(transport=transport, base_url="http://seoul.example")


def signed(
    message: str, *, body: str = BODY, secret: str = SECRET, age: timedelta = timedelta()
) -> dict[str, str]:
    at = datetime.now(UTC) - age
    return {
        "webhook-id": message,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message, at, body),
    }


async def deliver(city: AsyncClient, headers: dict[str, str], hook: str = "seoul") -> Response:
    return await city.post(f"/hooks/{hook}", content=BODY, headers=headers)


async def arrived(city: AsyncClient) -> list[Any]:
    arrivals: list[Any] = (await city.get("/arrivals.json")).json()
    return arrivals


async def test_it_agrees_to_be_sent_webhooks(city: AsyncClient) -> None:
    origin = {"WebHook-Request-Origin": "renkei.example"}

    answer = await city.options("/hooks/seoul", headers=origin)

    assert answer.headers["WebHook-Allowed-Origin"] == "renkei.example"
    assert answer.headers["WebHook-Allowed-Rate"] == "*"
    assert await arrived(city) == []


async def test_a_signed_message_arrives(city: AsyncClient) -> None:
    answer = await deliver(city, signed("msg_1"))

    assert answer.status_code == 204
    [arrival] = await arrived(city)
    assert (arrival["hook"], arrival["webhook_id"]) == ("seoul", "msg_1")
    assert arrival["body"] == json.loads(BODY)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed("msg_1", secret="whsec_" + "A" * 32),
        signed("msg_1", body="another body"),
        signed("msg_1", age=timedelta(minutes=6)),
        signed("msg_1") | {"webhook-signature": "v1"},
        signed("msg_1") | {"webhook-signature": "v1,~"},
        signed("msg_1") | {"webhook-id": "msg_2"},
    ],
    ids=["unsigned", "other key", "other body", "old", "no pair", "no base64", "other id"],
)
async def test_a_message_that_is_not_signed_for_the_city_is_refused(
    city: AsyncClient, headers: dict[str, str]
) -> None:
    answer = await deliver(city, headers)

    assert answer.status_code == 401
    assert await arrived(city) == []


async def test_a_message_that_comes_twice_is_kept_once(city: AsyncClient) -> None:
    await deliver(city, signed("msg_1"))

    again = await deliver(city, signed("msg_1", age=timedelta(seconds=5)))

    assert again.status_code == 204
    assert len(await arrived(city)) == 1


async def test_messages_survive_a_restart(city: AsyncClient, demo: Path, tmp_path: Path) -> None:
    await deliver(city, signed("msg_1"))

    async with of_city(demo, tmp_path) as restarted:
        await deliver(restarted, signed("msg_1"))
        await deliver(restarted, signed("msg_2"))

        assert [each["webhook_id"] for each in await arrived(restarted)] == ["msg_1", "msg_2"]


async def test_a_hook_without_a_known_secret_is_asked_to_come_again(city: AsyncClient) -> None:
    answer = await deliver(city, signed("msg_1"), hook="tomsk")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert await arrived(city) == []


@pytest.mark.parametrize(
    ("accepted", "heading", "about"),
    [
        ("en-GB,en", "What arrived from Renkei", "Flood &lt;maps&gt;"),
        ("ja,en;q=0.5", "Renkeiから届いた通知", "浸水想定図"),
    ],
)
async def test_the_page_shows_what_arrived_in_the_language_of_the_reader(
    city: AsyncClient, accepted: str, heading: str, about: str
) -> None:
    await deliver(city, signed("msg_1"))

    shown = (await city.get("/", headers={"accept-language": accepted})).text

    assert f"<h1>{heading}</h1>" in shown
    assert f"<td>{about}</td>" in shown
    assert "<td>milestone.completed</td>" in shown


async def test_the_receiver_says_that_it_is_ready(city: AsyncClient) -> None:
    assert (await city.get("/livez")).status_code == 200
    assert (await city.get("/readyz")).status_code == 200
