"""The catalogue of event types: complete, for everybody, and not sent twice."""

import json

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from jsonschema import Draft202012Validator

from services.notifications.http.event_types import described
from shared.contracts.describing import sample_of
from shared.contracts.event import CATALOGUE
from shared.contracts.projects import MilestoneCompleted
from tests.web import api

PATH = "/api/v1/event-types"


@pytest.fixture
def stranger(app: FastAPI) -> AsyncClient:
    return api(app)


async def test_every_type_is_listed_for_everybody(stranger: AsyncClient) -> None:
    response = await stranger.get(PATH)

    assert response.status_code == 200
    assert response.headers["cache-control"] == "public, max-age=300"
    items = response.json()["items"]
    assert [each["type"] for each in items] == sorted(CATALOGUE)
    for each in items:
        Draft202012Validator(each["data_schema"]).validate(each["sample"]["data"])
        assert each["sample"]["type"] == each["type"]
        assert each["description"]
        assert each["is_deprecated"] is False


async def test_one_type_says_who_may_hear_of_it(stranger: AsyncClient) -> None:
    shown = (await stranger.get(f"{PATH}/renkei.milestone.completed.v1")).json()

    assert (shown["publisher"], shown["entity"], shown["happened"], shown["version"]) == (
        "projects",
        "milestone",
        "completed",
        1,
    )
    assert shown["scope"] == "projects:read"
    assert "accountable" in json.dumps(shown["data_schema"])
    assert shown["sample"] == json.loads(sample_of(MilestoneCompleted).wire_form())


async def test_what_has_not_changed_is_not_sent_again(stranger: AsyncClient) -> None:
    for address in (PATH, f"{PATH}/renkei.milestone.completed.v1"):
        etag = (await stranger.get(address)).headers["etag"]

        again = await stranger.get(address, headers={"If-None-Match": f'"other", W/{etag}'})
        other = await stranger.get(address, headers={"If-None-Match": '"other"'})

        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
        assert other.status_code == 200


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("renkei.milestone.never.v1", 404),
        ("renkei.milestone.completed.v2", 404),
        ("renkei.milestone.*", 422),
        ("nonsense", 422),
        ("x" * 200, 422),
    ],
)
async def test_a_type_that_there_is_not_is_not_found(
    stranger: AsyncClient, name: str, status: int
) -> None:
    assert (await stranger.get(f"{PATH}/{name}")).status_code == status


def test_a_type_with_a_newer_version_is_deprecated(monkeypatch: pytest.MonkeyPatch) -> None:
    class Newer(MilestoneCompleted):
        """A milestone is done, in other words."""

        revision = 2

    monkeypatch.setitem(CATALOGUE, Newer.type_name(), Newer)

    assert described(MilestoneCompleted).is_deprecated
    assert not described(Newer).is_deprecated
