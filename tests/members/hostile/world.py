"""Seoul with one of everything, and ways to say what it did not expect."""

import random
from dataclasses import dataclass
from typing import Any, Final

from httpx2 import Response
from prometheus_client import REGISTRY

from tests.members.network import COORDINATOR, OWN, SECRETARIAT, Network
from tests.members.scim.directory import Directory, directory_of
from tests.web import token

PROBLEM: Final = "application/problem+json"

GOOD: Final[dict[str, dict[str, Any]]] = {
    "MemberIn": {
        "slug": "busan",
        "kind": "city",
        "name": {"en": "Busan"},
        "local_name": "부산",
        "country": "KR",
        "time_zone": "Asia/Seoul",
        "latitude": 35.1,
        "longitude": 129.0,
        "invited_on": "2001-09-01",
    },
    "MemberChangeIn": {"name": {"en": "Seoul"}, "latitude": 37.5, "longitude": 127.0},
    "MembershipTransitionIn": {"status": "suspended", "reason": "Because."},
    "OfficialIn": {
        "function": {"en": "Desk"},
        "name": "Kim",
        "email": "kim@seoul.example",
        "language": "ko",
        "roles": ["observer"],
    },
    "OfficialChangeIn": {
        "function": {"en": "Desk"},
        "name": "Kim",
        "roles": ["observer"],
        "status": "active",
    },
    "ClientIn": {
        "name": "Desk",
        "kind": "application",
        "scopes": ["projects:read"],
        "authentication": "client_secret",
        "redirect_uris": ["https://desk.example/back"],
        "post_logout_redirect_uris": ["https://desk.example/"],
        "requires_dpop": True,
    },
    "ClientChangeIn": {"name": "Desk", "scopes": ["members:read"]},
    "IdentityProviderIn": {
        "name": "Login",
        "issuer": "https://login.seoul.example",
        "client_id": "renkei",
        "client_secret": "secret",
        "role_of_group": {"staff": "observer"},
        "roles_claim": "groups",
        "scopes": ["openid", "email"],
        "algorithms": ["RS256"],
    },
    "IdentityProviderChangeIn": {"name": "Login", "client_secret": "other"},
    "EmailDomainIn": {"domain": "busan.example"},
    "ClientSecretIn": {"overlap_seconds": 60},
    "ScimTokenIn": {"name": "Directory"},
    "ScimGroupChangeIn": {"role": "observer"},
}
"""Bodies that are taken, so that what is odd in one field meets no other obstacle."""  # fmt: skip

ODD: Final[list[Any]] = [
    None, True, False, 0, -1, 2**31, 2**63, 10**30, 0.5, -0.0, 1e308, "", " ", "x", "\0", "a\0b",
    "\ud800", "\ufffe", "\x1b[31m", "'; DROP TABLE member; --", "{{7*7}}", "<script>", "../../etc",
    "%00", "%s%n", "x" * 400, "x" * 30_000, "東京", "\u202e", "1", "null", "9999-12-31",
    "0001-01-01T00:00:00+23:59", "00000000-0000-0000-0000-000000000000", "https://[::1", "http://",
    "https://a.example/\n", "https://user:pw@a.example/", "https://a.example#", "javascript:x",
    "http://169.254.169.254/", "https://a.example:99999/", "@", "a@b", "seoul", [], {}, [[]], [{}],
    [None], ["x"] * 300, ["x", "x"], {"x": 1}, {"en": None}, {"": ""}, {"x" * 300: "x"}, [1, "a"],
]  # fmt: skip
"""Values that somebody may put where others were expected."""

ODD_TEXT: Final = [
    "", " ", "%00", "%ff", "%F0%9F%98%80", "%2e%2e", "..%2f..%2fetc", "a" * 300, "0", "-1", "null",
    "%EF%BF%BE", "00000000-0000-0000-0000-000000000000", "%0a", "%25", "*", "a'b", "a%22b",
    "%ED%A0%80",
    "0x7f000001", "9" * 40, "seoul", "Seoul", "seoul%20", "%E2%80%AE",
]  # fmt: skip
"""Parts of addresses, written as they travel."""


@dataclass
class World:
    """Seoul, and who may speak for it."""

    network: Network
    directory: Directory
    known: dict[str, list[str]]
    """What can stand in an address, by the name of its place."""

    def tokens(self) -> list[str]:
        return [
            token("seoul", OWN),
            token("tokyo", SECRETARIAT),
            token("seoul", "members:read"),
            token("nowhere", OWN),
        ]

    def path(self, template: str, chance: random.Random, *, odd: float = 0.3) -> str:
        """Fill in an address: mostly with what there is."""
        parts = []
        for part in template.split("/"):
            name = part.strip("{}").partition(":")[0]
            if not part.startswith("{"):
                parts.append(part)
            elif chance.random() < odd or name not in self.known:
                parts.append(chance.choice(ODD_TEXT))
            else:
                parts.append(chance.choice(self.known[name]))
        return "/".join(parts)


async def world_of(network: Network) -> World:
    """Let Seoul join, with one of everything."""
    await network.join()
    official = await network.appoint()
    coordinator = await network.appoint(COORDINATOR)
    client = await network.register()
    provider = await network.send(
        "POST", "/seoul/identity-providers", GOOD["IdentityProviderIn"], by="seoul"
    )
    domain = await network.send(
        "POST", "/seoul/email-domains", {"domain": "seoul.example"}, by="seoul"
    )
    made = await network.send("POST", "/seoul/scim-tokens", GOOD["ScimTokenIn"], by="seoul")
    assert {201} == {one.status_code for one in (provider, domain, made)}
    directory = await directory_of(network)
    group = await directory.group("staff", await directory.create())
    return World(
        network,
        directory,
        {
            "slug": ["seoul", "seoul", "tokyo"],
            "official_id": [official["id"], coordinator["id"]],
            "client_id": [client["id"]],
            "provider_id": [provider.json()["id"]],
            "domain": ["seoul.example"],
            "token_id": [made.json()["id"]],
            "group_id": [group["id"]],
            "session_id": [official["id"]],
        },
    )


class Watch:
    """Looks at every answer: none may be a fault, or say something that nobody should know."""

    def __init__(self) -> None:
        self.before = unforeseen()
        self.statuses: list[int] = []

    def see(self, response: Response, about: object) -> None:
        status = response.status_code
        assert status < 500, (status, about, response.text[:500])
        if response.request.url.path.startswith("/api/") and status >= 400:
            assert response.headers["content-type"] == PROBLEM, (status, about)
            assert response.json()["status"] == status
        assert "Traceback" not in response.text, about
        assert "sqlalchemy" not in response.text, about
        assert "x-request-id" in response.headers, about
        self.statuses.append(status)

    def close(self) -> None:
        """Nothing reached the database that it had to refuse."""
        assert unforeseen() == self.before
        assert self.statuses


def unforeseen() -> float:
    return REGISTRY.get_sample_value("unforeseen_input_total") or 0.0
