"""Connections to systems of members, which lead nowhere into our own house.

Every network address is looked at twice: when a name is resolved, where one address that is not
public spoils all of them, and when a socket is made for it, which also sees hosts that are written
as numbers and never resolved.
"""

import socket
from typing import Any

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from shared.addresses import is_public


class AddressRefused(OSError):
    """The connection would lead to an address that is not public."""


class PublicOnly(AbstractResolver):
    """Resolves names, unless any of their addresses is not public."""

    def __init__(self, inner: AbstractResolver) -> None:
        self.inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self.inner.resolve(host, port, family)
        for result in found:
            if not is_public(result["host"]):
                raise AddressRefused(f"{host} has the address {result['host']}")
        return found

    async def close(self) -> None:
        await self.inner.close()


def public_socket(address: Any) -> socket.socket:
    """Make a socket for an address that a connection is about to use."""
    family, kind, protocol, _, target = address
    if not is_public(target[0]):
        raise AddressRefused(f"{target[0]} is not a public address")
    return socket.socket(family=family, type=kind, proto=protocol)


def guarded_connector(
    *, allow_private: bool, idle_seconds: float, resolver: AbstractResolver | None = None
) -> TCPConnector:
    """Make what a client session connects with.

    Args:
        allow_private: connect to whatever is asked for, to develop on one machine.
        idle_seconds: how long a connection is kept that nobody uses.
        resolver: what names are resolved with, if not by the system.
    """
    resolver = resolver or DefaultResolver()
    if allow_private:
        return TCPConnector(limit=0, keepalive_timeout=idle_seconds, resolver=resolver)
    return TCPConnector(
        limit=0,
        keepalive_timeout=idle_seconds,
        resolver=PublicOnly(resolver),
        socket_factory=public_socket,
    )
