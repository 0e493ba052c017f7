"""A browser without a screen: keeps cookies, follows redirects and fills in forms.

Not the cookies of the HTTP library, which sends none that are `Secure` to an address without TLS;
browsers do, if it is this machine's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar, DefaultCookiePolicy
from http.cookies import SimpleCookie
from types import TracebackType
from typing import Final, Self
from urllib.parse import urljoin, urlsplit

from httpx2 import AsyncClient, Response

STEPS_MAX: Final = 20
LOGINS_MAX: Final = 3
TIMEOUT_SECONDS: Final = 15.0
NAME_FIELDS: Final = ("sub", "login")
"""What the login pages of the demo's providers call the field for the person's name."""


class Stuck(Exception):
    """The way does not lead where somebody wanted to go."""

    def __init__(self, page: "Page", wanted: str) -> None:
        self.page = page
        text = " ".join(page.words)[:300]
        super().__init__(f"at {page.url} on the way to {wanted}: {page.status} {text}")


@dataclass(frozen=True)
class Form:
    """What somebody could send from a page."""

    method: str
    action: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Page:
    """Where a browser has come to rest."""

    url: str
    status: int
    text: str

    @property
    def forms(self) -> list[Form]:
        """The forms in their order, with what is already filled in."""
        return _Forms(self.text).forms

    @property
    def asking(self) -> list[int]:
        """Which of the forms want to know who is there."""
        return [
            number
            for number, form in enumerate(self.forms)
            if set(NAME_FIELDS) & form.fields.keys()
        ]

    @property
    def words(self) -> list[str]:
        """What somebody reads."""
        return _Text(self.text).words


@dataclass
class _Cookies:
    """By host, path and name; a host's cookies go to all its ports (RFC 6265, 8.5)."""

    kept: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def take(self, response: Response) -> None:
        host = str(response.url.host)
        for line in response.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(line).items():
                place = (host, morsel["path"] or "/", name)
                if not morsel.value or morsel["max-age"] == "0" or "1970" in morsel["expires"]:
                    self.kept.pop(place, None)
                else:
                    self.kept[place] = morsel.value

    def header_for(self, url: str) -> dict[str, str]:
        parts = urlsplit(url)
        path = parts.path or "/"
        pairs = [
            f"{name}={value}"
            for (host, below, name), value in self.kept.items()
            if host == parts.hostname and f"{path}/".startswith(f"{below.rstrip('/')}/")
        ]
        return {"Cookie": "; ".join(pairs)} if pairs else {}


class Browser:
    """One person's; to be entered."""

    def __init__(self) -> None:
        self._cookies = _Cookies()
        nobody = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
        self._http = AsyncClient(cookies=nobody, timeout=TIMEOUT_SECONDS, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    @property
    def cookies(self) -> list[str]:
        """Names of what is kept."""
        return [name for _, _, name in self._cookies.kept]

    async def open(self, url: str, *, until: str | None = None) -> Page:
        """Go to an address and on to where it leads.

        Args:
            url: where to begin.
            until: do not enter what begins with this; the page then has no text, and status 0.

        Raises:
            Stuck: it leads round and round.
        """
        return await self._go("GET", url, until=until)

    async def send(
        self, page: Page, fill: Mapping[str, str], *, number: int = 0, until: str | None = None
    ) -> Page:
        """Fill in a form of a page, send it and go on to where that leads.

        Raises:
            Stuck: there is no such form, or it leads round and round.
        """
        if len(page.forms) <= number:
            raise Stuck(page, f"form {number}")
        form = page.forms[number]
        fields = {name: fill.get(name, value) for name, value in form.fields.items()}
        action = urljoin(page.url, form.action)
        return await self._go(form.method, action, form=fields, page=page, until=until)

    async def log_in(self, url: str, *, person: str, until: str | None = None) -> Page:
        """Go to an address, and be that person at whatever provider it leads to.

        Args:
            url: where to begin.
            person: the name to log in with.
            until: do not enter what begins with this.

        Returns:
            The first page on which nobody asks who is there.

        Raises:
            Stuck: the provider does not know the person, or it leads round and round.
        """
        return await self.be(await self.open(url, until=until), person=person, until=until)

    async def be(self, page: Page, *, person: str, until: str | None = None) -> Page:
        """Be that person at whatever provider a page belongs to, if it asks.

        Args:
            page: where the browser is.
            person: the name to log in with.
            until: do not enter what begins with this.

        Returns:
            The first page on which nobody asks who is there.

        Raises:
            Stuck: the provider does not know the person, or it leads round and round.
        """
        for _ in range(LOGINS_MAX):
            asking = page.asking
            if not asking:
                return page
            fill = dict.fromkeys(NAME_FIELDS, person)
            page = await self.send(page, fill, number=asking[0], until=until)
        raise Stuck(page, until or "a page that asks nothing")

    async def _go(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        page: Page | None = None,
        until: str | None = None,
    ) -> Page:
        for _ in range(STEPS_MAX):
            if until is not None and url.startswith(until):
                return Page(url, 0, "")
            headers = self._cookies.header_for(url) | _about_origin(method, url, page)
            response = await self._http.request(
                method,
                url,
                params=form if method == "GET" and form else None,
                data=dict(form) if method == "POST" and form is not None else None,
                headers=headers,
            )
            self._cookies.take(response)
            if not response.is_redirect:
                return Page(str(response.url), response.status_code, response.text)
            url = urljoin(str(response.url), response.headers["location"])
            method, form = "GET", None
        raise Stuck(Page(url, response.status_code, response.text), until or "anywhere")


def _about_origin(method: str, url: str, page: Page | None) -> dict[str, str]:
    """Say where a request comes from, as browsers do."""
    if page is None:
        return {"Sec-Fetch-Site": "none"}
    is_same = _origin(url) == _origin(page.url)
    site = {"Sec-Fetch-Site": "same-origin" if is_same else "cross-site"}
    return site | ({"Origin": _origin(page.url)} if method == "POST" else {})


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class _Forms(HTMLParser):
    """Finds the forms of a page and their fields."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._fields: dict[str, str] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "form":
            self._fields = {}
            method = (found.get("method") or "get").upper()
            self.forms.append(Form(method, found.get("action") or "", self._fields))
        elif tag == "input" and self._fields is not None and found.get("name"):
            is_off = found.get("type") in ("checkbox", "radio") and "checked" not in found
            if not is_off:
                self._fields[str(found["name"])] = found.get("value") or ""
        elif tag == "button" and self._fields is not None and found.get("name"):
            # Pressing the first button that has a name.
            self._fields.setdefault(str(found["name"]), found.get("value") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._fields = None


class _Text(HTMLParser):
    """What somebody reads on a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self._hidden += tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "script")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words += data.split()
