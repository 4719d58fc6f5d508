"""TCP ports for processes under test: none that another test of this run takes, and none of an outgoing connection."""

from __future__ import annotations

import os
import socket
from itertools import cycle
from typing import Final

_WORKER: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_FIRST: Final = 10_000 + _WORKER % 10 * 2_000 + os.getpid() % 20 * 100
"""Each worker has its own two thousand below the ports that Linux gives away itself; runs beside each other differ."""
_PORTS: Final = cycle(range(_FIRST, _FIRST + 100))


def free_port() -> int:
    """A port that nobody listens on, also while the process that is to have it is down."""
    for port in _PORTS:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError
