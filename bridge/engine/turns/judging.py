"""What an event means in its thread: whose words an echo is, which choice an answer takes, which key a press holds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bridge.engine.handoff import MISSED, returned, returns
from bridge.events import Echo, Message
from bridge.frozen import changed
from bridge.planning.choices import answer
from bridge.units import SECOND

if TYPE_CHECKING:
    from bridge.clock import Clock
    from bridge.engine.turns.signing import Signer
    from bridge.events import Event
    from bridge.store.port import Store
    from bridge.store.records import InboxRow, ThreadRow

DOUBT: Final = SECOND // 4
"""How long an echo waits before the store is asked again whose words it holds."""


class Judge:
    """Judges events by what the store knows."""

    def __init__(self, store: Store, signer: Signer, clock: Clock) -> None:
        """`signer` opens the keys of presses."""
        self._store = store
        self._signer = signer
        self._clock = clock

    async def judged(self, row: InboxRow) -> InboxRow | None:
        """An event, an echo marked as ours unless a person wrote it; None while that is not known."""
        if not (isinstance(row.event, Echo) and row.event.human):
            return row
        ours = await self._store.sent_by_us(row, self._clock.now())
        return None if ours is None else changed(row, event=replace(row.event, human=not ours))

    async def meant(self, row: InboxRow, thread: ThreadRow) -> InboxRow | None:
        """An event as its thread understands it: a text as the choice it names, a press with its key opened.

        None while it is not known whether a person wrote it.
        """
        event = row.event
        if returns(event):
            return changed(row, event=returned(event, await self._store.held(thread.id, MISSED)))
        judged = await self.judged(row)
        if judged is None:
            return None
        event = await self._signer.open(_chosen(judged.event, thread), thread)
        return judged if event is judged.event else changed(judged, event=event)


def is_plain(event: Event, thread: ThreadRow) -> bool:
    """Whether an event means in its thread what it says: words, and no choice that they could name."""
    return isinstance(event, Message) and not thread.choices


def _chosen(event: Event, thread: ThreadRow) -> Event:
    """A text that answers an open choice is the press it stands for."""
    if isinstance(event, Message) and thread.choices:
        return answer(event, thread.choices, is_alone=thread.contact_id is not None) or event
    return event
