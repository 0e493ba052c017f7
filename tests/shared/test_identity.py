"""Who asks is known from a good access token, and from nothing else. Source: RFC 9068."""

import asyncio
import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey, RSAKey

from shared.http.identity import AccessTokens, JsonWebKeys, KeysAway
from shared.refusals import Unauthenticated
from tests.shared.things import Place
from tests.shared.things_api import client_of
from tests.web import ISSUER, KEY, token

OTHER = ECKey.generate_key("P-256", {"kid": str(KEY.kid)})
HEADER = {"alg": "ES256", "typ": "at+jwt", "kid": KEY.kid}


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def claims(**changes: Any) -> dict[str, Any]:
    """Good claims, changed; None leaves one out."""
    now = int(time.time())
    found = {
        "iss": ISSUER,
        "aud": f"{ISSUER}/api/v1",
        "sub": "seoul-main",
        "client_id": "seoul-main",
        "iat": now,
        "exp": now + 36_000,  # the forged ones are made when the tests are collected
        "jti": "1",
        "scope": "things:read things:write",
        "member": "seoul",
    } | changes
    return {name: value for name, value in found.items() if value is not None}


def signed(
    payload: Any = None, header: Any = HEADER, key: ECKey = KEY, *, raw: bytes | None = None
) -> str:
    """A token whose signature is good for whatever it says."""
    body = raw if raw is not None else json.dumps(claims() if payload is None else payload).encode()
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    text = f"{b64(head)}.{b64(body)}"
    private = key.private_key
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(private.sign(text.encode(), ec.ECDSA(SHA256())))
    return f"{text}.{b64(r.to_bytes(32) + s.to_bytes(32))}"


def hmac_signed(secret: bytes) -> str:
    text = unsigned("HS256")
    return text + b64(hmac.new(secret, text[:-1].encode(), sha256).digest())


def unsigned(algorithm: str) -> str:
    parts = (HEADER | {"alg": algorithm}, claims())
    return "".join(f"{b64(json.dumps(part).encode())}." for part in parts)


def pem() -> bytes:
    return KEY.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def with_other_claims(good: str) -> str:
    head, _, signature = good.split(".")
    return f"{head}.{b64(json.dumps(claims(member='tokyo')).encode())}.{signature}"


