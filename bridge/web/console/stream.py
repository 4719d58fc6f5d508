"""The page's live view of one conversation, as server-sent events (WHATWG HTML, section 9.2).

    (no event name)        a thing said; its JSON in entries.py
    event: update          the same again, because its status changed
    event: conversations   the list of conversations, when it changed
    event: earlier         there is more than the page is given

What a page is given at once is bounded in bytes, and a page that does not read it is closed.

An `id` is where to resume: everything up to that position is settled. So a page that comes back with it hears once
more of what was under way when it left, and shows each thing once because the thing's `key` stays the same.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Final

import orjson
from aiohttp import web

from bridge.errors import StoreError, WebhookError
from bridge.web.console.entries import is_settled, shown_conversation, shown_entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.store.looks import HistoryEntry
    from bridge.web.console.backend import Backend

HISTORY: Final = 500
"""A page is given at most so many entries of the past."""
CONVERSATIONS: Final = 200
TAIL: Final = 50
"""The latest entries are looked at again whenever something changed: their status may have."""
AT_ONCE: Final = 128 * 1024
"""Bytes of entries that a page is given at once: of the past the latest, and one entry in any case."""
STREAMS: Final = 64
"""Open pages, over all conversations."""
HEARTBEAT: Final = 15.0
"""Seconds between two signs of life: a proxy closes what is silent, and a page that is gone is only noticed so."""
WRITE_SECONDS: Final = 20.0
"""How long a page may take to read what it was given."""

_BEAT: Final = b": heartbeat\n\n"


class Feed:
    """What one page has been told, and so what it still has to hear. No socket, no clock.

    It keeps digests of what it told: what a page was given may be large, and there are many pages.
    """

    def __init__(self, after: int) -> None:
        """`after` is the position up to which the page has everything already."""
        self.after = after
        """Where the next reading has to begin."""
        self.has_more = False
        """Whether the last reading had more than a page is given at once."""
        self._resume = after
        self._told: dict[str, bytes] = {}
        self._listed = b""

    def past(self, entries: Sequence[HistoryEntry]) -> bytes:
        """The events for what was said before the page came, the latest of it; and whether there is more."""
        fitting, size = len(entries), 0
        while fitting and size < AT_ONCE:
            fitting -= 1
            size += len(entries[fitting].content)
        if fitting:
            self.after = entries[fitting - 1].position
        cut = b"event: earlier\ndata: {}\n\n" if fitting or len(entries) >= HISTORY else b""
        return cut + self.news(entries[fitting:])

    def news(self, entries: Sequence[HistoryEntry]) -> bytes:
        """The events for what is new or changed in `entries`, everything said after `self.after`, oldest first."""
        parts: list[bytes] = []
        told: dict[str, bytes] = {}
        size = heard = 0
        self._resume = self.after
        settled = True
        for entry in entries:
            heard += 1
            settled = settled and is_settled(entry)
            if settled:
                self._resume = entry.position
            shown = shown_entry(entry)
            if shown is None:
                continue
            data = orjson.dumps(shown)
            before = self._told.get(entry.key)
            told[entry.key] = digest = _digest(data)
            if before != digest:
                parts.append(self._event("" if before is None else "update", data))
                size += len(data)
                if size >= AT_ONCE:
                    break
        self.has_more = heard < len(entries)
        self._told = {**self._told, **told} if self.has_more else told
        if heard > TAIL:
            self.after = min(self._resume, entries[heard - TAIL - 1].position)
        return b"".join(parts)

    def listing(self, conversations: Sequence[dict[str, object]]) -> bytes:
        """The event for the list of conversations, if it changed."""
        data = orjson.dumps(conversations)
        if (digest := _digest(data)) == self._listed:
            return b""
        self._listed = digest
        return b"event: conversations\ndata: " + data + b"\n\n"

    def _event(self, name: str, data: bytes) -> bytes:
        head = f"event: {name}\n" if name else ""
        return f"id: {self._resume}\n{head}data: ".encode() + data + b"\n\n"


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


class Streams:
    """All open pages of one account."""

    def __init__(self, backend: Backend, account: str, heartbeat: float) -> None:
        """`heartbeat` is in seconds."""
        self._backend = backend
        self._account = account
        self._heartbeat = heartbeat
        self._open: set[asyncio.Event] = set()
        self._writing: set[asyncio.Transport] = set()
        self._reading = asyncio.Lock()
        """What is read may be large, and most of it is not given on: one page reads at a time."""
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
                await self._write(request, response, b"retry: 1000\n\n" + first)
                del first
                await self._follow(request, response, feed, conversation, changed)
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
        for transport in self._writing:
            transport.abort()  # a page that does not read would hold up the end

    async def _write(self, request: web.Request, response: web.StreamResponse, data: bytes) -> None:
        """Write, and return when the page reads. Raises ConnectionResetError for a page that does not."""
        transport = request.transport
        if transport is None:
            raise ConnectionResetError
        self._writing.add(transport)
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await response.write(data)
        except TimeoutError:
            transport.abort()
            raise ConnectionResetError from None
        finally:
            self._writing.discard(transport)

    async def _follow(
        self, request: web.Request, response: web.StreamResponse, feed: Feed, conversation: str, changed: asyncio.Event
    ) -> None:
        while not self._closed:
            try:
                async with asyncio.timeout(self._heartbeat):
                    await changed.wait()
                beat = b""
            except TimeoutError:
                beat = _BEAT
            try:
                news = beat + await self._read(feed, conversation, changed)
            except StoreError:
                return  # the page says so, and asks again
            if news:
                await self._write(request, response, news)
            del news  # it may be large, and the next wait long

    async def _read(self, feed: Feed, conversation: str, changed: asyncio.Event, *, first: bool = False) -> bytes:
        changed.clear()  # before reading: what is committed meanwhile sets it again
        async with self._reading:
            entries = await self._backend.history(self._account, conversation, after=feed.after, limit=HISTORY)
            news = feed.past(entries) if first else feed.news(entries)
            del entries
            threads = await self._backend.conversations(self._account, limit=CONVERSATIONS)
            listing = feed.listing([shown_conversation(thread) for thread in threads])
        if feed.has_more:
            changed.set()
        return news + listing
