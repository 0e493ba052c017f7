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
    singapore: str
    hanoi: str
    liaison: str
    as_observer: str
    to_hanoi: str
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
    singapore="Singapore",
    hanoi="Hanoi",
    liaison="Liaison",
    as_observer="Observer",
    to_hanoi="Switch to Hanoi",
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
    singapore="シンガポール",
    hanoi="ハノイ",
    liaison="連絡担当",
    as_observer="閲覧者",
    to_hanoi="ハノイに切り替える",
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


@pytest.mark.parametrize("words", [ENGLISH, JAPANESE], ids=lambda words: words.language)
async def test_a_liaison_switches_city_with_one_login_and_is_out_of_both(
    demo: Demo, tmp_path: Path, words: Words
) -> None:
    url = demo.platform.url
    async with chromium(language=words.language) as browser:
        await browser.open(url)
        await browser.press(words.log_in)
        asked = await browser.press(words.singapore)
        singapore = await browser.enter("login", "singapore-liaison")
        await browser.picture(tmp_path / f"6-singapore-{words.language}.png")
        hanoi = await browser.press(words.to_hanoi)
        await browser.picture(tmp_path / f"7-hanoi-{words.language}.png")
        out = await browser.press(words.log_out)
        afterwards = []
        for former in (singapore, hanoi):
            copied = former.cookie(SESSION)
            assert copied is not None
            await browser.keep(copied)
            afterwards.append(await browser.open(url))

    for view, city, role in (
        (singapore, words.singapore, words.as_contributor),
        (hanoi, words.hanoi, words.as_observer),
    ):
        assert view.url == f"{url}/"
        assert city in view.text
        assert words.liaison in view.text
        assert role in view.text
    assert words.to_hanoi in singapore.text
    assert asked.url.startswith(demo.login_of("singapore")["issuer"])
    assert words.logged_out in out.text
    assert out.cookie(SESSION) is None
    assert all(words.welcome in view.text for view in afterwards)
    ours = (singapore, hanoi, out, *afterwards)
    assert [each for view in ours for each in view.complaints if each.startswith(url)] == []
    cookies_are_safe(singapore, hanoi)


def cookies_are_safe(before: View, after: View) -> None:
    former, session = before.cookie(SESSION), after.cookie(SESSION)
    assert former is not None
    assert session is not None
    assert session["value"] != former["value"]
    assert (session["httpOnly"], session["secure"], session["sameSite"]) == (True, True, "Lax")
    assert (session["path"], session["domain"]) == ("/", "127.0.0.1")