NOW = time.time()
ENDLESS = json.dumps(claims(exp=7e77)).replace("7e+77", "1e400").encode()
DEEP = b"[" * 2500 + b"]" * 2500
FORGED: dict[str, str] = {
    "no token": "",
    "one part": "abc",
    "two parts": "a.b",
    "no parts": "..",
    "letters": "a.b.c",
    "five parts, as if encrypted": f"{signed()}.x.y",
    "no signature": f"{signed().rpartition('.')[0]}.",
    "half a signature": signed()[:-40],
    "signature of zeros": f"{signed().rpartition('.')[0]}.{b64(bytes(64))}",
    "other claims": with_other_claims(signed()),
    "other key": signed(key=OTHER),
    "algorithm none": unsigned("none"),
    "algorithm none with key": signed(header=HEADER | {"alg": "none"}),
    "algorithm in other letters": signed(header=HEADER | {"alg": "es256"}),
    "algorithm of another curve": signed(header=HEADER | {"alg": "ES384"}),
    "algorithm that is no text": signed(header=HEADER | {"alg": ["ES256"]}),
    "no algorithm": signed(header={"typ": "at+jwt", "kid": KEY.kid}),
    "public key as secret": hmac_signed(pem()),
    "published key as secret": hmac_signed(json.dumps(KEY.as_dict(private=False)).encode()),
    "empty secret": hmac_signed(b""),
    "key brought along": signed(
        header=HEADER | {"jwk": OTHER.as_dict(private=False), "kid": "x"}, key=OTHER
    ),
    "key fetched from elsewhere": signed(
        header=HEADER | {"jku": "https://evil.example/jwks", "kid": "x"}, key=OTHER
    ),
    "unknown critical extension": signed(header=HEADER | {"crit": ["exp"], "exp": 1}),
    "payload outside": signed(header=HEADER | {"b64": False, "crit": ["b64"]}),
    "no key id": signed(header={"alg": "ES256", "typ": "at+jwt"}),
    "key id that is no text": signed(header=HEADER | {"kid": 7}),
    "unknown key id": signed(header=HEADER | {"kid": "unknown"}),
    "key id that climbs": signed(header=HEADER | {"kid": "../../etc/passwd"}),
    "type of an identity token": signed(header=HEADER | {"typ": "JWT"}),
    "no type": signed(header={"alg": "ES256", "kid": KEY.kid}),
    "type that is no text": signed(header=HEADER | {"typ": ["at+jwt"]}),
    "header that is a list": signed(header=[]),
    "header that is no JSON": signed(header=b"{"),
    "header that is no text": signed(header=b"\xff\xfe"),
    "header of endless depth": signed(header=DEEP),
    "payload that is a list": signed([]),
    "payload that is a text": signed("x"),
    "payload that is no JSON": signed(raw=b"{"),
    "payload that is no text": signed(raw=b"\xff\xfe"),
    "payload of endless depth": signed(raw=DEEP),
    "other issuer": signed(claims(iss="https://evil.example")),
    "issuer with a slash more": signed(claims(iss=f"{ISSUER}/")),
    "no issuer": signed(claims(iss=None)),
    "other audience": signed(claims(aud="https://other.example/api/v1")),
    "other audiences": signed(claims(aud=["a", "b"])),
    "no audience": signed(claims(aud=None)),
    "expired": signed(claims(exp=NOW - 6)),
    "expired long ago": signed(claims(exp=1)),
    "no expiry": signed(claims(exp=None)),
    "expiry that is no number": signed(claims(exp="tomorrow")),
    "expiry without end": signed(raw=ENDLESS),
    "expiry that is not a number": signed(claims(exp=float("nan"))),
    "not valid yet": signed(claims(nbf=NOW + 3600)),
    "issued in the future": signed(claims(iat=NOW + 3600)),
    "no identifier": signed(claims(jti=None)),
    "no subject": signed(claims(sub=None)),
    "no client": signed(claims(client_id=None)),
    "person that is no identifier": signed(claims(sub="somebody")),
    "no member": signed(claims(member=None)),
    "member that is empty": signed(claims(member="")),
    "member that is no text": signed(claims(member=["seoul"])),
    "scopes that are no text": signed(claims(scope=["things:read"])),
    "too long": signed(claims(extra="x" * 9000)),
    "letters beyond ASCII": "é.é.é",
    "spaces inside": signed().replace(".", ". "),
}  # fmt: skip


@pytest.mark.parametrize("bearer", [pytest.param(value, id=name) for name, value in FORGED.items()])
async def test_a_token_that_is_not_good_is_refused(bearer: str) -> None:
    with pytest.raises(Unauthenticated):
        await tokens().actor(bearer)


async def test_no_forged_token_passes_the_api(place: Place) -> None:
    async with client_of(place, None) as client:
        for name, bearer in FORGED.items():
            header = f"Bearer {bearer}".encode("latin-1")
            response = await client.get("/api/v1/things", headers={b"authorization": header})

            assert response.status_code == 401, name
            assert response.headers["www-authenticate"].startswith('Bearer realm="renkei"')


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", b"")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"Bearer ")],
        [(b"authorization", b"Basic c2VvdWw6eA==")],
        [(b"authorization", f"Bearer,{token('seoul')}".encode())],
        [(b"authorization", token("seoul").encode())],
        [(b"authorization", f"Bearer {token('seoul')}".encode())] * 2,
        [(b"cookie", f"token={token('seoul')}".encode())],
    ],
)
async def test_a_request_without_one_bearer_token_is_refused(
    place: Place, headers: list[tuple[bytes, bytes]]
) -> None:
    async with client_of(place, None) as client:
        response = await client.get("/api/v1/things", headers=headers)
        in_query = await client.get(f"/api/v1/things?access_token={token('seoul')}")

    assert (response.status_code, in_query.status_code) == (401, 422)


