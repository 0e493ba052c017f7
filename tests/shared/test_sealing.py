"""Secrets at rest open with a key of ours, in their own place, and nowhere else."""

from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode

import pytest

from shared.sealing import CannotOpen, Seals

OLD, NEW = (
    f"{name}:{b64encode(bytes([number]) * 32).decode()}" for number, name in enumerate("ab")
)
PLACE = "endpoint secret 7"


def test_what_is_sealed_opens_again() -> None:
    seals = Seals.read(OLD)

    for secret in (b"", b"whsec_x", bytes(range(256)) * 100):
        assert seals.open(seals.seal(secret, place=PLACE), place=PLACE) == secret


def test_equal_secrets_do_not_look_equal() -> None:
    seals = Seals.read(OLD)

    assert seals.seal(b"secret", place=PLACE) != seals.seal(b"secret", place=PLACE)


def test_the_newest_key_seals_and_all_keys_open() -> None:
    by_old = Seals.read(OLD).seal(b"secret", place=PLACE)
    both = Seals.read(f"{NEW}, {OLD}")

    assert both.open(by_old, place=PLACE) == b"secret"
    assert both.seal(b"secret", place=PLACE).startswith("v1.b.")
    with pytest.raises(CannotOpen):
        Seals.read(OLD).open(both.seal(b"secret", place=PLACE), place=PLACE)


def test_a_secret_does_not_open_in_another_place() -> None:
    seals = Seals.read(OLD)

    with pytest.raises(CannotOpen):
        seals.open(seals.seal(b"secret", place=PLACE), place="endpoint secret 8")


def test_any_changed_bit_is_noticed() -> None:
    seals = Seals.read(OLD)
    version, name, encoded = seals.seal(b"secret", place=PLACE).split(".")
    data = urlsafe_b64decode(encoded)

    for position in range(len(data) * 8):
        changed = bytearray(data)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises(CannotOpen):
            seals.open(f"{version}.{name}.{urlsafe_b64encode(changed).decode()}", place=PLACE)


@pytest.mark.parametrize(
    "sealed",
    ["", "v1", "v1.a", "v1.a.", "v1.a.x", "v1.c.AAAA", "v2.a.AAAA", "v1.a.AAAA.b", "é.é.é"],
)
def test_what_was_never_sealed_does_not_open(sealed: str) -> None:
    with pytest.raises(CannotOpen, match=f"{PLACE}|unknown format"):
        Seals.read(OLD).open(sealed, place=PLACE)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "at least one key"),
        (" , ", "not 32 bytes"),
        ("a:AAAA", "not 32 bytes"),
        (f"{OLD[2:]}", "not base64|not 32 bytes"),
        (f":{OLD[2:]}", "not 32 bytes"),
        (f"a.b:{OLD[2:]}", "not 32 bytes"),
        ("a:???", "not base64"),
        (f"{OLD},{OLD}", "given twice"),
    ],
)
def test_keys_that_are_none_stop_the_start(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Seals.read(text)


def test_an_error_shows_no_secret() -> None:
    seals = Seals.read(OLD)

    with pytest.raises(CannotOpen) as caught:
        seals.open(seals.seal(b"whsec_x", place="there"), place="here")

    assert str(caught.value) == "cannot open the secret of here"
    assert OLD[2:] not in repr(seals)
