"""Who asks the parent from outside: `threadbridge deploy`, on the same machine and of the same user."""

from __future__ import annotations

import json
import os
import selectors
import socket
import struct
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from bridge.workers.words import DEPLOY, STATUS, meeting_place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CREDENTIALS: Final = struct.Struct("3i")
_LONGEST: Final = 64


def user_of(connection: socket.socket) -> int:
    """The user at the other end of a unix socket."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    user: int = _CREDENTIALS.unpack(found)[1]
    return user


class Askers:
    """Takes their questions, and tells those who asked for a deploy how it goes."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        status: Callable[[], Mapping[str, object]],
        deploy: Callable[[], bool],
    ) -> None:
        """Nobody is heard until `listen`. `deploy` returns False when it will not be done."""
        self._selector = selector
        self._status = status
        self._deploy = deploy
        self._listening: socket.socket | None = None
        self._waiting: list[socket.socket] = []

    def listen(self, address: str) -> bool:
        """Be there for who asks about an address; whether that is possible here."""
        if sys.platform != "linux":
            return False
        listening = socket.socket(socket.AF_UNIX)
        try:
            listening.bind(meeting_place(address))
        except OSError:
            listening.close()
            return False
        listening.listen()
        listening.setblocking(False)
        self._listening = listening
        self._selector.register(listening, selectors.EVENT_READ, self._accept)
        return True

    def tell(self, line: Mapping[str, object]) -> None:
        """A line to each who waits for the end of a deploy."""
        for waiting in [*self._waiting]:
            self._send(waiting, line)

    def finish(self) -> None:
        """The deploy has ended: nobody waits any more."""
        for waiting in self._waiting:
            waiting.close()
        self._waiting.clear()

    def close(self) -> None:
        """The end."""
        self.finish()
        if self._listening is not None:
            self._listening.close()

    def _accept(self) -> None:
        assert self._listening is not None
        with suppress(OSError):
            asking, _ = self._listening.accept()
            asking.setblocking(False)
            if user_of(asking) not in {0, os.geteuid()}:
                asking.close()
                return
            self._selector.register(asking, selectors.EVENT_READ, lambda: self._hear(asking))

    def _hear(self, asking: socket.socket) -> None:
        self._selector.unregister(asking)  # a question is short, and comes in one piece
        try:
            question = asking.recv(_LONGEST)
        except OSError:
            question = b""
        if question == DEPLOY:
            self._waiting.append(asking)
            if self._deploy():
                return
            self._waiting.remove(asking)
        elif question == STATUS:
            self._send(asking, self._status())
        asking.close()

    def _send(self, asking: socket.socket, line: Mapping[str, object]) -> None:
        try:
            asking.sendall(json.dumps(line).encode() + b"\n")
        except OSError:  # gone, or does not read
            if asking in self._waiting:
                self._waiting.remove(asking)
                asking.close()