@pytest.mark.parametrize(
    ("payload", "header"),
    [
        (claims(), HEADER),
        (claims(aud=["x", f"{ISSUER}/api/v1"]), HEADER),
        (claims(), HEADER | {"typ": "application/at+jwt"}),
        (claims(), HEADER | {"typ": "AT+JWT"}),
    ],
)
async def test_a_good_token_names_its_actor(payload: Any, header: Any) -> None:
    actor = await tokens().actor(signed(payload, header))

    assert (actor.member, actor.client_id, actor.official_id) == ("seoul", "seoul-main", None)
    assert actor.scopes == {"things:read", "things:write"}


async def test_a_clock_that_differs_by_a_few_seconds_is_forgiven() -> None:
    actor = await tokens().actor(signed(claims(exp=time.time() - 3, iat=time.time() + 3)))

    assert actor.member == "seoul"


async def test_a_token_of_a_person_names_the_person_and_the_application() -> None:
    person, session = uuid4(), uuid4()

    actor = await tokens().actor(
        signed(
            claims(
                sub=str(person),
                client_id="portal",
                sid=str(session),
                auth_time=1_800_000_000,
                acr="urn:example:two-factors",
                scope=None,
            )
        )
    )

    assert (actor.member, actor.client_id, actor.official_id) == ("seoul", "portal", person)
    assert actor.reference == f"official:{person}"
    assert actor.scopes == frozenset()
    assert actor.session_id == session
    assert actor.acr == "urn:example:two-factors"
    assert actor.authenticated_at == datetime(2027, 1, 15, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "of_session",
    [
        {},
        {"sid": "one", "auth_time": 1_800_000_000},
        {"sid": 5, "auth_time": 1_800_000_000},
        {"sid": str(UUID(int=1))},
        {"sid": str(UUID(int=1)), "auth_time": "noon"},
        {"sid": str(UUID(int=1)), "auth_time": 1e300},
        {"sid": str(UUID(int=1)), "auth_time": 10**300},
        {"sid": str(UUID(int=1)), "auth_time": -1},
    ],
)
async def test_a_token_of_a_person_without_a_session_is_refused(of_session: Any) -> None:
    with pytest.raises(Unauthenticated):
        await tokens().actor(signed(claims(sub=str(uuid4()), client_id="portal", **of_session)))


async def test_a_token_is_not_believed_beyond_its_expiry(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, good = tokens(), signed(claims(exp=time.time() + 10))
    await reader.actor(good)

    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 20)

    with pytest.raises(Unauthenticated):
        await reader.actor(good)


# --- the keys -----------------------------------------------------------------------------------


class Issuer:
    """Publishes keys, and counts how often it is asked."""

    def __init__(self, *keys: Any) -> None:
        self.document: Any = {"keys": [key.as_dict(private=False) for key in keys]}
        self.asked = 0
        self.away = False
        self.answers = asyncio.Event()
        self.answers.set()

    async def __call__(self) -> Any:
        self.asked += 1
        await self.answers.wait()
        if self.away:
            raise ConnectionError("away")
        return self.document


def tokens(issuer: Callable[[], Any] | None = None) -> AccessTokens:
    keys = JsonWebKeys(issuer or Issuer(KEY), lifetime_seconds=300)
    return AccessTokens(keys, issuer=ISSUER, audience=f"{ISSUER}/api/v1", leeway_seconds=5)


async def test_all_who_wait_share_one_fetch() -> None:
    issuer = Issuer(KEY)
    issuer.answers.clear()
    reader = tokens(issuer)

    waiting = [asyncio.create_task(reader.actor(signed())) for _ in range(50)]
    for _ in range(5):
        await asyncio.sleep(0)
    issuer.answers.set()
    actors = await asyncio.gather(*waiting)

    assert {actor.member for actor in actors} == {"seoul"}
    assert issuer.asked == 1


async def test_one_who_gives_up_does_not_end_the_fetch_of_the_others() -> None:
    issuer = Issuer(KEY)
    issuer.answers.clear()
    reader = tokens(issuer)
    impatient, patient = (asyncio.create_task(reader.actor(signed())) for _ in range(2))
    for _ in range(5):
        await asyncio.sleep(0)

    impatient.cancel()
    issuer.answers.set()

    assert (await patient).member == "seoul"
    assert issuer.asked == 1


