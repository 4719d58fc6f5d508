"""A worker as its parent sees it: a process, a socket to it, and how far it is."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from bridge.workers.words import LISTEN, STOP

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Spawn = Callable[[Sequence[str], str, int], "Process"]


class Process(Protocol):
    """What a parent needs of subprocess.Popen."""

    pid: int

    def poll(self) -> int | None:
        """The exit code, negative for a signal, once it has ended."""
        ...

    def send_signal(self, sig: int, /) -> None:
        """A signal, unless it has ended."""
        ...


class Stage(Enum):
    """How far a worker is."""

    STARTING = "starting"
    PREPARED = "prepared"
    OPENING = "opening"
    SERVING = "serving"
    LEAVING = "leaving"


class Child:
    """One process of a worker."""

    def __init__(self, number: int, command: Sequence[str], folder: str, spawn: Spawn) -> None:
        """Begin it, as worker `number`. Raises OSError: there can be no process."""
        self.number = number
        self.link, theirs = socket.socketpair()
        with theirs:
            theirs.set_inheritable(True)
            words = [*command, f"--worker={number}", f"--link={theirs.fileno()}"]
            try:
                self.process = spawn(words, folder, theirs.fileno())
            except BaseException:
                self.link.close()
                raise
        self.link.setblocking(False)
        self.stage = Stage.STARTING
        self.began = time.monotonic()
        self.until: float | None = None
        """When it is killed, unless it has come further by then."""
        self.code: int | None = None
        """The exit code, as a shell has it, once it has ended."""

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    @property
    def age(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.began

    def listen(self, listening: Sequence[int]) -> None:
        """Give it the listening sockets."""
        self.say(LISTEN, listening)

    def go(self, word: bytes, *channel: int) -> None:
        """Let it open the store, and serve."""
        self.say(word, channel)
        self.stage = Stage.OPENING

    def say(self, word: bytes, sockets: Sequence[int] = ()) -> None:
        """Say a word; a worker that is gone hears nothing."""
        with suppress(OSError):
            socket.send_fds(self.link, [word], [*sockets])

    def hear(self) -> bytes | None:
        """The words that it said meanwhile; None when it says nothing more."""
        try:
            return self.link.recv(64) or None
        except BlockingIOError:
            return b""
        except OSError:
            return None

    def stop(self) -> None:
        """Let it drain; one that has nothing to drain ends at once."""
        if self.stage is Stage.STARTING:
            self.process.send_signal(signal.SIGTERM)
        else:
            self.say(STOP)

    def ended(self) -> bool:
        """Whether it has ended, and `code` is known."""
        if self.code is None and (code := self.process.poll()) is not None:
            self.code = code if code >= 0 else 128 - code
        return self.code is not None


def started(command: Sequence[str], folder: str, inherited: int) -> Process:
    """A new process in a group of its own: Ctrl-C reaches the parent alone, which tells the others."""
    return subprocess.Popen(  # noqa: S603 - our own command
        command,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"},
        pass_fds=(inherited,),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
