"""An application and the browser of a person who uses it."""

import secrets
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from httpx2 import AsyncClient, Response
from joserfc import jwt
from joserfc.jwk import KeySet

from services.members.http.login.cookies import SIGN_IN
from services.members.http.oauth.authorize import AUTHORIZATION
from tests.members.oauth.people import Person

BACK = "https://desk.example/back"
VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def answer_in(response: Response) -> dict[str, str]:
    """What the browser brings back to the application."""
    assert response.status_code in (302, 303), response.text
    address = urlsplit(response.headers["location"])
    assert f"{address.scheme}://{address.netloc}{address.path}" == BACK, address
    return dict(parse_qsl(address.query, strict_parsing=True))


@dataclass
class Desk:
    """A web application that lets people log in here."""

    http: AsyncClient
    client_id: str
    secret: str | None = None
    cookies: dict[str, str] = field(default_factory=dict)

    def asking(self, **parameters: str | None) -> dict[str, str]:
        """The parameters with which it sends a browser."""
        given: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": BACK,
            "scope": "openid projects:read projects:write",
            "state": "s",
            "nonce": "n",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (given | parameters).items() if value is not None}

    def be(self, person: Person | None) -> None:
        """Let the browser be that of somebody who has logged in."""
        self.cookies.pop(SIGN_IN, None)
        if person is not None:
            self.cookies[SIGN_IN] = person.cookie

    async def visit(self, path: str, **parameters: str) -> Response:
        response = await self.http.get(path, params=parameters or None, headers=self._cookie())
        self._take(response)
        return response

    async def send(self, path: str, **form: str) -> Response:
        response = await self.http.post(path, data=form, headers=self._cookie())
        self._take(response)
        return response

    async def authorize(self, **parameters: str | None) -> Response:
        return await self.visit("/oauth/authorize", **self.asking(**parameters))

    async def code(self, **parameters: str | None) -> str:
        return answer_in(await self.authorize(**parameters))["code"]

    async def post(self, path: str, *, proof: str | None = None, **form: str | None) -> Response:
        """Ask by itself, as the client that it is."""
        data = {name: value for name, value in form.items() if value is not None}
        headers = {} if proof is None else {"DPoP": proof}
        if self.secret is None:
            data = {"client_id": self.client_id} | data
        else:
            basic = b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
            headers["Authorization"] = f"Basic {basic}"
        return await self.http.post(path, data=data, headers=headers)

    async def redeem(self, code: str, *, proof: str | None = None, **form: str | None) -> Response:
        given: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": BACK,
            "code_verifier": VERIFIER,
        }
        return await self.post("/oauth/token", proof=proof, **given | form)

    async def refresh(self, token: str, *, proof: str | None = None, **form: str) -> Response:
        return await self.post(
            "/oauth/token", proof=proof, grant_type="refresh_token", refresh_token=token, **form
        )

    async def log_in(self, **parameters: str | None) -> dict[str, Any]:
        """Get tokens for whoever sits at the browser."""
        response = await self.redeem(await self.code(**parameters))
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def claims(self, token: str) -> dict[str, Any]:
        """What a token says, checked with the keys that are published."""
        keys = KeySet.import_key_set((await self.http.get("/oauth/jwks")).json())
        return dict(jwt.decode(token, keys, algorithms=["ES256", "RS256"]).claims)

    def _cookie(self) -> dict[str, str]:
        # The client does not handle cookies with the prefix `__Host-` as browsers do.
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}

    def _take(self, response: Response) -> None:
        for header in response.headers.get_list("set-cookie"):
            name, _, rest = header.partition("=")
            if name == AUTHORIZATION:
                assert "Secure" in header
                assert "HttpOnly" in header
                assert "Path=/" in header
            self.cookies[name] = rest.partition(";")[0]


def error_of(response: Response) -> str:
    """The error of RFC 6749 that an answer names; nobody got a token with it."""
    body = response.json()
    assert "access_token" not in body
    assert response.headers["cache-control"] == "no-store"
    return str(body["error"])


def fresh() -> str:
    return secrets.token_urlsafe(16)
