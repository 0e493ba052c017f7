"""Where webhooks may go, and where they may not."""

import pytest

from services.notifications.model.webhook_address import WebhookAddressNotAllowed, ensure_allowed
from tests.notifications.receiver import LOOPBACK


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("https://hooks.seoul.example/renkei", "https://hooks.seoul.example/renkei"),
        ("https://hooks.seoul.example:8443/r?key=1", "https://hooks.seoul.example:8443/r?key=1"),
        ("https://東京.example/通知", "https://xn--1lqs71d.example/%E9%80%9A%E7%9F%A5"),
        ("https://93.184.216.34/", "https://93.184.216.34/"),
        ("https://[2606:2800:220:1::1]/", "https://[2606:2800:220:1::1]/"),
    ],
)
def test_a_public_address_is_allowed(written: str, normal: str) -> None:
    assert ensure_allowed(written, networks=()) == normal


@pytest.mark.parametrize(
    "written",
    [
        "http://hooks.seoul.example/",
        "ftp://hooks.seoul.example/",
        "file:///etc/passwd",
        "//hooks.seoul.example/",
        "hooks.seoul.example",
        "https://",
        "https:///path",
        "https://user@hooks.seoul.example/",
        "https://user:word@hooks.seoul.example/",
        "https://hooks.seoul.example:22/",
        "https://hooks.seoul.example:99999/",
        "https://hooks.seoul.example:0/",
        "https://hooks.seoul.example/#part",
        "https://localhost/",
        "https://LOCALHOST./",
        "https://db.localhost/",
        "https://printer.local/",
        "https://metadata.google.internal/",
        "https://intranet/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0x7f.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://１２７.0.0.1/",
        "https://127.0.0.1./",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[fe80::1%25eth0]/",
        "https://" + "a" * 2_000 + ".example/",
    ],
)
def test_everything_else_is_refused(written: str) -> None:
    with pytest.raises(WebhookAddressNotAllowed):
        ensure_allowed(written, networks=())


@pytest.mark.parametrize(
    "written",
    [
        "http://127.0.0.1:9000/hook",
        "http://127.0.0.1/",
        "https://127.0.0.1:22/",
        "http://localhost:9000/",
        "https://hooks.inner/",
        "https://93.184.216.34/",
    ],
)
def test_an_address_in_a_network_of_the_operator_is_allowed(written: str) -> None:
    assert ensure_allowed(written, networks=LOOPBACK) == written


@pytest.mark.parametrize(
    "written",
    [
        "https://10.0.0.7/",
        "https://[::ffff:127.0.0.1]/",
        "http://93.184.216.34/",
        "https://93.184.216.34:22/",
    ],
)
def test_another_one_is_not_allowed_for_that(written: str) -> None:
    with pytest.raises(WebhookAddressNotAllowed):
        ensure_allowed(written, networks=LOOPBACK)


@pytest.mark.parametrize(
    "written", ["http://0x7f.1/", "http://u@localhost/", "gopher://localhost/"]
)
def test_odd_ones_are_never_allowed(written: str) -> None:
    with pytest.raises(WebhookAddressNotAllowed):
        ensure_allowed(written, networks=LOOPBACK)
