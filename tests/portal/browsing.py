"""A browser in front of the portal."""

import json
import re
from typing import Any, Final

from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient, Response
from pydantic import SecretStr

from services.portal.http.cookies import SESSION
from services.portal.http.pages import TICKET
from services.portal.settings import PortalSettings
from shared.http.browser import ticket_for
from tests.conftest import Database
from tests.portal.platform import CLIENT_ID, CLIENT_KEY, Platform
from tests.web import ISSUER, environment

SEE_OTHER: Final = 303


def settings_of(database: Database | None = None, **more: Any) -> PortalSettings:
    given = environment(database)
    key = SecretStr(json.dumps(CLIENT_KEY.as_dict(private=True)))
    own: dict[str, Any] = {"portal_client_id": CLIENT_ID, "portal_client_key": key} | more
    return PortalSettings(
        database_url=given["database_url"], issuer=ISSUER, master_keys=given["master_keys"], **own
    )


class Browser(AsyncClient):
    """Keeps cookies, follows nothing by itself, and says where its requests come from."""

    platform: Platform

    @classmethod
    def of(cls, app: FastAPI, platform: Platform, **headers: str) -> "Browser":
        browser = cls(
            transport=ASGITransport(app, raise_app_exceptions=False),
            base_url=ISSUER,
            headers={"Accept-Language": "en", **headers},
        )
        browser.platform = platform
        return browser

    @property
    def session(self) -> str | None:
        return self.cookies.get(SESSION)

    async def begin(self, path: str = "/session/login") -> str:
        """Ask to log in, and give the address that the browser is sent to."""
        response = await self.get(path)
        assert response.status_code == SEE_OTHER, response.text
        return response.headers["location"]

    async def log_in(self, path: str = "/session/login") -> Response:
        """Log in, and give the answer that opens the session."""
        return await self.get(self.platform.authorize(await self.begin(path)))

    async def send(self, request: Any, **more: Any) -> Response:
        if request.method == "POST":
            request.headers.setdefault("Sec-Fetch-Site", "same-origin")
        return await super().send(request, **more)

    def ticket(self) -> dict[str, str]:
        """What the forms on the pages of this session bring along."""
        return {"ticket": ticket_for(self.session, TICKET)} if self.session else {}

    async def submit(self, path: str, **fields: str) -> Response:
        """Send a form of our pages."""
        return await self.post(path, data=self.ticket() | fields)

    async def plain_post(self, path: str, headers: dict[str, str]) -> Response:
        """Send the same as a browser that knows nothing of Fetch Metadata."""
        request = self.build_request("POST", path, data=self.ticket(), headers=headers)
        return await super().send(request)


def text_of(response: Response) -> str:
    """What a page says, without its markup."""
    body = re.sub(r"<style>.*?</style>", "", response.text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())
