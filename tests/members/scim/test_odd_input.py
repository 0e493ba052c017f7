"""Whatever a directory sends, the answer is one of SCIM and never a fault of ours."""

import json
from itertools import product
from typing import Any, Final

import pytest
from httpx2 import Response

from tests.members.scim.directory import ERROR, GROUP, PATCH, USER, Directory

DEEP: Final = "[" * 100_000
NESTED: Final = '{"a":' * 5_000 + "1" + "}" * 5_000
SEARCH: Final = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"


def user(**fields: Any) -> str:
    return json.dumps({"schemas": [USER], "userName": "odd"} | fields)


def patch(*operations: Any) -> str:
    return json.dumps({"schemas": [PATCH], "Operations": list(operations)})


BODIES: Final = [
    "",
    "null",
    "[]",
    "1",
    '"x"',
    "{",
    "{}",
    "NaN",
    DEEP,
    NESTED,
    b'{"userName": "\xff"}',
    b"\x00",
    b"\xef\xbb\xbf{}",
    user(userName="a\x00b"),
    '{"schemas":["' + USER + '"],"userName":"\\ud800"}',
    user(userName=""),
    user(userName=" "),
    user(userName="x" * 301),
    user(userName=5),
    user(userName=["x"]),
    user(displayName="a\x00b"),
    user(displayName="a\nb"),
    user(title="\x00"),
    user(externalId="\x00"),
    user(externalId="x" * 400),
    user(preferredLanguage="klingon"),
    user(preferredLanguage="\x00"),
    user(active="maybe"),
    user(active=2),
    user(emails="x"),
    user(emails=[None]),
    user(emails=[{"value": "no address"}]),
    user(emails=[{"value": "a@b.example", "type": "\x00"}]),
    user(emails=[{"value": "a@b.example", "primary": True}] * 2),
    user(emails={"value": {}}),
    user(schemas="x"),
    user(schemas=[]),
    user(schemas=[GROUP]),
    user(schemas=[None, 1]),
    user(meta={"version": "x", "created": "never"}),
    user(id="0199aaaa-0000-7000-8000-000000000000", active=[[]]),
    user(userName="odd", USERNAME="other"),
    user(**{"urn:x:y": {"a": 1}, "": 1, "a.b": 2, "a" * 10_000: 1}),
    patch(),
    patch({}),
    patch({"op": "explode", "path": "active"}),
    patch({"op": "replace"}),
    patch({"op": "replace", "path": ""}),
    patch({"op": "replace", "path": "active", "value": {}}),
    patch({"op": "replace", "path": "active", "value": 1e400}).replace("Infinity", "1e400"),
    patch({"op": "replace", "path": "displayName", "value": "a\x00b"}),
    patch({"op": "replace", "path": "emails[", "value": "x"}),
    patch({"op": "replace", "path": 'emails[type eq "work"', "value": "x"}),
    patch({"op": "replace", "path": "emails[" * 500, "value": "x"}),
    patch({"op": "replace", "path": "(" * 5_000, "value": "x"}),
    patch({"op": "add", "path": 'emails[type eq "\x00"].value', "value": "a@b.example"}),
    patch({"op": "add", "path": 'emails[value eq "a\x00"].type', "value": "work"}),
    patch({"op": "remove", "path": "userName"}),
    patch({"op": "remove"}),
    patch({"op": "replace", "path": "id", "value": "x"}),
    patch({"op": "replace", "path": "groups", "value": [{"value": "x"}]}),
    patch({"op": "replace", "path": "meta.version", "value": "x"}),
    patch({"op": "replace", "path": "schemas", "value": []}),
    patch({"op": "replace", "value": [1, 2]}),
    patch({"op": "replace", "value": {"userName": None}}),
    patch({"op": "replace", "value": {"": 1, "[": 2, "\x00": 3}}),
    patch(*[{"op": "replace", "path": "displayName", "value": "x"}] * 2_000),
    json.dumps({"Operations": "x"}),
    json.dumps({"schemas": [PATCH], "operations": [{"OP": "replace", "value": {"active": "x"}}]}),
    json.dumps({"schemas": [SEARCH], "filter": "x" * 9_000}),
    json.dumps({"schemas": [SEARCH], "count": -1, "startIndex": -(10**30)}),
    json.dumps({"schemas": [SEARCH], "count": 10**400}),
    json.dumps({"schemas": [SEARCH], "sortBy": "\x00", "attributes": ["\x00", "["]}),
]


