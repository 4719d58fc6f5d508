"""The media of a turn: what a handler reads, and what a rule waits for."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge.engine.media.contents import NoContent
from bridge.errors import MediaError
from bridge.events import MEDIA, Message
from bridge.frozen import changed
from bridge.store.lifecycle import MediaState
from bridge.store.media import is_medium
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from os import PathLike
    from typing import BinaryIO

    from bridge.clock import Clock
    from bridge.conversation.suspension import StoreWatch
    from bridge.engine.media.contents import Contents
    from bridge.engine.turns.batching import Batch
    from bridge.events import Media
    from bridge.store.media import MediaRow
    from bridge.store.port import Store
    from bridge.store.records import InboxRow

_PATIENCE: Final = 120 * SECOND
"""How long an event waits for its medium, at most; then its handler hears why there is none."""
_LOOK: Final = 2 * SECOND
"""How often the store is asked: another process may be the one that fetches."""
_OFF: Final = 'media are not fetched: set [media] store = "media" to keep them'
_NO_LINK: Final = "the gateway gave no link for the medium, or it came while [media] store was not set"
_GONE: Final = "the medium is deleted"


class MediaReading:
    """Finds the media of events, and has events wait for them. Without `contents` nothing is fetched."""

    def __init__(
        self, store: Store, contents: Contents | None, clock: Clock, wake: Callable[[list[int]], object]
    ) -> None:
        """`wake` is called with the events whose wait is over."""
        self._store = store
        self.contents = contents
        self._clock = clock
        self._wake = wake
        self._heads: dict[int, int] = {}
        """By the event of each medium that is waited for, the event at the head of its thread."""
        self._readers: dict[int, asyncio.Event] = {}

    def settled(self, inbox_id: int) -> None:
        """A medium was tried, however that ended."""
        if (head := self._heads.pop(inbox_id, None)) is not None:
            self._wake([head])
        if (reader := self._readers.get(inbox_id)) is not None:
            reader.set()

    async def due_at(self, rows: Sequence[InboxRow], now: int) -> int:
        """When a turn for these events may begin: later than `now` only while one of their media is on its way."""
        wanted = [row.id for row in rows if is_medium(row.event)]
        if not wanted or self.contents is None:
            return now
        head = rows[0]
        until = min(max(row.received_at for row in rows) + _PATIENCE, now + _PATIENCE)
        self._heads |= dict.fromkeys(wanted, head.id)
        waiting = [row.inbox_id for row in await self._store.media(wanted) if row.state is MediaState.WAITING]
        if waiting and until > now:
            return min(until, now + _LOOK)
        for inbox_id in wanted:
            self._heads.pop(inbox_id, None)
        return now

    async def enter(self, batch: Batch, watch: StoreWatch) -> Batch:
        """The batch of a turn in whose context media can be read from now on; what is known of its own is in them."""
        MEDIA.set(TurnMedia(self, watch))
        wanted = [row.id for row in batch.rows if is_medium(row.event)]
        if not wanted:
            return batch
        found = {row.inbox_id: row for row in await self._store.media(wanted)} if self.contents is not None else {}
        return changed(batch, rows=tuple(_named(row, found.get(row.id)) for row in batch.rows))

    async def found(self, inbox_id: int) -> MediaRow | None:
        """The medium of an event."""
        rows = await self._store.media([inbox_id])
        return rows[0] if rows else None

    async def tried(self, inbox_id: int) -> MediaRow | None:
        """The medium of an event once it is kept, or was tried at least once."""
        while True:
            tried = self._readers.setdefault(inbox_id, asyncio.Event())
            try:
                row = await self.found(inbox_id)
                if row is None or row.state is not MediaState.WAITING or row.reason:
                    return row
                alarm = self._clock.call_at(self._clock.now() + _LOOK, tried.set)
                try:
                    await tried.wait()
                finally:
                    alarm.cancel()
            finally:
                self._readers.pop(inbox_id, None)


def any_medium(rows: Sequence[InboxRow]) -> bool:
    """Whether any of these events has a medium."""
    for row in rows:  # noqa: SIM110 - a generator or a map takes three times as long for the one row that there is
        if is_medium(row.event):
            return True
    return False


def _named(row: InboxRow, found: MediaRow | None) -> InboxRow:
    """An event whose medium, if it has one, knows where it is, and what is known of its bytes."""
    event = row.event
    if not isinstance(event, Message) or event.media is None:
        return row
    media = replace(event.media, inbox_id=row.id)
    if found is not None:
        _learn(media, found)
    return changed(row, event=replace(event, media=media))


def _learn(media: Media, row: MediaRow) -> None:
    """What the bytes are, into the turn's own copy: its author holds it already."""
    if row.state is MediaState.KEPT:
        for name, value in (("mime_type", row.mime_type), ("size", row.size), ("sha256", row.sha256)):
            object.__setattr__(media, name, value)


class TurnMedia:
    """Implements bridge.events.MediaSource for one turn, whose calls of the store `watch` notes."""

    def __init__(self, reading: MediaReading, watch: StoreWatch) -> None:
        """Nothing is read yet."""
        self._reading = reading
        self._watch = watch

    async def read(self, media: Media) -> bytes:
        """See Media."""
        contents = await self._kept(media)
        with _told():
            return await contents.read(media.sha256)

    async def open(self, media: Media) -> BinaryIO:
        """See Media."""
        contents = await self._kept(media)
        with _told():
            return await contents.open(media.sha256)

    async def save(self, media: Media, path: str | PathLike[str]) -> None:
        """See Media."""
        contents = await self._kept(media)
        with _told():
            await contents.save(media.sha256, Path(path))

    async def _kept(self, media: Media) -> Contents:
        """Where its bytes are, once they are. Raises MediaError."""
        contents = self._reading.contents
        if contents is None:
            raise MediaError(_OFF)
        if not media.sha256:
            with self._watch.signals():
                row = None if media.inbox_id is None else await self._reading.tried(media.inbox_id)
            if row is None:
                raise MediaError(_NO_LINK)
            _check(row)
            _learn(media, row)
        return contents


def _check(row: MediaRow) -> None:
    match row.state:
        case MediaState.KEPT:
            return
        case MediaState.WAITING:
            raise MediaError(f"the medium is not fetched yet, and is tried again: {row.reason}", lasting=False)
        case MediaState.FAILED:
            raise MediaError(f"the medium could not be fetched: {row.reason}")
        case _:
            raise MediaError(_GONE)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except NoContent:
        raise MediaError(_GONE) from None
