"""Where a request comes from, behind proxies of ours and whatever somebody pretends.

`X-Forwarded-For` is believed only as far as proxies of ours have written it: read from its end, up
to the first address that is not one of them. What stands before that, its sender may have invented.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

import structlog
from starlette.datastructures import Headers
from starlette.types import Scope

log = structlog.get_logger(__name__)

Network = IPv4Network | IPv6Network

IPV6_PREFIX: Final = 64
"""One customer has at least so many addresses; counting each would count nothing."""

HOPS_LIMIT: Final = 20
UNKNOWN: Final = "unknown"


class Sources:
    """Finds the network address that a request comes from."""

    def __init__(self, proxies: Sequence[Network]) -> None:
        """Trust these.

        Args:
            proxies: addresses from which our proxies ask us, and each other.
        """
        self._proxies = tuple(proxies)
        self._has_warned = False

    def source_of(self, scope: Scope) -> str:
        """Name it: an IPv4 address, or the part of an IPv6 address that one customer has."""
        client = scope.get("client")
        peer = read_address(client[0]) if client else None
        if peer is None:
            return UNKNOWN
        written = ",".join(Headers(scope=scope).getlist("x-forwarded-for"))
        if not self._is_ours(peer):
            self._warn_once(peer, written)
            return _named(peer)
        found = peer
        for hop in reversed(written.split(",")[-HOPS_LIMIT:] if written else []):
            address = read_address(hop)
            if address is None:
                break  # whoever wrote this is no proxy of ours
            found = address
            if not self._is_ours(address):
                break
        return _named(found)

    def _is_ours(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._proxies)

    def _warn_once(self, peer: IPv4Address | IPv6Address, written: str) -> None:
        """Tell who runs us of a proxy that we do not know: all behind it count as one."""
        if written and not self._has_warned:
            self._has_warned = True
            log.warning("proxy.not_trusted", address=str(peer), setting="RENKEI_TRUSTED_PROXIES")


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address as proxies write it, some of them with a port."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def _named(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(ip_network((address, IPV6_PREFIX), strict=False))
