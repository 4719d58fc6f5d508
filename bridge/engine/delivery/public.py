"""Addresses of the public internet, and connections that lead to these alone."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

if TYPE_CHECKING:
    import ssl

LookUp: TypeAlias = Callable[
    [str, int, socket.AddressFamily], Awaitable[list[tuple[socket.AddressFamily, tuple[Any, ...]]]]
]
_RESERVED: Final = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24"),
            *("192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
            *("224.0.0.0/4", "240.0.0.0/4"),
            *("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"),
        ),
    )
)
"""IANA's special-purpose addresses. Of IPv6 only 2000::/3 is public at all, so mapped, NAT64 and local ones are not."""
_GLOBAL: Final = ip_network("2000::/3")


def is_public(address: str) -> bool:
    """Whether an address, as text, is one of the public internet."""
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and (parsed.scope_id is not None or parsed not in _GLOBAL):
        return False
    return not any(parsed in network for network in _RESERVED if network.version == parsed.version)


class NotPublic(OSError):
    """An address that is not public."""

    def __init__(self) -> None:
        super().__init__(errno.EACCES, "it leads to no public address")


class _PublicOnly(AbstractResolver):
    """Looks names up, and refuses one of whose addresses any is not public."""

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """See aiohttp."""
        found = await self._look_up(host, port, family)
        if not found or not all(is_public(address[0]) for _, address in found):
            raise NotPublic
        return [
            ResolveResult(hostname=host, host=address[0], port=port, family=of, proto=0, flags=socket.AI_NUMERICHOST)
            for of, address in found
        ]

    async def close(self) -> None:
        """See aiohttp: nothing is open."""


def public_socket(address: Any) -> socket.socket:  # noqa: ANN401 - as aiohttp has it
    """The socket for an address that is about to be connected to: the last look, whoever named it."""
    family, kind, proto, _, place = address
    if not is_public(place[0]):
        raise NotPublic
    return socket.socket(family, kind, proto)


async def system(
    host: str, port: int, family: socket.AddressFamily
) -> list[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    """The addresses of a name, as the system knows them."""
    asked = asyncio.get_running_loop().getaddrinfo(
        host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
    )
    return [(of, address) for of, _, _, _, address in await asked]


def public_connector(
    context: ssl.SSLContext,
    look_up: LookUp = system,
    new_socket: Callable[[Any], socket.socket] = public_socket,
    *,
    force_close: bool = False,
) -> aiohttp.TCPConnector:
    """A connector that connects to addresses which it has checked, and to no other."""
    return aiohttp.TCPConnector(
        limit=0,
        ssl=context,
        resolver=_PublicOnly(look_up),
        use_dns_cache=False,
        socket_factory=new_socket,
        force_close=force_close,
    )