async def test_no_body_is_a_fault(seoul: Directory) -> None:
    made = await seoul.create()
    group = await seoul.group("Leads", made)
    headers = {"Content-Type": "application/scim+json"}
    addresses = [
        ("POST", "/Users"),
        ("POST", "/Groups"),
        ("POST", "/.search"),
        ("POST", "/Users/.search"),
        ("POST", "/Bulk"),
        ("PUT", f"/Users/{made['id']}"),
        ("PATCH", f"/Users/{made['id']}"),
        ("PUT", f"/Groups/{group['id']}"),
        ("PATCH", f"/Groups/{group['id']}"),
    ]

    for body, (method, path) in product(BODIES, addresses):
        content = body.encode() if isinstance(body, str) else body
        assert_scim(await seoul.send(method, path, content=content, headers=headers), body)


QUERIES: Final = [
    {"filter": ""},
    {"filter": "("},
    {"filter": "(" * 3_000 + 'userName eq "a"'},
    {"filter": "not (" * 400 + "title pr" + ")" * 400},
    {"filter": 'userName eq "a"' + ' and userName eq "a"' * 500},
    {"filter": 'userName eq "a'},
    {"filter": "userName eq 1"},
    {"filter": "userName gt true"},
    {"filter": "active gt true"},
    {"filter": "active eq null"},
    {"filter": "userName eq 1e999"},
    {"filter": 'nothing eq "a"'},
    {"filter": 'userName xx "a"'},
    {"filter": 'meta.created gt "never"'},
    {"filter": 'meta.lastModified gt "9999-12-31T23:59:59-23:59"'},
    {"filter": 'emails[value eq "a"][type eq "b"]'},
    {"filter": 'userName eq "\x00"'},
    {"filter": "%00"},
    {"startIndex": "-1"},
    {"startIndex": "1e9"},
    {"startIndex": "٣"},
    {"count": "-5"},
    {"count": "x"},
    {"count": "9" * 5_000},
    {"sortBy": "nothing"},
    {"sortBy": "emails", "sortOrder": "descending"},
    {"sortBy": "meta.created"},
    {"sortBy": "active", "sortOrder": "sideways"},
    {"attributes": "\x00"},
    {"attributes": "userName", "excludedAttributes": "userName"},
    {"attributes": "x" * 5_000},
    {"cursor": ""},
    {"cursor": "x"},
    {"aadOptscim062020": ""},
    {"": ""},
]


async def test_no_query_is_a_fault(seoul: Directory) -> None:
    made = await seoul.create()
    paths = ("", "/Users", "/Groups", f"/Users/{made['id']}", "/Schemas", "/Me")

    for query, path in product(QUERIES, paths):
        assert_scim(await seoul.send("GET", path, params=query), query)


PATHS: Final = [
    "",
    "/",
    "/Users/",
    "/Users/nobody",
    "/Users/%00",
    "/Users/%2e%2e",
    "/Users/{0199aaaa-0000-7000-8000-000000000000}",
    "/Users/0199aaaa0000700080000000000000000",
    "/Users/" + "9" * 3_000,
    "/Users/a/b/c",
    "/Groups/٣",
    "/users",
    "/Nothing",
    "/Me",
    "/Bulk",
    "/Schemas/x",
    "/ResourceTypes/%00",
    "//",
    "/.search",
    "x",
]


async def test_no_address_is_a_fault(seoul: Directory) -> None:
    for method, path in product(("GET", "POST", "PUT", "PATCH", "DELETE"), PATHS):
        assert_scim(await seoul.send(method, path), path)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/xml"}, 415),
        ({"Content-Type": "multipart/form-data"}, 415),
        ({"Content-Type": "application/json"}, 201),
        ({"Content-Type": ""}, 201),
        ({"Content-Type": "application/scim+json; charset=utf-16"}, 201),
        ({"If-Match": '"' + "x" * 5_000}, 201),
        ({"If-None-Match": "*"}, 201),
        ({"Content-Encoding": "gzip"}, 201),
    ],
    ids=str,
)
async def test_odd_headers_are_no_fault(
    seoul: Directory, headers: dict[str, str], status: int
) -> None:
    answer = await seoul.send("POST", "/Users", content=user(), headers=headers)

    assert answer.status_code == status
    assert_scim(answer)


async def test_a_huge_body_is_not_read(seoul: Directory) -> None:
    answer = await seoul.send("POST", "/Users", content=user(displayName="x" * 300_000))

    assert answer.status_code == 413
    assert (await seoul.get("/Users"))["totalResults"] == 0


async def test_a_parameter_is_given_once(seoul: Directory) -> None:
    answer = await seoul.send("GET", "/Users?count=1&count=2")

    assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidValue")


def assert_scim(answer: Response, sent: object = None) -> None:
    """See that the answer is one that a directory understands."""
    assert answer.status_code < 500, (sent, answer.text)
    if answer.status_code in (204, 304):
        return
    assert answer.headers["content-type"] == "application/scim+json", (sent, answer.text)
    if answer.status_code >= 400:
        assert answer.json()["schemas"] == [ERROR]
        assert answer.json()["status"] == str(answer.status_code)
