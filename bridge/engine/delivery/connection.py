"""One connection of the lean client: one exchange at a time."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, cast

from bridge.engine.delivery.answer_bytes import Answer, Malformed, TooLong
from bridge.errors import NotSent, OutcomeUnknown

if TYPE_CHECKING:
    from collections.abc import Callable


class Connection(asyncio.Protocol):
    """An answer is taken only while it is waited for: bytes that come at another time close the connection."""

    def __init__(
        self, sock: socket.socket, made: Callable[[Connection], None], lost: Callable[[Connection], None]
    ) -> None:
        """`made` hears that it is open, `lost` that it is over."""
        self.is_open = False
        self.is_spent = False
        """An exchange on it has begun and no whole answer has come, or no other exchange may follow."""
        self.idle_since = 0.0
        self._socket = sock
        self._made = made
        self._lost = lost
        self._transport = cast("asyncio.Transport", None)  # until connection_made
        self._answer: Answer | None = None
        self._whole: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def exchange(self, request: bytes, answer: Answer) -> asyncio.Future[None]:
        """Write the request; what is returned is done once the answer is whole, or raises OutcomeUnknown.

        Whoever awaited it sets `is_spent` anew. Raises NotSent.
        """
        if not self.is_open:
            raise NotSent("no connection: it was closed meanwhile", away=True, loggable=True)
        self.is_spent = True
        self._answer = answer
        self._whole = self._whole.get_loop().create_future()
        self._transport.write(request)
        return self._whole

    def is_stale(self) -> bool:
        """Whether its end, or an answer to nothing, waits in its socket."""
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def abort(self) -> None:
        """Close it, and write nothing more."""
        self.is_open = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True
        self._made(self)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        if self._answer is None:
            self.abort()
            return
        try:
            if self._answer.feed(data):
                self._end(None)
        except Malformed as error:
            self._end(error)

    def eof_received(self) -> None:
        """See asyncio: the transport closes itself."""
        self.is_open = False
        if self._answer is not None:
            try:
                self._answer.end()
            except (Malformed, ConnectionResetError) as error:
                self._end(error)
            else:
                self._end(None)

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio."""
        self.is_open = False
        if self._answer is not None:
            self._end(error or ConnectionResetError())
        self._lost(self)

    def _end(self, error: Exception | None) -> None:
        """The exchange is over. Nobody may wait for it any more."""
        self._answer = None
        if self._whole.done():
            return
        if error is None:
            self._whole.set_result(None)
        else:
            self._whole.set_exception(_unknown(error))
            self._whole.exception()  # asyncio complains of one that nobody reads


def _unknown(error: Exception) -> Exception:
    """What it means that no whole answer came."""
    if isinstance(error, TooLong):
        return OutcomeUnknown(str(error), loggable=True)
    if isinstance(error, Malformed):
        return OutcomeUnknown(f"the answer is no HTTP: {error}", loggable=True)
    if isinstance(error, OSError):
        return OutcomeUnknown(f"the connection broke: {type(error).__name__}", loggable=True)
    return error