async def test_a_flood_of_unknown_keys_leads_to_one_fetch() -> None:
    issuer = Issuer(KEY)
    reader = tokens(issuer)
    await reader.actor(signed())

    for number in range(100):
        with pytest.raises(Unauthenticated):
            await reader.actor(signed(header=HEADER | {"kid": f"unknown-{number}"}))

    assert issuer.asked == 1


async def test_a_new_key_is_found_after_a_pause(later: Callable[[float], None]) -> None:
    issuer, new = Issuer(KEY), ECKey.generate_key("P-256", {"kid": "new"})
    reader, by_new = tokens(issuer), signed(header=HEADER | {"kid": "new"}, key=new)
    await reader.actor(signed())
    issuer.document["keys"].append(new.as_dict(private=False))

    with pytest.raises(Unauthenticated):
        await reader.actor(by_new)
    later(11)

    assert (await reader.actor(by_new)).member == "seoul"
    assert issuer.asked == 2


async def test_known_keys_outlive_an_outage_and_nobody_waits(
    later: Callable[[float], None],
) -> None:
    issuer = Issuer(KEY)
    reader = tokens(issuer)
    await reader.actor(signed())
    issuer.answers.clear()  # it hangs

    for _ in range(3):
        later(400)
        for number in range(20):
            async with asyncio.timeout(1):
                await reader.actor(signed(claims(jti=str(number) + str(uuid4()))))
            await asyncio.sleep(0)

    assert issuer.asked == 2
    issuer.away = True
    issuer.answers.set()


async def test_a_withdrawn_key_is_forgotten_when_keys_are_renewed(
    later: Callable[[float], None],
) -> None:
    issuer, new = Issuer(KEY), ECKey.generate_key("P-256", {"kid": "new"})
    reader = tokens(issuer)
    await reader.actor(signed())
    issuer.document = Issuer(new).document

    later(301)
    await reader.actor(signed(claims(jti="starts the renewal")))
    await asyncio.sleep(0)

    with pytest.raises(Unauthenticated):
        await reader.actor(signed(claims(jti="comes after it")))


async def test_without_any_key_the_fault_is_not_the_clients(
    later: Callable[[float], None],
) -> None:
    issuer = Issuer(KEY)
    issuer.away = True
    reader = tokens(issuer)

    for _ in range(10):
        with pytest.raises(KeysAway):
            await reader.actor(signed())
    assert issuer.asked == 1

    issuer.away = False
    later(1.1)
    assert (await reader.actor(signed())).member == "seoul"


@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"keys": None}, {"keys": {}}, {"keys": []}, {"keys": [None, 5, {}]}, "keys"],
)
async def test_keys_that_are_none_change_nothing(
    document: Any, later: Callable[[float], None]
) -> None:
    issuer = Issuer(KEY)
    reader = tokens(issuer)
    await reader.actor(signed())
    issuer.document = document

    later(301)
    for _ in range(2):
        await reader.actor(signed(claims(jti=str(uuid4()))))
        await asyncio.sleep(0)

    assert issuer.asked == 2


async def test_keys_of_other_kinds_are_passed_over() -> None:
    issuer = Issuer(KEY)
    others: list[Any] = [
        RSAKey.generate_key(2048, {"kid": "rsa"}).as_dict(private=False),
        {"kty": "AKP", "alg": "ML-DSA-44", "kid": "new kind"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "no point"},
        {"kty": "EC", "crv": "P-999", "kid": "no curve"},
        OTHER.as_dict(private=True) | {"kid": "private"},
        OTHER.as_dict(private=False) | {"kid": "encryption", "use": "enc"},
    ]
    issuer.document["keys"] = [*others, *issuer.document["keys"]]
    reader = tokens(issuer)

    assert (await reader.actor(signed())).member == "seoul"
    for kid in ("private", "encryption"):
        with pytest.raises(Unauthenticated):
            await reader.actor(signed(header=HEADER | {"kid": kid}, key=OTHER))
