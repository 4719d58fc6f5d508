"""What the parent and its workers say to each other, and where `threadbridge deploy` finds the parent.

A worker is one process of `threadbridge run --workers`. It has one end of a pair of sockets, and the parent the other.
A word is one byte; sockets may come with it.
"""

from __future__ import annotations

from typing import Final

LISTEN: Final = b"L"
"""To a worker, with the listening sockets: get ready behind them, and open no store yet."""
PREPARED: Final = b"P"
"""From a worker: its configuration and its handlers are loaded, and it waits for GO or TAKE_OVER."""
GO: Final = b"G"
"""To a worker: open the store, and serve."""
TAKE_OVER: Final = b"T"
"""To a worker, with one end of a channel: the same, as soon as the worker at the other end has closed it."""
HAND_OVER: Final = b"H"
"""To a worker that serves, with the other end: finish what runs, give the connections to the channel, and end."""
STEP_BACK: Final = b"B"
"""The same, where another one serves beside it: give the connections away first."""
ADOPT: Final = b"A"
"""To a worker that serves, with one end of a channel: go on with the connections that come from the other."""
STOP: Final = b"Q"
"""To a worker: end as after SIGTERM. A word, for a service manager may have sent the signal to all by itself."""
SERVING: Final = b"S"
"""From a worker: it takes webhooks."""
LEFT: Final = b"E"
"""From a worker: it accepts nothing more, and its connections are given away."""
CONNECTION: Final = b"C"
"""In the channel, with a connection on which no request is under way."""
MOST: Final = 64
"""Sockets that come with one word, at most."""

DEPLOY: Final = b"deploy\n"
"""To the parent, from outside: replace every worker. It answers with lines of JSON, and closes at the end."""
STATUS: Final = b"status\n"
"""To the parent, from outside: {"pid": ..., "workers": [{"worker", "pid", "stage", "seconds"}]}, as one line."""


def meeting_place(address: str) -> str:
    """The abstract name of the socket at which the parent behind an address ("127.0.0.1:8080") is asked.

    Such a name is in no folder, so nothing is left over from a dead process, and a read-only disk does not matter.
    Linux alone has them.
    """
    return f"\0threadbridge {address}"
