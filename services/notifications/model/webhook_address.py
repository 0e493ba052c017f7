"""Where webhooks may go: to public addresses, over TLS, and nowhere into our own house."""

from shared import addresses
from shared.refusals import Invalid


class WebhookAddressNotAllowed(Invalid):
    code = "webhook-address-not-allowed"
    title = "Webhooks cannot be sent to this address"


def ensure_allowed(written: str, *, allow_private: bool) -> str:
    """Check the address of an endpoint as it is written.

    Args:
        written: such as `https://hooks.seoul.example/renkei`.
        allow_private: let pass what is not public or not encrypted, to develop on one machine.

    Returns:
        The address in its normal form, which is the one that is used.

    Raises:
        WebhookAddressNotAllowed: it leads nowhere, or where no webhook may go.
    """
    try:
        return addresses.ensure_allowed(written, allow_private=allow_private)
    except addresses.AddressNotAllowed as error:
        raise WebhookAddressNotAllowed(str(error)) from error
