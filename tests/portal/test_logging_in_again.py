"""Where the platform wants a new login the browser is sent there, and back: once."""

from urllib.parse import parse_qs, urlsplit

import pytest

from services.portal.gateways.platform_api import LoginNeeded, login_needed
from services.portal.http.cookies import LOGGED_IN_AGAIN
from tests.portal.browsing import Browser, text_of
from tests.portal.platform import Platform
from tests.web import ISSUER

CHALLENGE = (
    'Bearer realm="renkei", error="insufficient_user_authentication",'
    ' max_age="900", error_description="This needs a login that is at most 900 seconds old."'
)


@pytest.fixture
def asking(platform: Platform) -> Platform:
    """The platform wants a recent login of whoever looks at their sessions."""
    platform.challenges["/api/v1/me/sessions"] = CHALLENGE
    return platform


def question_in(location: str) -> dict[str, str]:
    address = urlsplit(location)
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{ISSUER}/oauth/authorize"
    return {name: value for name, [value] in parse_qs(address.query).items()}


@pytest.mark.parametrize(
    ("challenge", "wanted"),
    [
        (CHALLENGE, ("900", None)),
        (f'{CHALLENGE}, acr_values="urn:renkei:mfa urn:b"', ("900", "urn:renkei:mfa urn:b")),
        ('DPoP error="insufficient_user_authentication", acr_values="urn:b"', (None, "urn:b")),
        ('Bearer error="insufficient_user_authentication"', (None, None)),
        ('Bearer error="insufficient_user_authentication", max_age="x"', (None, None)),
        ('Bearer error="insufficient_user_authentication", max_age="9999999999"', (None, None)),
    ],
)
def test_a_challenge_says_which_login_is_wanted(
    challenge: str, wanted: tuple[str | None, str | None]
) -> None:
    found = login_needed(challenge)

    assert isinstance(found, LoginNeeded)
    assert (found.max_age, found.acr_values) == wanted


@pytest.mark.parametrize(
    "challenge", ["", 'Bearer realm="renkei", error="invalid_token"', "Bearer", "x" * 100_000]
)
def test_any_other_challenge_is_about_the_token(challenge: str) -> None:
    assert login_needed(challenge) is None


async def test_somebody_is_sent_to_log_in_again_and_comes_back_to_the_page(
    browser: Browser, asking: Platform
) -> None:
    await browser.log_in()
    before = browser.session

    sent = await browser.get("/sessions")
    still = await browser.get("/")
    asking.challenges.clear()
    back = await browser.get(asking.authorize(sent.headers["location"]))
    page = await browser.get(back.headers["location"])

    question = question_in(sent.headers["location"])
    assert (sent.status_code, question["max_age"]) == (303, "900")
    assert not {"acr_values", "prompt"} & question.keys()
    assert "For Seoul" in text_of(still)
    assert back.headers["location"] == "/sessions"
    assert "This browser" in text_of(page)
    assert browser.session != before
    assert [family.is_over for family in asking.families] == [True, False]


async def test_a_kind_of_login_is_asked_for_as_the_platform_says(
    browser: Browser, platform: Platform
) -> None:
    platform.challenges["/api/v1/me/sessions"] = f'{CHALLENGE}, acr_values="urn:renkei:mfa"'
    await browser.log_in()

    sent = await browser.get("/sessions")
    weak = await browser.get(platform.authorize(sent.headers["location"]))
    platform.claims = lambda claims: claims | {"acr": "urn:renkei:mfa"}
    sent = await browser.get("/sessions")
    strong = await browser.get(platform.authorize(sent.headers["location"]))

    assert question_in(sent.headers["location"])["acr_values"] == "urn:renkei:mfa"
    assert weak.status_code == 403
    assert strong.headers["location"] == "/sessions"


@pytest.mark.parametrize("parameters", ["", ', max_age="soon"', ', scope="members:write"'])
async def test_a_challenge_that_does_not_say_which_login_leads_to_a_new_one_and_not_round(
    browser: Browser, platform: Platform, parameters: str
) -> None:
    platform.challenges["/api/v1/me/sessions"] = (
        f'Bearer error="insufficient_user_authentication"{parameters}'
    )
    await browser.log_in()

    sent = await browser.get("/sessions")
    await browser.get(platform.authorize(sent.headers["location"]))
    told = await browser.get("/sessions")

    question = question_in(sent.headers["location"])
    assert question["prompt"] == "login"
    assert not {"max_age", "acr_values"} & question.keys()
    assert told.status_code == 403
    assert "You stay logged in" in text_of(told)


async def test_whoever_is_asked_once_more_is_told_and_not_sent_round(
    browser: Browser, asking: Platform
) -> None:
    await browser.log_in()
    sent = await browser.get("/sessions")
    await browser.get(asking.authorize(sent.headers["location"]))

    told = await browser.get("/sessions")
    later = await browser.get("/sessions")

    assert told.status_code == 403
    assert "You stay logged in" in text_of(told)
    assert 'href="/sessions"' in told.text
    assert "For Seoul" in text_of(await browser.get("/"))
    assert later.status_code == 303  # and may try it again
    assert LOGGED_IN_AGAIN not in browser.cookies


async def test_a_login_that_is_not_new_is_not_taken_for_one(
    browser: Browser, asking: Platform
) -> None:
    await browser.log_in()
    before = browser.session
    sent = await browser.get("/sessions")
    asking.claims = lambda claims: claims | {"auth_time": claims["auth_time"] - 1_000}

    refused = await browser.get(asking.authorize(sent.headers["location"]))

    assert refused.status_code == 403
    assert "logged in too long ago" in text_of(refused)
    assert browser.session == before
    assert LOGGED_IN_AGAIN not in browser.cookies


@pytest.mark.parametrize(
    ("referer", "back"),
    [
        (f"{ISSUER}/sessions", "/sessions"),
        ("https://evil.example/sessions", "/"),
        (f"{ISSUER}.evil.example/sessions", "/"),
        (f"{ISSUER}/session/login", "/"),
        (None, "/"),
    ],
)
async def test_a_form_leads_back_to_the_page_that_it_was_on(
    browser: Browser, asking: Platform, referer: str | None, back: str
) -> None:
    await browser.log_in()
    headers = {} if referer is None else {"Referer": referer}

    sent = await browser.post("/sessions/end", data=browser.ticket(), headers=headers)
    asking.challenges.clear()
    came = await browser.get(asking.authorize(sent.headers["location"]))

    assert sent.status_code == 303
    assert came.headers["location"] == back
    assert [family.is_over for family in asking.families] == [True, False]


async def test_a_link_of_somebody_else_asks_for_no_new_login(
    browser: Browser,
) -> None:
    stranger = question_in(await browser.begin("/session/login?max_age=0&acr_values=urn:b"))
    await browser.log_in()

    response = await browser.get("/session/login?max_age=0&acr_values=urn:b&return_to=/sessions")

    assert not {"max_age", "acr_values"} & stranger.keys()
    assert (response.status_code, response.headers["location"]) == (303, "/sessions")
