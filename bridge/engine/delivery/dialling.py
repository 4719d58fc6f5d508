"""How a connection comes about: a name is looked up, its addresses are tried, the certificate is verified."""

from __future__ import annotations

import asyncio
import socket
import ssl
from functools import cache
from typing import TYPE_CHECKING, Final, TypeVar, cast

from aiohappyeyeballs import start_connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohappyeyeballs import AddrInfoType

    from bridge.engine.delivery.request_bytes import Origin

P = TypeVar("P", bound=asyncio.Protocol)

_REMEMBERED_SECONDS: Final = 10.0
"""How long the addresses of a name are used before it is looked up again."""
_NEXT_ADDRESS_SECONDS: Final = 0.25
"""RFC 8305: after that long the next address is tried beside the one that does not answer."""


def verifying() -> ssl.SSLContext:
    """Certificates are verified, and a name stands where it belongs: in subjectAltName, not in the common name.

    All clients share one context, as long as the certificates of authorities are in the same place: they take 1 MB.
    """
    return _verifying(ssl.get_default_verify_paths())


@cache
def _verifying(_: ssl.DefaultVerifyPaths) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.hostname_checks_common_name = False
    context.set_alpn_protocols(["http/1.1"])
    return context


class Dialler:
    """Opens connections. Whoever waits for the same name waits for one look-up; the loop waits for none."""

    def __init__(self) -> None:
        self._context: asyncio.Future[ssl.SSLContext] | None = None
        self._lookups: dict[tuple[str, int], tuple[asyncio.Future[list[AddrInfoType]], float]] = {}

    async def dial(self, origin: Origin, protocol: Callable[[socket.socket], P]) -> P:
        """A new connection, with its TLS handshake. Raises OSError, also ssl.SSLError."""
        context = await self._verifying() if origin.secure else None
        addresses = await self._addresses(origin.host, origin.port)
        loop = asyncio.get_running_loop()
        sock = await start_connection(addresses, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS, loop=loop)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        name = origin.host.rstrip(".") if origin.secure else None
        _, made = await loop.create_connection(lambda: protocol(sock), sock=sock, ssl=context, server_hostname=name)
        return made

    async def _verifying(self) -> ssl.SSLContext:
        if self._context is None:  # in a thread: it reads the system's certificates
            self._context = asyncio.ensure_future(asyncio.to_thread(verifying))
        return await asyncio.shield(self._context)

    async def _addresses(self, host: str, port: int) -> list[AddrInfoType]:
        try:
            numeric = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
            return cast("list[AddrInfoType]", numeric)
        except socket.gaierror:
            pass  # no address, so a name
        loop = asyncio.get_running_loop()
        lookup, until = self._lookups.get((host, port), (None, 0.0))
        if lookup is None or (lookup.done() and until <= loop.time()):
            asking = loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
            lookup = cast("asyncio.Task[list[AddrInfoType]]", loop.create_task(asking))
            lookup.add_done_callback(lambda done: self._remember((host, port), done))
            self._lookups[host, port] = lookup, loop.time() + _REMEMBERED_SECONDS
        return await asyncio.shield(lookup)

    def _remember(self, name: tuple[str, int], lookup: asyncio.Future[list[AddrInfoType]]) -> None:
        """A failure is for those that wait, and for nobody after them."""
        if lookup.cancelled() or lookup.exception() is not None:
            self._lookups.pop(name, None)
