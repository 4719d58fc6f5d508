"""Dead letters and quarantine, as a person asks for them: appended again, or put aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.errors import Unmappable
from bridge.store.lifecycle import InboxState
from bridge.store.replay import letter_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bridge.clock import Clock
    from bridge.store.looks import DeadLetter
    from bridge.store.port import Store
    from bridge.store.records import Arrival

    Reread = Callable[[DeadLetter], Sequence[Arrival]]


def in_order(ids: Iterable[str]) -> list[str]:
    """Each once, in the order in which they came: numbers grow with time, on both sides alike."""
    return sorted(dict.fromkeys(ids), key=lambda letter_id: letter_of(letter_id)[1] or 0)


class Letters:
    """The dead letters of a store that is ours; bridge.web.control acts on them."""

    def __init__(self, store: Store, reread: Reread, clock: Clock) -> None:
        """`reread` maps a quarantined webhook anew, and raises Unmappable when it is still not understood."""
        self._store = store
        self._reread = reread
        self._clock = clock

    async def replay(self, letter_id: str) -> bool:
        """Append a dead letter to its thread again; False when no dead letter has that id.

        Raises:
            Unmappable: it is a quarantined webhook, and still not understood.
        """
        letter = await self._store.dead_letter(letter_id)
        if letter is None:
            return False
        try:
            arrivals = self._reread(letter) if letter.state == InboxState.QUARANTINED else None
        except Unmappable as error:
            raise Unmappable(f"still not understood: {error}") from None
        return await self._store.replay(letter_id, self._clock.now(), arrivals)

    async def drop(self, letter_id: str) -> bool:
        """Put a dead letter aside for good; False when no dead letter has that id."""
        return await self._store.drop(letter_id, self._clock.now())
