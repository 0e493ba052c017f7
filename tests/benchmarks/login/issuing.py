"""What the authorization server spends on a login: its own part, without the city's provider."""

import asyncio
import time
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from statistics import median
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy.ext.asyncio import create_async_engine

from deploy.embedded.layout import HOST
from services.members.http.login.cookies import SIGN_IN
from services.members.model.client import new_secret, secret_hash_of
from services.members.use_cases.open_network import open_network
from shared.clock import utc_now
from shared.database import sessions_of
from tests.benchmarks.findings import Finding, at_most, compared, percentile
from tests.benchmarks.rounds import Run
from tests.benchmarks.servers import Servers, cpu_seconds
from tests.conftest import upgrade
from tests.members.network import HOST as TOKYO
from tests.members.oauth.people import application, log_in

SUBJECT: Final = "Logging in"
WEB_PLACE: Final = 40
PARALLEL: Final = 8
BACK: Final = "https://desk.example/back"
VERIFIER: Final = "v" * 43
CHALLENGE: Final = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@dataclass(frozen=True)
class Answered:
    """What asking so often came to.

    Attributes:
        processor: milliseconds of the web process for each.
    """

    rate: float
    p99: float
    processor: float


async def measure(servers: Servers, run: Run) -> list[Finding]:
    async with AsyncExitStack() as stack:
        cookies, credentials = await _people(servers)
        pid = await stack.enter_async_context(
            servers.process("members", "services.members.web", place=WEB_PLACE)
        )
        http = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
        url = f"http://{HOST}:{servers.ports.service(WEB_PLACE)}"
        desk = _Desk(http, url, credentials)
        refresh_tokens = [await desk.log_in(cookie) for cookie in cookies]
        count = run.count(400, 80)

        async def log_in_again(number: int) -> None:
            await desk.log_in(cookies[number])

        async def refresh(number: int) -> None:
            refresh_tokens[number] = await desk.refresh(refresh_tokens[number])

        ways: dict[str, Callable[[], Awaitable[Answered]]] = {
            "log in": partial(_asked, pid, log_in_again, count),
            "refresh": partial(_asked, pid, refresh, count),
            "sign": partial(_signed, count),
        }
        found = await run.by_turns("Logging in", run.count(4, 1), ways)
    return [
        *_findings(found, "log in", "authorize and redeem a code", 20, 500),
        *_findings(found, "refresh", "refresh", 12, 300),
    ]


def _findings(
    found: dict[str, list[Answered]], way: str, what: str, processor: float, p99: float
) -> list[Finding]:
    ours = found[way]
    return [
        Finding(
            subject=SUBJECT,
            what=f"{what}, {PARALLEL} at once",
            unit="1/s",
            ours=median(each.rate for each in ours),
        ),
        Finding(
            subject=SUBJECT,
            what=f"{what}, {PARALLEL} at once, p99",
            unit="ms",
            ours=median(each.p99 for each in ours),
            target=at_most(p99),
        ),
        compared(
            SUBJECT,
            f"{what}, processor time",
            "ms",
            [each.processor for each in ours],
            [each.processor for each in found["sign"]],
            "both signatures alone, by joserfc",
            at_most(processor),
            on_ratio=False,
        ),
    ]


async def _asked(pid: int, one: Callable[[int], Awaitable[None]], count: int) -> Answered:
    """Let some people do something again and again, each when they have done it before."""
    took: list[float] = []

    async def keep_going(number: int) -> None:
        for _ in range(count // PARALLEL):
            asked = time.perf_counter()
            await one(number)
            took.append((time.perf_counter() - asked) * 1000)

    began, used = time.perf_counter(), cpu_seconds(pid)
    await asyncio.gather(*(keep_going(number) for number in range(PARALLEL)))
    used, seconds = cpu_seconds(pid) - used, time.perf_counter() - began
    return Answered(len(took) / seconds, percentile(took, 99), used / len(took) * 1000)


async def _signed(count: int) -> Answered:
    """Sign what a login gives out: an access token and an id_token."""
    access, identity = ECKey.generate_key("P-256"), RSAKey.generate_key(2048)
    claims = {"iss": "https://renkei.example", "sub": "1", "aud": "2", "exp": 3, "iat": 4}
    began, used = time.perf_counter(), time.process_time()
    for _ in range(count):
        jwt.encode({"alg": "ES256"}, claims, access)
        jwt.encode({"alg": "RS256"}, claims, identity)
    used, seconds = time.process_time() - used, time.perf_counter() - began
    return Answered(count / seconds, 0, used / count * 1000)


async def _people(servers: Servers) -> tuple[Sequence[str], aiohttp.BasicAuth]:
    """Officials who have come back from their provider, and the application that they use."""
    engine = create_async_engine(servers.settings("members").database_url.get_secret_value())
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, "members")
    secret = new_secret()
    async with sessions_of(engine).begin() as session:
        await open_network(session, host=TOKYO, now=utc_now())
        client = application(secret_hash=secret_hash_of(secret), is_first_party=True)
        session.add(client)
        people = [
            await log_in(session, "coordinator", minutes_ago=number) for number in range(PARALLEL)
        ]
    await engine.dispose()
    return [person.cookie for person in people], aiohttp.BasicAuth(client.id, secret)


@dataclass(frozen=True)
class _Desk:
    """An application with the browsers of its people."""

    http: aiohttp.ClientSession
    url: str
    credentials: aiohttp.BasicAuth

    async def log_in(self, cookie: str) -> str:
        """Get a code and redeem it, and return the refresh token."""
        asked = {
            "response_type": "code",
            "client_id": self.credentials.login,
            "redirect_uri": BACK,
            "scope": "openid projects:read projects:write",
            "state": "s",
            "nonce": "n",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        async with self.http.get(
            f"{self.url}/oauth/authorize?{urlencode(asked)}",
            headers={"Cookie": f"{SIGN_IN}={cookie}"},
            allow_redirects=False,
        ) as answer:
            location = answer.headers.get("location", "")
            if not location.startswith(BACK):
                raise RuntimeError(f"/oauth/authorize: {answer.status} {await answer.text()}")
        [code] = parse_qs(urlsplit(location).query)["code"]
        return await self._ask(
            grant_type="authorization_code", code=code, redirect_uri=BACK, code_verifier=VERIFIER
        )

    async def refresh(self, refresh_token: str) -> str:
        """Get the next tokens, and return the next refresh token."""
        return await self._ask(grant_type="refresh_token", refresh_token=refresh_token)

    async def _ask(self, **form: str) -> str:
        async with self.http.post(
            f"{self.url}/oauth/token", data=form, auth=self.credentials
        ) as answer:
            body: dict[str, Any] = await answer.json()
        if answer.status != 200:
            raise RuntimeError(f"/oauth/token: {answer.status} {body}")
        return str(body["refresh_token"])
