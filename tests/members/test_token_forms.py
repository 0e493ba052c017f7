"""Whatever is sent to the token endpoint is read cleanly or refused, never a fault."""

import base64

from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from services.members.http.oauth.errors import MalformedRequest, WrongCredentials
from services.members.http.oauth.forms import VISIBLE, read_credentials, read_form

ESCAPES = st.sampled_from([b"%00", b"%FF", b"%C3%A9", b"%", b"&", b"=", b"+", b"client_id", b"a"])


@given(st.one_of(st.binary(max_size=200), st.lists(ESCAPES, max_size=12).map(b"".join)))
def test_any_bytes_are_a_clean_form_or_malformed(body: bytes) -> None:
    try:
        parameters = read_form(body)
    except MalformedRequest:
        return

    for name, value in parameters.items():
        assert VISIBLE.fullmatch(value)
        assert not name or VISIBLE.fullmatch(name)


@given(st.one_of(st.binary(max_size=60), st.binary(max_size=60).map(base64.b64encode)))
def test_any_header_names_visible_credentials_or_wrong_ones(value: bytes) -> None:
    request = Request(
        {"type": "http", "headers": [(b"authorization", b"Basic " + value)], "path": "/"}
    )

    try:
        credentials = read_credentials(request, {})
    except WrongCredentials:
        return

    assert VISIBLE.fullmatch(credentials.client_id)
    assert VISIBLE.fullmatch(credentials.secret)
