"""A conversation is erased part by part, so that traffic does not notice it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Protocol

from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.clock import Clock
    from bridge.store.erasure import Erased, ErasedContact

_PAUSE: Final = 0.02


class Eraser(Protocol):
    """A store that is ours, or a bridge that is asked for it."""

    async def erase(self, thread_id: int, at: int, *, limit: int = ...) -> Erased:
        """See bridge.store.housekeeping."""
        ...

    async def erase_contact(self, contact_id: int) -> ErasedContact:
        """See bridge.store.housekeeping."""
        ...


async def erase(
    eraser: Eraser, thread_id: int, clock: Clock, tell: Callable[[Counter[str]], None] = lambda _: None
) -> Counter[str]:
    """Erase a thread; how many rows of each kind that were. After an interruption the same call goes on."""
    rows: Counter[str] = Counter()
    while True:
        begins = clock.now()
        erased = await eraser.erase(thread_id, begins)
        rows += Counter(erased.rows)
        tell(rows)
        if not erased.more:
            return rows
        await clock.sleep(max((clock.now() - begins) / SECOND, _PAUSE))


async def erase_person(
    eraser: Eraser, contact_id: int, clock: Clock, tell: Callable[[Counter[str]], None] = lambda _: None
) -> Counter[str]:
    """Erase all threads of a person, and then what is known of them; how many rows of each kind that were."""
    rows: Counter[str] = Counter()
    while (erased := await eraser.erase_contact(contact_id)).threads:
        for thread_id in erased.threads:
            before = rows

            def told(so_far: Counter[str], before: Counter[str] = before) -> None:
                tell(before + so_far)

            rows = before + await erase(eraser, thread_id, clock, told)
    return rows + Counter(erased.rows)
