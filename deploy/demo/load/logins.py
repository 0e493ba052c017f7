"""Where officials log in: each city registers its own provider, and shows that it works."""

from collections.abc import Mapping, Sequence

from httpx2 import AsyncClient

from deploy.demo.api import CityApi
from deploy.demo.browser import Browser, Stuck
from deploy.demo.load.record import Record
from deploy.demo.load.together import for_each
from deploy.demo.progress import Display
from deploy.demo.providers.cities import SCOPES, STRONG_ACR, Provider
from deploy.demo.story import Story
from shared.identifiers import new_id


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
        await for_each(self._display, "logins", self._providers, self._open)
        self._record.facts["logins"] = dict(sorted(self._record.facts["logins"].items()))
        self._record.save()

    async def _open(self, provider: Provider) -> None:
        api, path = self._apis[provider.member], f"/api/v1/members/{provider.member}"
        await self._prove(api, f"{path}/email-domains", f"{provider.member}.example")
        made = await api.post(
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
        self._record.facts["logins"][provider.member] = {
            "kind": provider.kind,
            "issuer": provider.issuer,
            "people": [person.subject for person in provider.people],
        }

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
        """Log in as the city's administrator would, before anybody depends on it."""
        # A key of its own: what is answered is good for some minutes only.
        offered = await api.post(f"{path}/test", key=str(new_id()))
        async with Browser() as browser:
            page = await browser.log_in(
                offered["url"], person=provider.person("administrator").subject
            )
        if not (await api.get(path))["is_tested"]:
            raise Stuck(page, f"the end of a test login of {provider.member}")
