"""Where officials log in: each city registers its own provider, and shows that it works."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from httpx2 import AsyncClient

from deploy.demo.api import CityApi
from deploy.demo.browser import Browser, Stuck
from deploy.demo.load.record import Record
from deploy.demo.load.together import for_each
from deploy.demo.progress import Display
from deploy.demo.providers.cities import LIAISON, SCOPES, SHARED, STRONG_ACR, Person, Provider
from deploy.demo.story import Story
from shared.identifiers import new_id

SCIM_USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"


class Logins:
    """Brings the providers of cities to where their officials can log in."""

    def __init__(
        self,
        http: AsyncClient,
        apis: Mapping[str, CityApi],
        story: Story,
        record: Record,
        display: Display,
        providers: Sequence[Provider],
    ) -> None:
        self._http = http
        self._apis = apis
        self._story = story
        self._record = record
        self._display = display
        self._providers = providers

    async def open(self) -> None:
        """Prove the cities' mail domains, register their providers, try them, let officials in.

        Raises:
            ExceptionGroup: of `Refused`, `Stuck` and `HTTPError`.
        """
        own = [provider for provider in self._providers if provider.is_own]
        await for_each(self._display, "logins", own, self._open)
        shared = [provider for provider in self._providers if not provider.is_own]
        await for_each(self._display, "liaisons", shared, self._share)
        self._record.facts["logins"] = dict(sorted(self._record.facts["logins"].items()))
        self._record.save()

    async def _open(self, provider: Provider) -> None:
        api, path = self._apis[provider.member], f"/api/v1/members/{provider.member}"
        await self._prove(api, f"{path}/email-domains", f"{provider.member}.example")
        await self._register(provider)
        self._record.facts["logins"][provider.member] = {
            "kind": provider.kind,
            "issuer": provider.issuer,
            "people": [person.subject for person in provider.people],
        }

    async def _share(self, provider: Provider) -> None:
        """Let somebody be an official of two cities, who logs in at the provider of one of them.

        There their address says who they are, which can be one city's only; to the other city its
        directory says so, by the subject that they have at the provider.
        """
        owner, liaison = SHARED[provider.member], provider.person(LIAISON)
        language = self._story.language_of(owner)
        at_home = {**self._story.liaison(owner, "contributor"), "language": language}
        await self._apis[owner].post(
            f"/api/v1/members/{owner}/officials",
            {**at_home, "email": liaison.email},
            key=f"demo:{owner}:{LIAISON}",
        )
        registered = await self._register(provider)
        api, path = self._apis[provider.member], f"/api/v1/members/{provider.member}"
        token = await api.post(
            f"{path}/scim-tokens",
            {"name": "Directory", "identity_provider_id": registered["id"]},
            key=f"demo:{provider.member}:directory",
        )
        official = await self._told_of(liaison, token["token"], language=language)
        changed = await api.send(
            "PATCH",
            f"{path}/officials/{official}",
            json=self._story.liaison(provider.member, "observer"),
            headers={"If-Match": "*"},
        )
        changed.raise_for_status()
        await self._come_once(provider.member, liaison)
        self._record.facts["liaisons"][liaison.subject] = [owner, provider.member]

    async def _come_once(self, member: str, person: Person) -> None:
        """Log somebody in, and out again: from now on it is known that they act for the city."""
        async with Browser() as browser:
            page = await browser.log_in(
                f"{self._http.base_url}/login/{member}", person=person.subject
            )
            leaving = [number for number, form in enumerate(page.forms) if form.action == "/logout"]
            if not leaving:
                raise Stuck(page, f"the first login of {person.subject} for {member}")
            await browser.send(page, {}, number=leaving[0])

    async def _told_of(self, person: Person, token: str, *, language: str) -> str:
        """Tell of somebody as the directory of a city does; gives the id of the official."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}
        named = {"filter": f'userName eq "{person.subject}"'}
        found = await self._http.get("/scim/v2/Users", params=named, headers=headers)
        known = found.raise_for_status().json().get("Resources")
        if known:
            return str(known[0]["id"])  # in an earlier run
        made = await self._http.post(
            "/scim/v2/Users",
            json={
                "schemas": [SCIM_USER],
                "userName": person.subject,
                "externalId": person.subject,
                "preferredLanguage": language,
                "active": True,
            },
            headers=headers,
        )
        return str(made.raise_for_status().json()["id"])

    async def _register(self, provider: Provider) -> dict[str, Any]:
        """Let officials of a city log in at a provider, once a test login has succeeded."""
        api, path = self._apis[provider.member], f"/api/v1/members/{provider.member}"
        made: dict[str, Any] = await api.post(
            f"{path}/identity-providers",
            {
                "name": f"{self._story.name_of(provider.member)['en']}, staff accounts",
                "issuer": provider.issuer,
                "client_id": provider.client_id,
                "client_secret": provider.client_secret,
                "scopes": SCOPES,
                "strong_acr": STRONG_ACR[provider.kind],
            },
            key=f"demo:{provider.member}:provider",
        )
        path = f"{path}/identity-providers/{made['id']}"
        await self._test(api, path, provider)
        await api.post(
            f"{path}/activation", key=f"demo:{provider.member}:provider:activation", version="*"
        )
        return made

    async def _prove(self, api: CityApi, path: str, domain: str) -> None:
        """Show that a mail domain is the city's, so that its invited officials are recognised."""
        key = f"demo:{api.member}:domain"
        claimed = await api.post(path, {"domain": domain}, key=key)
        # Any provider of this kind takes names; it answers for all of them.
        [registrar, *_] = [each for each in self._providers if each.kind == "mock"]
        entered = await self._http.put(
            f"{registrar.issuer}/records/{claimed['record_name']}", content=claimed["record_value"]
        )
        entered.raise_for_status()
        await api.post(f"{path}/{domain}/verification", key=f"{key}:verification")

    async def _test(self, api: CityApi, path: str, provider: Provider) -> None:
        """Log in as somebody whom it knows, before anybody depends on it."""
        # A key of its own: what is answered is good for some minutes only.
        offered = await api.post(f"{path}/test", key=str(new_id()))
        async with Browser() as browser:
            page = await browser.log_in(offered["url"], person=provider.people[0].subject)
        if not (await api.get(path))["is_tested"]:
            raise Stuck(page, f"the end of a test login of {provider.member}")
