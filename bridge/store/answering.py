"""What a person's words answer, where the contact opted out: read back from the thread when it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.events import Send
from bridge.store.takeover import SPOKEN

if TYPE_CHECKING:
    from bridge.store.reading import StoreReader
    from bridge.store.records import OutboxRow, ThreadRow

_LOOKED_AT: Final = 1000
"""Things said in a thread among which the contact's own are looked for; behind more than these nothing is an answer."""
_PAGE: Final = 100


async def answered_by(store: StoreReader, thread: ThreadRow, row: OutboxRow) -> int:
    """The id of the event that a message answers directly; one that a person wrote answers what the contact said last.

    0: it answers nothing that the contact said since they opted out.
    """
    if row.answers:
        return row.answers
    for message in await store.spoken(row.thread_id, after=row.id - 1, limit=1):
        written = message.event_id or 0
        for event in await store.recorded(row.thread_id, after=written - 1, limit=1):
            if event.id == written and event.kind == Send.tag and event.values.get("human") is True:
                return await _last_words(store, thread, written)
    return 0


async def may_write(store: StoreReader, thread_id: int) -> bool:
    """Whether what a person writes in a thread now would leave, as an answer where the contact opted out."""
    thread = await store.thread(thread_id)
    return not thread.opted_out or await _last_words(store, thread) > 0


async def _last_words(store: StoreReader, thread: ThreadRow, before: int | None = None) -> int:
    """The id of what a contact said last since they opted out, before an event; 0: nothing."""
    for _ in range(0, _LOOKED_AT, _PAGE):
        entries = await store.history(thread.id, after=thread.opted_out, before=before, limit=_PAGE)
        spoken = [entry.position for entry in entries if entry.direction == "in" and entry.kind in SPOKEN]
        if spoken:
            return spoken[-1]
        if len(entries) < _PAGE:
            break
        before = entries[0].position
    return 0
