"""Speaks to the public API as a person does who has logged in to an application."""

import base64
import hashlib
import secrets
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from httpx2 import AsyncClient
from pydantic import BaseModel, ConfigDict

from deploy.demo.api import Api, ask_for_token
from deploy.demo.browser import Browser, Stuck

SCOPES = (
    "openid",
    "members:read",
    "members:write",
    "projects:read",
    "projects:write",
    "projects:contribute",
    "notifications:read",
    "notifications:write",
)
"""What the application asks for; everybody gets as much of it as their roles cover."""


class Application(BaseModel):
    """The demo's application, as the operator registered it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    client_id: str
    client_secret: str
    redirect_uris: tuple[str, ...]

    @property
    def redirect_uri(self) -> str:
        """Where a browser is sent back to; nobody has to listen there."""
        return self.redirect_uris[0]


class Person(Api):
    """An official in front of a browser. To be logged in first.

    Args:
        http: connections to the platform.
        application: what they log in to.
        browser: theirs alone.
        member: whom they want to speak for.
        login: their name at their city's provider.
    """

    def __init__(
        self,
        http: AsyncClient,
        application: Application,
        browser: Browser,
        *,
        member: str,
        login: str,
    ) -> None:
        super().__init__(http, member=member)
        self.browser = browser
        self.login = login
        self._application = application
        self._refresh_token = ""

    async def log_in(self, **further: str) -> dict[str, Any]:
        """Go through a whole login: application, platform, provider and back.

        Args:
            further: parameters of the authorization request, such as `prompt`.

        Returns:
            What the token endpoint answered.

        Raises:
            Stuck: the way ends before the application.
            Refused: the code is worth nothing.
        """
        form = await self.come_back_with_code(**further)
        answer = await ask_for_token(
            self.http, self._application.client_id, self._application.client_secret, **form
        )
        self.take(answer)
        return answer

    async def come_back_with_code(self, **further: str) -> dict[str, str]:
        """Go through a login, up to the moment in which the application has a code.

        Returns:
            What it asks the token endpoint with.

        Raises:
            Stuck: the way ends before the application.
        """
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe()
        given = await self.come_back(
            code_challenge=_challenge_of(verifier), state=state, login_hint=self.member, **further
        )
        if given.get("state") != state or "code" not in given:
            raise LookupError(f"{self.login} came back with {given}")
        return {
            "grant_type": "authorization_code",
            "code": given["code"],
            "redirect_uri": self._application.redirect_uri,
            "code_verifier": verifier,
        }

    async def come_back(self, **question: str) -> dict[str, str]:
        """Walk from the application through the platform until the browser is sent back.

        Returns:
            What the application is given in the address.

        Raises:
            Stuck: the browser is never sent back.
        """
        asked = {
            "response_type": "code",
            "client_id": self._application.client_id,
            "redirect_uri": self._application.redirect_uri,
            "scope": " ".join(SCOPES),
            "code_challenge_method": "S256",
            **question,
        }
        page = await self.browser.log_in(
            f"{self.http.base_url}/oauth/authorize?{urlencode(asked)}",
            person=self.login,
            until=self._application.redirect_uri,
        )
        if page.status:
            raise Stuck(page, self._application.redirect_uri)
        return dict(parse_qsl(urlsplit(page.url).query))

    def take(self, answer: dict[str, Any]) -> None:
        super().take(answer)
        self._refresh_token = answer.get("refresh_token", "")

    async def new_token(self) -> dict[str, Any]:
        return await ask_for_token(
            self.http,
            self._application.client_id,
            self._application.client_secret,
            grant_type="refresh_token",
            refresh_token=self._refresh_token,
        )


def _challenge_of(verifier: str) -> str:
    """Source: RFC 7636, section 4.2."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
