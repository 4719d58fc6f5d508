"""Conversations with a bot that adds up, on an engine that dies at any pause of its store.

The engine is the real one: the store in memory, the dispatcher, the timers, in virtual time. What leaves is only
looked at.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog
from pydantic import BaseModel, Field

from bridge import Message, Router, Timer, Turn, debounce
from bridge.config.load import Config
from bridge.conversation.turn import draft_of
from bridge.engine.backoff import Backoff
from bridge.engine.timers import Timers
from bridge.engine.turns.dispatcher import Dispatcher
from bridge.engine.turns.policy import TurnPolicy
from bridge.store.records import TurnCommit
from bridge.testing.contract.store.desk import saying
from bridge.testing.loop import Inline, VirtualClock, VirtualLoop
from tests.support.whole_bridges import configuration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence

    from bridge.routing.overlap import Overlap, Policy
    from bridge.store.port import Store
    from bridge.store.records import InboxRow, OutboxRow
    from bridge.store.shares import Use
    from storage.sqlite.simulation import Volatile

T = TypeVar("T")

MANNERS: Final[Mapping[str, Policy | Overlap]] = {
    "queue": "queue",
    "merge": "merge",
    "latest": "latest",
    "interrupt": "interrupt",
    "debounce": debounce("2s"),
    "typed": "queue",
}
"""By the first word of a text, how its turn goes; what is `typed` is handled where the state is a model."""
ATTEMPTS: Final = 6
HOPE: Final = 600.0
"""Seconds that a handler may fail for everybody: each further day is two thousand tries like the others."""
LIMIT: Final = 5.0
"""Seconds that a turn may take."""


# The bot


class Tally(BaseModel):
    """The state as a model: what others see as the keys of a mapping."""

    turns: int = 0
    total: int = 0
    seen: list[str] = Field(default_factory=list)


tries: Counter[str] = Counter()
"""How often an event was tried, known outside of the engine and beyond the death of a process."""


@cache
def adding_up() -> Router:
    """A bot whose every turn adds to the state, and says what it made of it."""
    plain, typed = Router("plain"), Router("typed", state=Tally)
    for manner, overlap in MANNERS.items():
        router = typed if manner == "typed" else plain
        router.message(regex=f"^{manner} ", overlap=overlap)(answer)
    both = Router()
    both.include(plain)
    both.include(typed)
    return both


async def answer(turn: Turn[Message, Any]) -> str:
    """What is said of all events of a turn. A text is its manner, a deed, and a number to add."""
    events = [event for event in (*turn.skipped, *turn.events) if isinstance(event, Message)]
    for event in events:
        _, deed, amount = event.text.split()
        record(turn, event.id, int(amount))
        await DEEDS[deed](turn, event.id)
    return told(turn, [event.id for event in events])


def due(turn: Turn[Timer, Any], origin: str) -> str:
    """What a timer says; it bears the name of the event that set it."""
    record(turn, f"@{origin}", 0)
    return told(turn, [f"@{origin}"])


def record(turn: Turn[Any, Any], name: str, amount: int) -> None:
    """Add to the state, in place: what a turn that fails has added must not be found by the next."""
    state = turn.state
    if isinstance(state, Tally):
        state.total += amount
        state.seen.append(name)
    else:
        state["total"] = state.get("total", 0) + amount
        state.setdefault("seen", []).append(name)


def told(turn: Turn[Any, Any], names: Sequence[str]) -> str:
    """The one reply of a turn: which one it is, the total, and the names of its events."""
    state = turn.state
    if isinstance(state, Tally):
        state.turns += 1
        return f"{state.turns} {state.total} {' '.join(names)}"
    state["turns"] = state.get("turns", 0) + 1
    return f"{state['turns']} {state['total']} {' '.join(names)}"


async def add(_turn: Turn[Any, Any], _name: str) -> None:
    """Nothing but the number."""


async def slow(_turn: Turn[Any, Any], _name: str) -> None:
    await asyncio.sleep(2)


async def go(turn: Turn[Any, Any], name: str) -> None:
    turn.step = name


async def flaky(turn: Turn[Any, Any], name: str) -> None:
    """Fails twice, after half of its work."""
    tries[name] += 1
    if tries[name] <= 2:
        turn.say("nobody hears this").after(1, due, origin="a turn that failed")
        raise OSError("not now")


async def hang(_turn: Turn[Any, Any], name: str) -> None:
    """Runs out of time once."""
    tries[name] += 1
    if tries[name] == 1:
        await asyncio.sleep(3600)


async def poison(turn: Turn[Any, Any], _name: str) -> None:
    turn.say("nobody hears this")
    turn.step = "a turn that failed"
    raise ValueError("never")


async def named(turn: Turn[Any, Any], name: str) -> None:
    turn.after(20, due, name="the one", origin=name)


async def cancel(turn: Turn[Any, Any], _name: str) -> None:
    turn.cancel("the one")


async def unless(turn: Turn[Any, Any], name: str) -> None:
    turn.after(15, due, unless="replied", origin=name)


async def wait(turn: Turn[Any, Any], name: str) -> None:
    turn.after(40, due, origin=name)


DEEDS: Final[Mapping[str, Callable[[Turn[Any, Any], str], Awaitable[None]]]] = {
    each.__name__: each for each in (add, slow, go, flaky, hang, poison, named, cancel, unless, wait)
}


# The engine


class Life:
    """Implements bridge.store.Listener. One process: it dies at the pause of the store that `dies_in` says."""

    def __init__(self, volatile: Volatile, now: int, seed: int) -> None:
        self.loop = VirtualLoop(now)
        self.dies_in: int | None = None
        self.dead = False
        self.overtakes = False
        """Whether another process is to commit a turn first, at the next commit where one could."""
        self.overtook: list[str] = []
        self.commits = 0
        self.log: Counter[str] = Counter()
        """What was logged, by the name of the action."""
        self._clock = VirtualClock(self.loop)
        self._seed = seed
        self.began = self.loop.begin(self._start(volatile), "start")
        self.run()

    async def _start(self, volatile: Volatile) -> None:
        self.store = await volatile.open(self._pause)
        policy = TurnPolicy(router=adding_up(), timeout=LIMIT, backoff=Backoff(attempts=ATTEMPTS), give_up_after=HOPE)
        rng = Random(self._seed)
        watched: Any = Watched(self)
        self.dispatcher = Dispatcher(
            watched, _CONFIG.accounts, policy, self._clock, rng, concurrency=8, executor=Inline()
        )
        self.timers = Timers(self.store, self._clock)
        self.store.listen(self)
        await self.dispatcher.start()
        self.timers.start()

    async def _pause(self, _label: str) -> None:
        if self.dies_in is not None:
            self.dies_in -= 1
            self.dead = self.dead or self.dies_in <= 0
        if self.dead:
            await self.loop.create_future()

    def run(self) -> None:
        """All that is ready at this time."""
        with structlog.testing.capture_logs() as lines:
            self.loop.run_ready()
        self.log.update(line["event"] for line in lines)
        if self.began.done() and not self.began.cancelled() and not self.dead:
            self.began.result()

    def inside(self, work: Coroutine[Any, Any, T]) -> T | None:
        """What comes of a piece of work; None when the process died of it."""
        task = self.loop.begin(work, "inside")
        self.run()
        return task.result() if task.done() else None

    def look(self, work: Coroutine[Any, Any, T]) -> T:
        """What is in the store; nobody dies of looking."""
        dies_in, self.dies_in = self.dies_in, None
        found = self.inside(work)
        assert found is not None
        self.dies_in = dies_in
        return found

    @property
    def is_idle(self) -> bool:
        """Whether every event had its turn."""
        return not len(self.dispatcher.lanes)

    def end(self) -> None:
        self.dead = True
        with structlog.testing.capture_logs():
            self.loop.abandon()

    def received(self, rows: Sequence[InboxRow]) -> None:
        self.dispatcher.offer(rows)

    def timed(self, due_at: int) -> None:
        self.timers.set(due_at)

    def fetchable(self) -> None: ...

    def broadcasting(self) -> None: ...

    def queued(self, rows: Sequence[OutboxRow]) -> None: ...

    def resolved(self, row_ids: Sequence[int]) -> None: ...

    def paused(self, account: str, reason: str, seconds: float) -> None: ...

    def uses(self) -> Mapping[str, Use]:
        return {}

    def shared(self, processes: int, slots: Mapping[str, int]) -> None: ...

    def inherited(self, *, missed: bool) -> None: ...

    def changed(self, thread_ids: Collection[int]) -> None: ...

    def broken(self, error: Exception) -> None:
        raise error


class Watched:
    """The store as the dispatcher has it: turns are counted, and now and then another process commits one first."""

    def __init__(self, life: Life) -> None:
        self._life = life

    def __getattr__(self, name: str) -> Any:
        return getattr(self._life.store, name)

    async def commit_turn(self, commit: TurnCommit) -> None:
        store, life = self._life.store, self._life
        if life.overtakes and (other := await _of_another_process(store, commit)) is not None:
            life.overtakes = False
            life.overtook.append(other.row.key)
            await store.commit_turn(other)
            life.commits += 1
        await store.commit_turn(commit)
        life.commits += 1


async def _of_another_process(store: Store, commit: TurnCommit) -> TurnCommit | None:
    """The turn of an event behind those of `commit`, made elsewhere of the same state; None when there is none."""
    behind = await store.inbox_after(commit.thread.id, commit.row.seq, 9)
    row = next((each for each in behind if isinstance(each.event, Message) and " add " in each.event.text), None)
    if row is None:
        return None
    thread = await store.thread(commit.thread.id)
    turn: Turn[Any, Any] = Turn(row.event, thread.ref, state=thread.state)
    record(turn, row.key, int(row.event.text.split()[2]) if isinstance(row.event, Message) else 0)
    text = told(turn, [row.key])
    left = replace(thread, state=draft_of(turn).state.encode(), heard=thread.version + 1)
    return TurnCommit(row=row, thread=left, sayings=[saying(text, f"elsewhere {row.key}")], at=commit.at)


_CONFIG: Final = Config.from_dict(configuration(Path("/nowhere")))
