"""Officials of two cities use the pages in a real browser, in two languages."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.journeys.chromium import View, chromium
from tests.journeys.conftest import Demo

pytestmark = pytest.mark.journey

SESSION: Final = "__Host-session"


@dataclass(frozen=True)
class Words:
    """What the pages say in a language."""

    language: str
    welcome: str
    log_in: str
    seoul: str
    bangkok: str
    as_coordinator: str
    as_contributor: str
    another_city: str
    log_out: str
    logged_out: str


ENGLISH: Final = Words(
    language="en",
    welcome="Cities at work together",
    log_in="Log in",
    seoul="Seoul",
    bangkok="Bangkok",
    as_coordinator="Coordinator",
    as_contributor="Contributor",
    another_city="Log in for another city",
    log_out="Log out",
    logged_out="You are logged out",
)
JAPANESE: Final = Words(
    language="ja",
    welcome="都市がともに働く場所",
    log_in="ログイン",
    seoul="ソウル特別市",
    bangkok="バンコク",
    as_coordinator="調整担当",
    as_contributor="実務担当",
    another_city="別の都市でログインする",
    log_out="ログアウト",
    logged_out="ログアウトしました",
)


@pytest.mark.parametrize("words", [ENGLISH, JAPANESE], ids=lambda words: words.language)
async def test_somebody_acts_for_two_cities_and_is_really_out_afterwards(
    demo: Demo, tmp_path: Path, words: Words
) -> None:
    url = demo.platform.url
    async with chromium(language=words.language) as browser:
        first = await browser.open(url)
        await browser.picture(tmp_path / f"1-welcome-{words.language}.png")
        await browser.press(words.log_in)
        await browser.picture(tmp_path / f"2-cities-{words.language}.png")
        at_seoul = await browser.press(words.seoul)
        seoul = await browser.enter("login", "seoul-coordinator")
        await browser.picture(tmp_path / f"3-seoul-{words.language}.png")
        await browser.press(words.another_city)
        at_bangkok = await browser.press(words.bangkok)
        bangkok = await browser.enter("sub", "bangkok-contributor")
        await browser.picture(tmp_path / f"4-bangkok-{words.language}.png")
        out = await browser.press(words.log_out)
        await browser.picture(tmp_path / f"5-out-{words.language}.png")
        copied = bangkok.cookie(SESSION)
        assert copied is not None
        await browser.keep(copied)
        again = await browser.open(url)
        asked = await browser.press(words.log_in)

    assert words.welcome in first.text
    assert at_seoul.url.startswith(demo.login_of("seoul")["issuer"])
    assert at_bangkok.url.startswith(demo.login_of("bangkok")["issuer"])
    for view, city, role in (
        (seoul, words.seoul, words.as_coordinator),
        (bangkok, words.bangkok, words.as_contributor),
    ):
        assert city in view.text
        assert role in view.text
    assert words.logged_out in out.text
    assert words.welcome in again.text
    assert words.seoul in asked.text
    ours = (first, seoul, bangkok, out, again, asked)
    assert {view.language for view in ours} == {words.language}
    assert all(view.url.startswith(url) for view in ours)
    assert [each for view in ours for each in view.complaints if each.startswith(url)] == []
    cookies_are_safe(seoul, bangkok)
    assert out.cookie(SESSION) is None


def cookies_are_safe(before: View, after: View) -> None:
    former, session = before.cookie(SESSION), after.cookie(SESSION)
    assert former is not None
    assert session is not None
    assert session["value"] != former["value"]
    assert (session["httpOnly"], session["secure"], session["sameSite"]) == (True, True, "Lax")
    assert (session["path"], session["domain"]) == ("/", "127.0.0.1")
