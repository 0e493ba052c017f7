"""How we show a receiver who we are, where its owner wants more than signatures.

By an access token of its own authorization server (RFC 6749, section 4.4), or by a certificate that
we present when the connection is made (RFC 8446, section 4.4.2). Whatever is secret lies sealed.
"""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import Certificate, InvalidVersion, load_pem_x509_certificates
from pydantic_core import from_json, to_json

from shared.contracts.notifications import Authentication as Kind
from shared.refusals import Invalid

RSA_BITS_MIN: Final = 2048
RSA_BITS_MAX: Final = 4096
"""Checking whether a key is one, and signing with it, takes eight times as long for each doubling.
"""

UNREADABLE: Final = (ValueError, TypeError, OverflowError, UnsupportedAlgorithm, InvalidVersion)


class WebhookCertificateUnusable(Invalid):
    code = "webhook-certificate-unusable"
    title = "Nobody can be shown this certificate"


class WebhookAuthenticationContradictory(Invalid):
    code = "webhook-authentication-contradictory"
    title = "The endpoint would be told in two ways who sends"


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """What we get access tokens with, at the authorization server of the receiver."""

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str | None = None
    audience: str | None = None

    @property
    def kind(self) -> Kind:
        return "oauth2"

    def details(self) -> dict[str, Any]:
        """Give what is not secret."""
        return {name: value for name, value in asdict(self).items() if name != "client_secret"}


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate with what leads to its authority, and its private key, as PEM."""

    certificate: str
    private_key: str = field(repr=False)

    @property
    def kind(self) -> Kind:
        return "mtls"

    def details(self) -> dict[str, Any]:
        """Give what is not secret."""
        own = _certificates(self.certificate)[0]
        return {
            "subject": own.subject.rfc4514_string(),
            "sha256": own.fingerprint(SHA256()).hex(),
            "not_after": own.not_valid_after_utc.isoformat(),
        }


Authentication = ClientCredentials | ClientCertificate


def sealable(authentication: Authentication) -> bytes:
    """Write it as what is sealed."""
    return to_json({"kind": authentication.kind, **asdict(authentication)})


def read(written: bytes) -> Authentication:
    """Read what `sealable` wrote."""
    fields = from_json(written)
    kind = ClientCredentials if fields.pop("kind") == "oauth2" else ClientCertificate
    return kind(**fields)


def authentication_place(endpoint_id: UUID) -> str:
    """What the sealed authentication of an endpoint is bound to."""
    return f"webhook_endpoint sealed_authentication {endpoint_id}"


def ensure_usable(presented: ClientCertificate, *, now: datetime) -> None:
    """Refuse a certificate that no receiver could accept.

    Raises:
        WebhookCertificateUnusable: it or its key cannot be read, they do not belong together, the
            key is weak or of a kind that is not in use, or the certificate is not valid now.
    """
    own = _certificates(presented.certificate)[0]
    key = _private_key(presented.private_key)
    if own.public_key() != key.public_key():
        raise WebhookCertificateUnusable("The private key is not that of the first certificate.")
    if not own.not_valid_before_utc <= now < own.not_valid_after_utc:
        raise WebhookCertificateUnusable(
            f"It is valid from {own.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
            f" until {own.not_valid_after_utc:%Y-%m-%d %H:%M} UTC."
        )


def _private_key(pem: str) -> RSAPrivateKey | EllipticCurvePrivateKey:
    try:
        # How large it is comes first: whether its numbers are primes may take minutes to find out.
        key = load_pem_private_key(pem.encode(), password=None, unsafe_skip_rsa_key_validation=True)
        if isinstance(key, RSAPrivateKey):
            _ensure_usual_size(key)
            load_pem_private_key(pem.encode(), password=None)
    except UNREADABLE as error:
        # TypeError: it needs a password.
        raise WebhookCertificateUnusable("The private key cannot be read.") from error
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):
        raise WebhookCertificateUnusable("The private key must be one for RSA or ECDSA.")
    return key


def _ensure_usual_size(key: RSAPrivateKey) -> None:
    numbers = key.private_numbers()
    # Both factors, too: nobody has looked yet whether they are those of the modulus.
    largest = max(numbers.p, numbers.q, numbers.public_numbers.n).bit_length()
    if key.key_size < RSA_BITS_MIN or largest > RSA_BITS_MAX:
        raise WebhookCertificateUnusable(
            f"The private key must have {RSA_BITS_MIN} to {RSA_BITS_MAX} bits."
        )


def ensure_consistent(kind: str, *, url: str, header_names: tuple[str, ...]) -> None:
    """Refuse what contradicts itself once all of it is known.

    Raises:
        WebhookAuthenticationContradictory: a certificate where none is asked for, or two ways to
            fill the header `Authorization`.
    """
    if kind == "mtls" and not url.startswith("https:"):
        raise WebhookAuthenticationContradictory("A certificate is presented over https:// only.")
    if kind == "oauth2" and "authorization" in {name.lower() for name in header_names}:
        raise WebhookAuthenticationContradictory(
            "The header Authorization holds the access token; leave it out."
        )


def _certificates(pem: str) -> list[Certificate]:
    try:
        found = load_pem_x509_certificates(pem.encode())
        # Parts of a certificate are read when they are asked for: let it be here.
        own = found[0]
        own.public_key()
        own.subject.rfc4514_string()
        _ = own.not_valid_before_utc, own.not_valid_after_utc
    except UNREADABLE as error:
        raise WebhookCertificateUnusable("The certificate cannot be read.") from error
    return found
