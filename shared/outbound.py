"""Connections to systems of members, which lead nowhere into our own house.

Every network address is looked at twice: when a name is resolved, where one address that may not be
used spoils all of them, and when a socket is made for it, which also sees hosts that are written as
numbers and never resolved, and names that lead elsewhere the second time.
"""

import socket
import ssl
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from shared.addresses import EVERYWHERE, Networks, is_public, is_usual, is_within


class AddressRefused(OSError):
    """The connection would lead to an address to which it must not."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Says to which network addresses connections may lead.

    Attributes:
        networks: of our own that may be used, at whatever port.
        is_plain: for connections without TLS, which lead nowhere but into those.
    """

    networks: Networks = ()
    is_plain: bool = False

    def allows(self, address: str, port: int | None = None) -> bool:
        """Tell whether a connection may lead to this address, and this port if it is known."""
        if is_within(address, self.networks):
            return True
        return not self.is_plain and is_public(address) and (port is None or is_usual(port))

    def socket_for(self, address: Any) -> socket.socket:
        """Make a socket for an address that a connection is about to use."""
        family, kind, protocol, _, target = address
        if not self.allows(target[0], target[1]):
            raise AddressRefused(f"{target[0]} is not an address that may be used")
        return socket.socket(family=family, type=kind, proto=protocol)


ANYWHERE: Final = Guard(EVERYWHERE)
"""To whatever is asked for, to develop on one machine."""


class Guarded(AbstractResolver):
    """Resolves names, unless any of their addresses must not be used."""

    def __init__(self, inner: AbstractResolver, guard: Guard) -> None:
        self.inner = inner
        self.guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self.inner.resolve(host, port, family)
        for result in found:
            if not self.guard.allows(result["host"]):
                raise AddressRefused(f"{host} has the address {result['host']}")
        return found

    async def close(self) -> None:
        await self.inner.close()


def guarded_connector(
    *,
    guard: Guard | None = None,
    allow_private: bool = False,
    idle_seconds: float,
    resolver: AbstractResolver | None = None,
    tls: ssl.SSLContext | None = None,
) -> TCPConnector:
    """Make what a client session connects with.

    Args:
        guard: where connections may lead; to public addresses, if nothing is said.
        allow_private: connect to whatever is asked for, to develop on one machine.
        idle_seconds: how long a connection is kept that nobody uses.
        resolver: what names are resolved with, if not by the system.
        tls: whose certificates are trusted, if not those that the system trusts.
    """
    guard = guard or (ANYWHERE if allow_private else Guard())
    return TCPConnector(
        limit=0,
        keepalive_timeout=idle_seconds,
        resolver=Guarded(resolver or DefaultResolver(), guard),
        socket_factory=guard.socket_for,
        ssl=tls or True,
    )
