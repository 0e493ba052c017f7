"""Where webhooks may go: to public addresses, over TLS, and nowhere into our own house."""

from shared import addresses
from shared.refusals import Invalid


class WebhookAddressNotAllowed(Invalid):
    code = "webhook-address-not-allowed"
    title = "Webhooks cannot be sent to this address"


def ensure_allowed(written: str, *, networks: addresses.Networks) -> str:
    """Check the address of an endpoint as it is written.

    Args:
        written: such as `https://hooks.seoul.example/renkei`.
        networks: of the operator's own, into which webhooks may go, and without TLS.

    Returns:
        The address in its normal form, which is the one that is used.

    Raises:
        WebhookAddressNotAllowed: it leads nowhere, or where no webhook may go.
    """
    try:
        return addresses.ensure_allowed(written, networks=networks)
    except addresses.AddressNotAllowed as error:
        raise WebhookAddressNotAllowed(str(error)) from error
