"""Nothing that a client can send yields 5xx, and nothing is taken for what it is not."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select

from tests.shared.served import Answer, send, served
from tests.shared.things import Place, Thing
from tests.shared.things_api import client_of, things_application
from tests.web import token

EVERYTHING = "/api/v1/things/everything"
JSON = {"content-type": "application/json"}


GOOD: dict[str, list[Any]] = {
    "line": [
        "Pier",
        "東京都",
        "a\u0301",
        "👩‍👩‍👧",
        "\U0001fae8",
        "'; DROP TABLE thing; --",
        "{{7*7}}",
    ],
    "text": ["a\nb\tc", "x" * 20_000],
    "lines": [{"en": "Pier"}, {"en": "Pier", "zh-Hant-TW": "碼頭", "es-419": "Muelle"}],
    "slug": ["seoul", "kuala-lumpur", "r20"],
    "country": ["KR"],
    "zone": ["Asia/Tokyo", "UTC"],
    "day": ["2026-04-01", "2028-02-29"],
    "instant": ["2026-04-01T09:00:00Z", "2026-04-01T09:00:00.123456+09:00", "2026-04-01t09:00:00z"],
    "whole": [0, 2**31 - 1],
    "flag": [True, False],
    "degrees": [-35.5, 127, 0],
    "email": ["o'neil+x@example.org"],
    "id": ["0199c7a0-0000-7000-8000-000000000001"],
    "several": [[], ["a", "b"]],
}

BAD: dict[str, list[Any]] = {
    "line": ["", "  ", "a\0b", "a\nb", "a\u2028b", "a\x7fb", "\ufffe", "x" * 301, 5, True, [], {}],
    "text": ["", "\n\t ", "a\rb", "x" * 20_001, "\x1b[31m"],
    "lines": [{}, {"EN": "x"}, {"en": ""}, {"en": 5}, {"": "x"}, [], "x", {"x" * 40: "x"}],
    "slug": ["", "a", "Seoul", "a--b", "-a", "a.b", "a\n", "ü-ber", "x" * 61, "../a", 7],
    "country": ["kr", "KOR", "K1", "", "ＫＲ"],
    "zone": ["Mars/Olympus", "", "../etc/passwd", "asia/tokyo", "x" * 1000],
    "day": [
        "2026-04-31", "2026-4-1", "26-04-01", "20260401", "2026-W14-3", "0000-01-01", "1899-12-31",
        "9999-12-31", "2026-04-01T00:00:00Z", "0", "1775000000", 5, 1.5, True, "2026-04-01\n",
        "２０２６-04-01",
    ],
    "instant": [
        "2026-04-01", "2026-04-01T09:00:00", "2026-02-30T00:00:00Z", "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+23:59", "5", "1775000000", 1775000000, "2026-04-01T24:00:01Z",
        "2026-04-01T09:00:00+99:99", "now", "",
    ],
    "whole": [-1, 2**31, 2**63, 10**400, 1.0, 1.5, True, "5", "１", [1]],
    "flag": [0, 1, "true", "yes", []],
    "degrees": ["1", True, [1]],
    "email": ["a", "a@b", "@example.org", "a@b@example.org", "a b@example.org", "ü@example.org",
              "a@example.org\nBcc: x@example.org", "x" * 255 + "@example.org"],
    "id": ["x", "", 5, "0199c7a0", "{0199c7a0-0000-7000-8000-000000000001"],
    "several": ["a", {"0": "a"}, [5], [["a"]]],
}  # fmt: skip


def cases(table: dict[str, list[Any]]) -> list[Any]:
    return [
        pytest.param(name, value, id=f"{name}-{number}")
        for name, values in table.items()
        for number, value in enumerate(values)
        if value is not None
    ]


@dataclass(frozen=True)
class Speaker:
    """Sends one request after another to one application."""

    client: Any
    place: Place

    async def says(self, body: bytes, path: str = EVERYTHING, **headers: str) -> Any:
        return await self.client.post(path, content=body, headers=JSON | headers)


@pytest.fixture
async def speaker(place: Place) -> AsyncIterator[Speaker]:
    async with client_of(place) as client:
        yield Speaker(client, place)


@pytest.mark.parametrize(("name", "value"), cases(GOOD))
async def test_what_people_write_is_accepted(speaker: Speaker, name: str, value: Any) -> None:
    response = await speaker.says(json.dumps({name: value}).encode())

    assert response.status_code == 200, response.text


@pytest.mark.parametrize(("name", "value"), cases(BAD))
async def test_what_is_no_such_value_is_refused(speaker: Speaker, name: str, value: Any) -> None:
    response = await speaker.says(json.dumps({name: value}).encode())

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    location = response.json()["errors"][0]["location"]
    assert location == f"body/{name}" or location.startswith(f"body/{name}/")


async def test_text_is_normalised(speaker: Speaker) -> None:
    response = await speaker.says('{"line": " Cafe\u0301 "}'.encode())

    assert response.json() == {"line": "Café"}


async def test_an_instant_is_kept_in_utc(speaker: Speaker) -> None:
    response = await speaker.says(b'{"instant": "2026-04-01T09:00:00+09:00"}')

    assert response.json() == {"instant": "2026-04-01T00:00:00Z"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b"5",
        b'"text"',
        b"{",
        b'{"line": "a"',
        b'{"line": "a"}}',
        b"{'line': 'a'}",
        b'{"line": "a",}',
        b'{"line": NaN}',
        b'{"degrees": NaN}',
        b'{"degrees": Infinity}',
        b'{"degrees": 1e400}',
        b'{"degrees": -1e400}',
        b'{"whole": 1e400}',
        b'{"whole": ' + b"9" * 5000 + b"}",
        b'{"line": "\\ud800"}',
        b'{"line": "\\udfff\\ud800"}',
        b'{"line": "\xed\xa0\x80"}',
        b'{"line": "\xff"}',
        b'{"line": "\xc0\x80"}',
        b'{"line": "a\x00b"}',
        b'{"line": "a\nb"}',
        b"\xef\xbb\xbf{}",
        '{"line": "a"}'.encode("utf-16"),
        b'{"several": ' + b"[" * 400 + b"]" * 400 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"unknown": 1}',
        b'{"line": "a", "Line": "b"}',
        b'{"\\ud800": 1}',
        b'{"__proto__": {}}',
        b"\x00",
        b"line=a",
        b"<line>a</line>",
    ],
)
async def test_what_is_no_good_json_is_refused(speaker: Speaker, body: bytes) -> None:
    response = await speaker.says(body)

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "/problems/invalid-request"


@pytest.mark.parametrize(
    "value", [b"NaN", b"-Infinity", b'"\\ud800"', b"[" * 400 + b"]" * 400], ids=str
)
async def test_a_route_that_takes_any_json_is_given_good_json_only(
    speaker: Speaker, value: bytes
) -> None:
    response = await speaker.says(b'{"any": ' + value + b"}", path="/api/v1/things/unchecked")

    assert response.status_code == 422
    assert response.json()["errors"] == [
        {"location": response.json()["errors"][0]["location"], "detail": "JSON decode error"}
    ]


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
     "application/xml", "application/json/x", ";", "\xff", "application", "text/json"],
)  # fmt: skip
async def test_a_body_that_is_not_said_to_be_json_is_not_read_as_such(
    speaker: Speaker, content_type: str
) -> None:
    headers = {b"content-type": content_type.encode("latin-1")}
    response = await speaker.client.post(EVERYTHING, content=b'{"line": "a"}', headers=headers)

    assert response.status_code in {400, 422}
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/merge-patch+json",
    ],
)
async def test_json_may_be_named_in_several_ways(speaker: Speaker, content_type: str) -> None:
    response = await speaker.client.post(
        EVERYTHING, content=b'{"line": "a"}', headers={"content-type": content_type}
    )

    assert response.status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=0",
        "limit=201",
        "limit=9223372036854775808",
        "limit=" + "9" * 5000,
        "limit=1e2",
        "limit=5.5",
        "limit=true",
        "limit=",
        "limit=%00",
        "limit=５",
        "limit=1&limit=2",
        "limit=1&LIMIT=2",
        "unknown=1",
        "limit[]=1",
        "limit=1;limit=2",
        "updated_since=yesterday",
        "updated_since=5",
        "updated_since=2026-04-01",
        "updated_since=9999-12-31T23:59:59-23:59",
        "updated_since=0001-01-01T00:00:00%2B23:59",
        "updated_since=2026-04-01T09:00:00Z%00",
        "newest_first=maybe",
        "newest_first=",
        "%00=1",
        "%ff=1",
        "%ED%A0%80=1",
        "=",
        "&&=&",
        "cursor=a&cursor=b",
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(speaker: Speaker, query: str) -> None:
    response = await speaker.client.get(f"/api/v1/things?{query}")

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "thing_id", ["x", "5", "%00", "%ff", "%ED%A0%80", "..", "%2e%2e", "a" * 5000, "null", "{id}"]
)
async def test_an_identifier_that_is_none_is_refused(speaker: Speaker, thing_id: str) -> None:
    response = await speaker.client.get(f"/api/v1/things/{thing_id}")

    assert response.status_code in {404, 422}
    assert response.headers["content-type"] == "application/problem+json"


async def test_a_refused_request_has_changed_nothing(speaker: Speaker) -> None:
    response = await speaker.says(b'{"title": "Pier", "colour": "red"}', path="/api/v1/things")

    assert response.status_code == 422
    async with speaker.place.sessions() as session:
        assert (await session.scalars(select(Thing))).all() == []
    assert await speaker.place.waiting_titles() == []


# --- on the wire, with the real server ----------------------------------------------------------


@pytest.fixture
async def port(place: Place) -> AsyncIterator[int]:
    small = place.with_settings(body_limit_bytes=10_000)
    async with served(things_application(small)) as port:
        yield port


def head(*lines: str, path: str = EVERYTHING, method: str = "POST") -> bytes:
    return (
        f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token('seoul')}\r\n"
        + "".join(f"{line}\r\n" for line in lines)
        + "\r\n"
    ).encode("latin-1")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def is_too_large(answer: Answer) -> bool:
    problem = json.loads(answer.body)
    return (answer.status, answer.headers["content-type"], problem["type"], problem["detail"]) == (
        413,
        "application/problem+json",
        "/problems/too-large",
        "At most 10000 bytes are read.",
    )


async def test_a_good_request_passes_the_wire(port: int) -> None:
    body = b'{"line": "a"}'
    answer = await send(
        port, head("Content-Type: application/json", f"Content-Length: {len(body)}"), body
    )

    assert (answer.status, json.loads(answer.body)) == (200, {"line": "a"})


async def test_a_body_that_is_announced_as_too_large_is_not_read(port: int) -> None:
    answer = await send(port, head("Content-Type: application/json", "Content-Length: 20000000"))

    assert is_too_large(answer)


async def test_a_body_in_chunks_is_read_up_to_the_limit(port: int) -> None:
    chunks = [chunk(b" " * 1000) for _ in range(30)]
    answer = await send(
        port, head("Content-Type: application/json", "Transfer-Encoding: chunked"), *chunks
    )

    assert is_too_large(answer)


async def test_a_body_in_chunks_may_have_the_limit(port: int) -> None:
    body = b'{"line": "a"}'.ljust(10_000)
    answer = await send(
        port,
        head("Content-Type: application/json", "Transfer-Encoding: chunked"),
        *(chunk(body[start : start + 1000]) for start in range(0, 10_000, 1000)),
        b"0\r\n\r\n",
    )

    assert answer.status == 200


async def test_what_follows_a_body_is_not_part_of_it(port: int) -> None:
    body = b'{"line": "a"}'
    answer = await send(
        port, head("Content-Type: application/json", f"Content-Length: {len(body)}"), body + body
    )

    assert (answer.status, json.loads(answer.body)) == (200, {"line": "a"})


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: -1",),
        ("Content-Length: x",),
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Content-Length: " + "9" * 30,),
        ("Content-Length: +5",),
        ("Transfer-Encoding: gzip",),
    ],
)
async def test_a_length_that_is_none_is_never_our_fault(port: int, lines: tuple[str, ...]) -> None:
    answer = await send(
        port, head("Content-Type: application/json", *lines), b'{"line": "a"}\r\n\r\n'
    )

    assert 400 <= answer.status < 500


@pytest.mark.parametrize(
    "path",
    [
        "/%ff%fe",
        "/api/v1/things/%ED%A0%80",
        "//",
        "/api/v1/things/%00",
        "/\xff",
        "/api/v1/things?%ff",
    ],
)
async def test_an_address_that_is_no_text_is_never_our_fault(port: int, path: str) -> None:
    answer = await send(port, head(path=path, method="GET"))

    assert 400 <= answer.status < 500


async def test_headers_that_are_no_text_are_never_our_fault(port: int) -> None:
    answer = await send(
        port,
        head(
            "Content-Type: \xff",
            "Content-Length: 2",
            "Idempotency-Key: \xff",
            "If-Match: \xff",
            "X-Request-Id: \xff",
            "traceparent: \xff",
            path="/api/v1/things",
        ),
        b"{}",
    )

    assert 400 <= answer.status < 500
    assert answer.headers["x-request-id"].isascii()
