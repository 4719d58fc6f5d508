"""How threads stand right now, whoever changed them: asked together by all that ask at the same time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from bridge.errors import ClaimLost, StoreError
from bridge.store.records import Hold

if TYPE_CHECKING:
    from .connection import Readers
    from .process import Process

    Answer = tuple[int, Hold]
    """The version of a thread, and the hold on it."""

STANDING: Final = """
SELECT t.id, t.version, t.note, t.spoken, t.silenced, t.taken
FROM threads t JOIN processes p ON p.epoch = t.holder WHERE t.id = ANY($1::bigint[]) AND p.epoch = $2
"""


class Standing:
    """Asks for threads that are ours. An answer is never older than its question."""

    def __init__(self, readers: Readers, process: Process) -> None:
        """Nothing is asked."""
        self._readers = readers
        self._process = process
        self._asked: dict[int, asyncio.Future[Answer]] = {}
        self._task: asyncio.Task[None] | None = None

    async def ask(self, thread_id: int) -> Answer:
        """How a thread stands. Raises ClaimLost: it is not ours, or we are taken for dead; Unavailable; Broken."""
        future = self._asked.get(thread_id)
        if future is None:
            loop = asyncio.get_running_loop()
            future = self._asked[thread_id] = loop.create_future()
            if self._task is None or self._task.done():
                self._task = loop.create_task(self._answer(), name="standing")
        return await asyncio.shield(future)

    async def _answer(self) -> None:
        while self._asked:
            asked, self._asked = self._asked, {}
            try:
                rows = await self._readers.fetch(STANDING, [*asked], self._process.epoch)
            except StoreError as error:
                for future in asked.values():
                    _fail(future, error)
                continue
            for thread_id, version, note, taken_seq, silenced_seq, at_gateway in rows:
                hold = Hold(note=note, taken_seq=taken_seq, silenced_seq=silenced_seq, at_gateway=at_gateway)
                asked.pop(thread_id).set_result((version, hold))
            for thread_id, future in asked.items():
                _fail(future, ClaimLost(f"thread {thread_id} is another process's"))


def _fail(future: asyncio.Future[Answer], error: StoreError) -> None:
    future.set_exception(error)
    future.exception()  # whoever asked may be gone
