"""News for open pages, as server-sent events: which conversations changed. What they show they read anew themselves.

    event: changed
    data: {"threads": ["7", "9"]}

An empty list means that any may have changed. `event: figures` says that there is one more sample of those.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import orjson
from aiohttp import web

from bridge.errors import StoreError, WebhookError
from bridge.web.operator.guard import HEADERS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

STREAMS: Final = 64
"""Open pages."""
HEARTBEAT: Final = 10.0
"""Seconds between two signs of life, and between looks at what other processes may have changed."""
WRITE_SECONDS: Final = 20.0
"""How long a page may take to read."""
GATHERED: Final = 0.3
"""Seconds in which changes become one piece of news."""
_MOST: Final = 100
"""Conversations that are named; of more it is said that any may have changed."""
_BEAT: Final = b": heartbeat\n\n"


class _Waiting:
    """What one page has not been told."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self.threads: set[str] | None = set()
        self.figures = False

    def tell(self, threads: Iterable[str] | None) -> None:
        """None: any."""
        if threads is None or self.threads is None:
            self.threads = None
        else:
            self.threads |= set(threads)
            if len(self.threads) > _MOST:
                self.threads = None
        self.news.set()

    def take(self) -> bytes:
        """The event for it."""
        threads, self.threads = self.threads, set()
        figures, self.figures = self.figures, False
        self.news.clear()
        told = b"event: figures\ndata: {}\n\n" if figures else b""
        if threads is None or threads:
            told += b"event: changed\ndata: " + orjson.dumps({"threads": sorted(threads or ())}) + b"\n\n"
        return told


class Live:
    """All open pages. `tell` is to hear of every commit."""

    def __init__(self, *, is_shared: bool, heartbeat: float = HEARTBEAT) -> None:
        """`is_shared`: other processes change the store too, and nothing tells of that."""
        self._is_shared = is_shared
        self._heartbeat = heartbeat
        self._open: dict[_Waiting, asyncio.Transport] = {}
        self._closed = False

    def tell(self, threads: Iterable[str]) -> None:
        """Conversations changed, by the ids that pages have for them."""
        if self._open and (known := list(threads)):
            for waiting in self._open:
                waiting.tell(known)

    def tell_figures(self) -> None:
        """There is one more sample of the figures."""
        for waiting in self._open:
            waiting.figures = True
            waiting.news.set()

    async def serve(self, request: web.Request, is_valid: Callable[[], Awaitable[bool]]) -> web.StreamResponse:
        """Tell a page what changes, until it goes away or may not hear more. Raises WebhookError: too many are open."""
        transport = request.transport
        if self._closed or transport is None or len(self._open) >= STREAMS:
            raise WebhookError(503, "no more pages for now", retry_after=5)
        response = web.StreamResponse(headers={**HEADERS, "X-Accel-Buffering": "no"})
        response.content_type = "text/event-stream"
        waiting = _Waiting()
        self._open[waiting] = transport
        try:
            await response.prepare(request)
            await self._write(response, transport, b"retry: 2000\n\n")
            while True:
                news = await self._next(waiting)
                if not await self._goes_on(is_valid):
                    break
                await self._write(response, transport, news)
        except ConnectionResetError:
            pass  # the page went away
        finally:
            self._open.pop(waiting, None)
        return response

    async def close(self) -> None:
        """End all streams."""
        self._closed = True
        for waiting, transport in self._open.items():
            waiting.news.set()
            if transport.get_write_buffer_size():
                transport.abort()  # a page that does not read would hold up the end

    async def _next(self, waiting: _Waiting) -> bytes:
        try:
            async with asyncio.timeout(self._heartbeat):
                await waiting.news.wait()
                await asyncio.sleep(GATHERED)
        except TimeoutError:
            if not waiting.news.is_set():
                if not self._is_shared:
                    return _BEAT
                waiting.tell(None)
        return waiting.take()

    async def _goes_on(self, is_valid: Callable[[], Awaitable[bool]]) -> bool:
        try:
            return not self._closed and await is_valid()
        except StoreError:
            return False

    async def _write(self, response: web.StreamResponse, transport: asyncio.Transport, data: bytes) -> None:
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await response.write(data)
        except TimeoutError:
            transport.abort()
            raise ConnectionResetError from None
