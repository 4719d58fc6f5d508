"""All of an author's code runs under the mark: whatever kills the process is counted against its own event."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from bridge import Depends, Message, Router, Turn
from tests.support.turn_engine import turns

if TYPE_CHECKING:
    from bridge.store.port import Store


class Marking:
    """A store that knows which events are marked."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.marked: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def mark(self, slot: str, row_id: int, *, running: bool) -> None:
        (self.marked.add if running else self.marked.discard)(row_id)
        self._store.mark(slot, row_id, running=running)


class Author:
    """An author's bot whose every function notes which events are marked."""

    def __init__(self, overlap: Any) -> None:
        self.store: Marking | None = None
        self.unmarked: list[str] = []
        self.seen: set[str] = set()
        self.router = Router()
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        self.release = asyncio.Event()

        def filtered(event: Message) -> bool:
            self.note(f"filter {event.text}", int(event.text))
            return True

        def supplied(turn: Turn[Any]) -> str:
            self.note("dependency", int(turn.event.text))
            return "so"

        @self.router.message(filtered, overlap=overlap)
        async def handle(turn: Turn[Any], _so: str = Depends(supplied)) -> str:
            self.note("handler", int(turn.event.text))
            self.begun.put_nowait(turn.event.text)
            await self.release.wait()
            if turn.event.text == "3":
                raise OSError("no")
            return "done"

        @self.router.error()
        async def recover(turn: Turn[Any], _error: OSError) -> str:
            self.note("error handler", int(turn.event.text))
            return "sorry"

    def wrap(self, store: Store) -> Any:
        self.store = Marking(store)
        return self.store

    def note(self, what: str, row_id: int) -> None:
        self.seen.add(what)
        if self.store is None or row_id not in self.store.marked:
            self.unmarked.append(what)


@pytest.mark.parametrize("overlap", ["queue", "merge", "latest", "interrupt"])
async def test_every_function_of_an_author_runs_while_its_event_is_marked(overlap: str) -> None:
    author = Author(overlap)
    async with turns(author.router, wrap=author.wrap) as world:
        for row_id in range(1, 4):
            await world.heard(str(row_id), f"m-{row_id}")
            if row_id == 1 or overlap == "interrupt":  # else a thread of the dependency may outlive the turn
                await author.begun.get()
        author.release.set()
        await world.settle()
        assert author.store is not None
        assert author.store.marked == set()
    assert author.unmarked == []
    assert author.seen >= {"filter 1", "filter 2", "filter 3", "dependency", "handler", "error handler"}
