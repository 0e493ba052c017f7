"""Where requests of ours may go that members ask for: to public addresses, over TLS.

The rule looks at two things: the address as it is written, when somebody enters it and before each
attempt; and every network address that a connection is about to use. `ipaddress.is_global` is not
enough for the second: depending on the release of Python it lets NAT64, 6to4 and multicast pass.
Source: RFC 6890, the special-purpose registries of IANA.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from yarl import URL

Networks = Sequence[IPv4Network | IPv6Network]
"""Networks of our own into which requests may go, such as 10.7.0.0/16, and without TLS."""

LENGTH_MAX: Final = 2_000
PORTS_BELOW_1024: Final = frozenset({443})

EVERYWHERE: Final = (ip_network("0.0.0.0/0"), ip_network("::/0"))
"""Whatever there is: only to develop on one machine."""

NOT_PUBLIC: Final = tuple(
    ip_network(written)
    for written in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "::/96",
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)
"""IPv6 forms that embed IPv4 addresses are refused as a whole: nothing public needs them."""

INNER_NAMES: Final = ("localhost", "local", "internal", "intranet", "lan", "home.arpa")


class AddressNotAllowed(ValueError):
    """The address leads nowhere, or where no request of ours may go; its text says why."""


def is_public(address: str) -> bool:
    """Tell whether a network address, such as `93.184.216.34`, is one of the public network."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return found.is_global and not any(
        found in network for network in NOT_PUBLIC if network.version == found.version
    )


def is_within(address: str, networks: Networks) -> bool:
    """Tell whether a network address lies in one of these networks."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return any(found in network for network in networks if network.version == found.version)


def is_usual(port: int) -> bool:
    """Tell whether a port of the public network is one at which web servers listen."""
    return port >= 1024 or port in PORTS_BELOW_1024


def ensure_allowed(written: str, *, allow_private: bool = False, networks: Networks = ()) -> str:
    """Check an address as it is written.

    What a name leads to shows only when it is resolved: `Guard` looks at that.

    Args:
        written: such as `https://hooks.seoul.example/renkei`.
        allow_private: let pass what is not public or not encrypted, to develop on one machine.
        networks: into which requests may go although they are not public, and without TLS.

    Returns:
        The address in its normal form, which is the one that is used.

    Raises:
        AddressNotAllowed: it leads nowhere, or where no request may go.
    """
    if allow_private:
        networks = EVERYWHERE
    try:
        url = URL(written)
        port, host = url.port, url.raw_host
    except ValueError as error:
        raise AddressNotAllowed("The address cannot be read.") from error
    if len(str(url)) > LENGTH_MAX or not host or port is None:
        raise AddressNotAllowed(f"The address needs a host, and at most {LENGTH_MAX} characters.")
    if url.scheme not in ({"https", "http"} if networks else {"https"}):
        raise AddressNotAllowed("The address must begin with https://.")
    if url.raw_user is not None or url.raw_password is not None:
        raise AddressNotAllowed("The address must not hold a user name or password.")
    if url.raw_fragment:
        raise AddressNotAllowed("The address must not hold a fragment.")
    _ensure_plain_host(host)
    _ensure_reachable(host.rstrip(".").lower(), port, networks, is_plain=url.scheme == "http")
    return str(url)


def _ensure_plain_host(host: str) -> None:
    """Refuse `0x7f.1`, `2130706433` and the like, which some parsers take for an address."""
    if ":" in host:
        return
    last = host.rstrip(".").rpartition(".")[2].lower()
    if not (last.isdecimal() or last.startswith("0x")):
        return
    try:
        plain = str(IPv4Address(host)) == host
    except ValueError:
        plain = False
    if not plain:
        raise AddressNotAllowed("The host is a number in a form that is not allowed.")


def _ensure_reachable(name: str, port: int, networks: Networks, *, is_plain: bool) -> None:
    if _is_literal(name):
        if is_within(name, networks):
            return
        if not is_public(name):
            raise AddressNotAllowed("The host is not an address of the public network.")
        if is_plain:
            raise AddressNotAllowed("The address must begin with https://.")
    elif networks:
        # The name may stand for an address within them.
        return
    elif "." not in name or any(name == one or name.endswith(f".{one}") for one in INNER_NAMES):
        raise AddressNotAllowed("The host is a name of an inner network.")
    if not is_usual(port):
        raise AddressNotAllowed("The port must be 443 or above 1023.")


def _is_literal(host: str) -> bool:
    for kind in (IPv4Address, IPv6Address):
        try:
            kind(host.partition("%")[0])
        except ValueError:
            continue
        return True
    return False
