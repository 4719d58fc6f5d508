"""What systemd hands to a service, and what it wants to hear of it: sd_listen_fds(3) and sd_notify(3)."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_FIRST: Final = 3
"""The descriptor of the first socket."""


def inherited_sockets(environment: MutableMapping[str, str] = os.environ) -> list[socket.socket]:
    """The listening sockets that were opened for this process, which no child of it takes for its own.

    Raises:
        ValueError: something else was handed over.
    """
    pid, count, names = (environment.pop(f"LISTEN_{name}", "") for name in ("PID", "FDS", "FDNAMES"))
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    listening = []
    for descriptor, name in enumerate([*names.split(":"), *[""] * int(count)][: int(count)], _FIRST):
        os.set_inheritable(descriptor, False)
        if not _listens(descriptor):
            raise ValueError(f"{name or 'what was handed over'} (descriptor {descriptor}) is no listening TCP socket")
        opened = socket.socket(fileno=descriptor)
        opened.setblocking(False)
        listening.append(opened)
    return listening


def _listens(descriptor: int) -> bool:
    try:
        with socket.socket(fileno=os.dup(descriptor)) as opened:
            has_port = opened.family in {socket.AF_INET, socket.AF_INET6} and opened.type == socket.SOCK_STREAM
            return has_port and bool(opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        return False


def notify(*lines: str, environment: MutableMapping[str, str] = os.environ) -> None:
    """Tell the service manager, if it wants to hear anything."""
    address = environment.get("NOTIFY_SOCKET", "")
    if address[:1] not in {"/", "@"}:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as telling:
        telling.connect(f"\0{address[1:]}" if address[0] == "@" else address)
        telling.sendall("\n".join(lines).encode())
