"""TLS as we speak it to receivers: whom we trust, and what we present where it is asked for."""

import secrets
import ssl
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from services.notifications.model.authentication import ClientCertificate


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """Make a context that trusts what the system trusts, and the authorities of a file."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


def presenting(presented: ClientCertificate, *, ca_file: Path | None) -> ssl.SSLContext:
    """Make a context that also presents a certificate.

    Raises:
        ssl.SSLError: the library does not take the certificate, such as for a weak signature.
    """
    context = trusting(ca_file)
    # `ssl` reads keys from files alone: what lies there for a moment is encrypted.
    password = secrets.token_bytes(32).hex()
    key = load_pem_private_key(
        presented.private_key.encode(),
        password=None,
        unsafe_skip_rsa_key_validation=True,  # that was done when its owner entered it
    )
    written = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode())
    )
    with NamedTemporaryFile(prefix="renkei-", suffix=".pem", delete=False) as file:
        file.write(written + presented.certificate.encode())
    try:
        context.load_cert_chain(file.name, password=password)
    finally:
        Path(file.name).unlink()
    return context
