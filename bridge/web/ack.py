"""The answer to a webhook that is stored, ready made: the one response whose making is a measurable cost."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING, Final

from aiohttp import HttpVersion11, web

from bridge.units import SECOND

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter

BODY: Final = b'{"ok": true}'
SERVER: Final = "threadbridge"
"""What we call ourselves: no version, neither ours nor of what we are made of."""


class _Ready(web.StreamResponse):
    """200 and BODY on a connection that stays open, written in one piece; it is the same object for all requests."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = b""

    @property
    def keep_alive(self) -> bool | None:
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        if request.transport is None:
            raise ConnectionResetError
        request.transport.write(self.bytes)
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """All is written."""


class Acks:
    """Makes the answer anew each second, for its date."""

    def __init__(self) -> None:
        """Nothing is made yet."""
        self._second = 0
        self._ready = _Ready()

    def answer(self, request: web.Request, now: int) -> web.StreamResponse:
        """The answer to `request` at `now` (microseconds); an ordinary one where the connection ends with it."""
        if request.version != HttpVersion11 or not request.keep_alive:
            return web.Response(body=BODY, content_type="application/json")
        self.bytes(now)
        return self._ready

    def bytes(self, now: int) -> bytes:
        """The same as the bytes of a whole answer."""
        if now // SECOND != self._second:
            self._second = now // SECOND
            self._ready.bytes = (
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(BODY)}\r\nDate: {formatdate(self._second, usegmt=True)}\r\n"
                f"Server: {SERVER}\r\n\r\n"
            ).encode() + BODY
        return self._ready.bytes
