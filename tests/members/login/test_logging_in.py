"""Somebody comes in: invited, known from before, or by the policy for unknown people."""

from tests.members.login.seoul import Seoul, browser, is_in


async def test_who_was_invited_comes_in_by_a_verified_address(seoul: Seoul) -> None:
    official = await seoul.invite()
    await seoul.prove()

    async with browser(seoul.network.app) as client:
        response = await seoul.log_in(client)

        assert (response.status_code, response.headers["location"]) == (302, "/login")
        assert is_in(client)
        page = await client.get("/login")
    assert "You are logged in" in page.text
    assert "Coordinator, Seoul" in page.text
    [sign_in] = await seoul.sign_ins()
    assert str(sign_in.official_id) == official["id"]
    assert sign_in.upstream_sid == "provider-session-1"
