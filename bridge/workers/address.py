"""Sockets that listen where the configuration says."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from bridge.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable


def bound(host: str, port: int) -> list[socket.socket]:
    """Sockets at each address of a host, which will listen.

    Raises:
        socket.gaierror: the host does not resolve.
        OSError: an address cannot be had.
    """
    found: list[socket.socket] = []
    try:
        for family, kind, protocol, _, place in _addresses(host, port):
            opened = socket.socket(family, kind, protocol)
            found.append(opened)
            if os.name == "posix":
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            opened.bind(place)
            opened.listen()
            opened.setblocking(False)
    except BaseException:
        for opened in found:
            opened.close()
        raise
    return found


def check_address(listening: Iterable[socket.socket], host: str, port: int, file: str) -> None:
    """Refuse sockets at another address: what is open to whom depends on the configured one.

    Raises:
        ConfigError: one is elsewhere; `file` is the configuration.
        socket.gaierror: the host does not resolve.
    """
    for opened in listening:
        at = opened.getsockname()[:2]
        if at not in {place[:2] for *_, place in _addresses(host, port)}:
            reason = f"the socket that is open already listens at {at[0]} port {at[1]}; only a new start changes that"
            raise ConfigError([Problem(file, "server.port", reason)])


def _addresses(
    host: str, port: int
) -> set[tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]]:
    try:
        return {*socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)}
    except UnicodeError:  # no name at all, like a..b
        raise socket.gaierror(socket.EAI_NONAME, f"{host} is no host name") from None
