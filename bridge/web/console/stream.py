"""The page's live view of one conversation, as server-sent events (WHATWG HTML, section 9.2).

    (no event name)        a thing said; its JSON in entries.py
    event: update          the same again, because its status changed
    event: conversations   the list of conversations, when it changed
    event: earlier         there is more than the page is given

An `id` is where to resume: everything up to that position is settled. So a page that comes back with it hears once
more of what was under way when it left, and shows each thing once because the thing's `key` stays the same.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import orjson
from aiohttp import web

from bridge.errors import StoreError, WebhookError
from bridge.web.console.entries import is_settled, shown_conversation, shown_entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.store.records import HistoryEntry
    from bridge.web.console.backend import Backend

HISTORY: Final = 500
"""A page is given at most so many entries of the past."""
CONVERSATIONS: Final = 200
TAIL: Final = 50
"""The latest entries are looked at again whenever something changed: their status may have."""
STREAMS: Final = 64
"""Open pages, over all conversations."""
HEARTBEAT: Final = 15.0
"""Seconds between two signs of life: a proxy closes what is silent, and a page that is gone is only noticed so."""

_BEAT: Final = b": heartbeat\n\n"


class Feed:
    """What one page has been told, and so what it still has to hear. No socket, no clock."""

    def __init__(self, after: int) -> None:
        """`after` is the position up to which the page has everything already."""
        self.after = after
        """Where the next reading has to begin."""
        self._resume = after
        self._told: dict[str, bytes] = {}
        self._listed = b""

    def news(self, entries: Sequence[HistoryEntry]) -> bytes:
        """The events for what is new or changed in `entries`, everything said after `self.after`, oldest first."""
        parts = []
        told = {}
        self._resume = self.after
        settled = True
        for entry in entries:
            settled = settled and is_settled(entry)
            if settled:
                self._resume = entry.position
            shown = shown_entry(entry)
            if shown is None:
                continue
            data = told[entry.key] = orjson.dumps(shown)
            before = self._told.get(entry.key)
            if before != data:
                parts.append(self._event("" if before is None else "update", data))
        self._told = told
        if len(entries) > TAIL:
            self.after = min(self._resume, entries[-TAIL - 1].position)
        return b"".join(parts)

    def listing(self, conversations: Sequence[dict[str, object]]) -> bytes:
        """The event for the list of conversations, if it changed."""
        data = orjson.dumps(conversations)
        if data == self._listed:
            return b""
        self._listed = data
        return b"event: conversations\ndata: " + data + b"\n\n"

    def _event(self, name: str, data: bytes) -> bytes:
        head = f"event: {name}\n" if name else ""
        return f"id: {self._resume}\n{head}data: ".encode() + data + b"\n\n"


class Streams:
    """All open pages of one account."""

    def __init__(self, backend: Backend, account: str, heartbeat: float) -> None:
        """`heartbeat` is in seconds."""
        self._backend = backend
        self._account = account
        self._heartbeat = heartbeat
        self._open: set[asyncio.Event] = set()
        self._closed = False

    async def serve(self, request: web.Request, conversation: str, after: int) -> web.StreamResponse:
        """Stream a conversation until the page goes away or the bridge stops.

        Raises:
            WebhookError: 503, too many pages are open or the bridge is stopping.
            StoreError: nothing can be read; only before the first byte.
        """
        if self._closed or len(self._open) >= STREAMS:
            raise WebhookError(503, "no more pages for now", retry_after=5)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        with self._backend.changes(self._account, conversation) as changed:
            self._open.add(changed)
            try:
                feed = Feed(after)
                first = await self._read(feed, conversation, changed, first=True)
                await response.prepare(request)
                await response.write(b"retry: 1000\n\n" + first)
                await self._follow(response, feed, conversation, changed)
            except ConnectionResetError:
                pass  # the page went away
            finally:
                self._open.discard(changed)
        return response

    def close(self) -> None:
        """End all streams: the pages come back by themselves when there is a bridge again."""
        self._closed = True
        for changed in self._open:
            changed.set()

    async def _follow(
        self, response: web.StreamResponse, feed: Feed, conversation: str, changed: asyncio.Event
    ) -> None:
        while not self._closed:
            try:
                async with asyncio.timeout(self._heartbeat):
                    await changed.wait()
                beat = b""
            except TimeoutError:
                beat = _BEAT
            try:
                news = await self._read(feed, conversation, changed)
            except StoreError:
                return  # the page says so, and asks again
            if beat or news:
                await response.write(beat + news)

    async def _read(self, feed: Feed, conversation: str, changed: asyncio.Event, *, first: bool = False) -> bytes:
        changed.clear()  # before reading: what is committed meanwhile sets it again
        entries = await self._backend.history(self._account, conversation, after=feed.after, limit=HISTORY)
        threads = await self._backend.conversations(self._account, limit=CONVERSATIONS)
        cut = b"event: earlier\ndata: {}\n\n" if first and len(entries) >= HISTORY else b""
        return cut + feed.news(entries) + feed.listing([shown_conversation(thread) for thread in threads])
