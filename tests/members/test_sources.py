"""Where a request comes from is what our proxies say, whatever its sender invents."""

from ipaddress import ip_network
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.members.http.sources import UNKNOWN, Sources

EDGE = "10.0.0.5"
OUTER = "192.0.2.10"
PROXIES = [ip_network("10.0.0.0/8"), ip_network("192.0.2.10/32"), ip_network("2001:db8:1::/48")]


def scope(peer: str | None, *forwarded: str) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", text.encode("latin-1")) for text in forwarded]
    return {"type": "http", "client": None if peer is None else (peer, 4711), "headers": headers}


@pytest.mark.parametrize(
    ("peer", "forwarded", "source"),
    [
        ("198.51.100.7", [], "198.51.100.7"),
        (EDGE, ["198.51.100.7"], "198.51.100.7"),
        (EDGE, [f"198.51.100.7, {OUTER}"], "198.51.100.7"),
        (EDGE, ["198.51.100.7", OUTER], "198.51.100.7"),
        (EDGE, [" 198.51.100.7:4711 "], "198.51.100.7"),
        (EDGE, ["::ffff:198.51.100.7"], "198.51.100.7"),
        ("::ffff:10.0.0.5", ["198.51.100.7"], "198.51.100.7"),
        (EDGE, ["2a02:8071:1:2:3:4:5:6"], "2a02:8071:1:2::/64"),
        (EDGE, ["[2a02:8071:1:2:3:4:5:6]:443"], "2a02:8071:1:2::/64"),
        ("2a02:8071:1:2::9", [], "2a02:8071:1:2::/64"),
        ("2001:db8:1::7", ["198.51.100.7"], "198.51.100.7"),
        ("fe80::1%eth0", [], "fe80::/64"),
        (EDGE, [], EDGE),
        (EDGE, [f"{OUTER}, 10.9.9.9"], OUTER),
        (None, ["198.51.100.7"], UNKNOWN),
        ("", ["198.51.100.7"], UNKNOWN),
    ],
)
def test_the_source_is_the_last_that_is_no_proxy_of_ours(
    peer: str | None, forwarded: list[str], source: str
) -> None:
    assert Sources(PROXIES).source_of(scope(peer, *forwarded)) == source


@pytest.mark.parametrize(
    "invented",
    ["203.0.113.9", "203.0.113.9, 10.0.0.1", "127.0.0.1", "x", "", ",,,", "\xff", "0x7f.1, 1"],
)
@pytest.mark.parametrize("as_header_of_its_own", [False, True])
def test_what_a_sender_invents_changes_nothing(invented: str, as_header_of_its_own: bool) -> None:
    seen = "198.51.100.7"
    given = [invented, seen] if as_header_of_its_own else [f"{invented}, {seen}"]

    assert Sources(PROXIES).source_of(scope(EDGE, *given)) == seen


def test_who_asks_without_a_proxy_cannot_pretend_to_be_another() -> None:
    found = Sources(PROXIES).source_of(scope("198.51.100.7", "203.0.113.9"))

    assert found == "198.51.100.7"


def test_a_proxy_that_wrote_nonsense_counts_itself() -> None:
    assert Sources(PROXIES).source_of(scope(EDGE, "unknown")) == EDGE


def test_endless_headers_cost_little() -> None:
    found = Sources(PROXIES).source_of(scope(EDGE, ",".join([OUTER] * 5_000)))

    assert found == OUTER


def test_a_proxy_that_is_not_known_is_told_of_once() -> None:
    sources = Sources(PROXIES)

    with capture_logs() as logs:
        for _ in range(3):
            sources.source_of(scope("198.51.100.7", "203.0.113.9"))

    assert [line["event"] for line in logs] == ["proxy.not_trusted"]
    assert logs[0]["address"] == "198.51.100.7"
