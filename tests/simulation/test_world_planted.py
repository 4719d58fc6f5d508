"""Mistakes that others made, planted on purpose: `explore` finds each, and its seed shows it again bit for bit."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bridge import Dialog, Router, Text, Turn
from bridge.app.bridge import Bridge
from bridge.engine.delivery.client import Attempt
from bridge.providers.port import Outbound
from bridge.store.records import Receipt
from bridge.testing.explore import Counterexample
from bridge.testing.world import World
from storage.sqlite import timers
from storage.sqlite.connection import execute
from storage.timers import NEXT_DUE, fired
from tests.support.planted import Other, over
from tests.support.searches import seeds
from tests.support.worlds import ALL, counted, counting

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from bridge.store.records import Arrival, InboxRow, TurnCommit

    Scenario = Callable[[World], Coroutine[Any, Any, None]]


class MarksFirst(Other):
    """Notes durably that it saw an event, and only then stores it."""

    async def receive(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        (arrival,) = arrivals
        if await self.store.cursor(arrival.account, arrival.key):
            return [Receipt.REPEATED]
        await self.store.advance(arrival.account, arrival.key, "seen")
        return await self.store.receive(arrivals)


class SendsFirst(Other):
    """Lets replies leave before the turn is committed."""

    async def commit_turn(self, turn: TurnCommit) -> None:
        for saying in turn.sayings:
            client = self.bridge.parts.delivery.workers[turn.thread.ref.account].client
            message = Outbound(
                key=str(uuid.UUID(int=self.bridge._outside.rng.getrandbits(128), version=4)),
                thread=turn.thread.ref,
                message=saying.message,
                address=turn.thread.address,
                created_at=turn.at,
            )
            await client.send(message, Attempt())
        await self.store.commit_turn(replace(turn, sayings=()))


class FiresFirst(Other):
    """Makes the event of a timer in one transaction, and ends the timer in another one."""

    async def fire_timers(self, now: int, limit: int) -> int | None:
        writing = self.store._writing  # type: ignore[attr-defined]
        accounts = [row[0] for row in await execute(writing, lambda db: db.execute(NEXT_DUE).fetchall())]
        for account in accounts:
            await self._fire(writing, account, now, limit)
        return await self.store.fire_timers(now, limit)

    async def _fire(self, writing: Any, account: str, now: int, limit: int) -> None:
        rows = await execute(writing, lambda db: db.execute(timers._DUE, (account, now, limit)).fetchall())
        for row in rows:
            (arrival,), _ = fired([row], now)
            await self.store.receive([replace(arrival, key=str(self.bridge._outside.rng.random()))])
            await execute(writing, lambda db, ended: db.execute(_END, (ended,)).fetchall(), row[0])


_END = "UPDATE timers SET status = 'fired' WHERE id = ?"


class JournalsFirst(Other):
    """Keeps what a dialog was answered in one transaction, and in another one that the answer is done."""

    async def commit_turn(self, turn: TurnCommit) -> None:
        if turn.thread.dialog and (await self.store.thread(turn.thread.id)).dialog:
            writing = self.store._writing  # type: ignore[attr-defined]
            await execute(writing, lambda db: db.execute(_JOURNAL, (turn.thread.dialog, turn.thread.id)).fetchall())
        await self.store.commit_turn(turn)


_JOURNAL = "UPDATE threads SET dialog = ? WHERE id = ?"


class DropsWhileBusy(Bridge):
    """Takes no event of a thread in which one is being handled."""

    def received(self, rows: Sequence[InboxRow]) -> None:
        super().received([row for row in rows if row.thread_id not in self.parts.dispatcher.lanes._lanes])


def remembering() -> Router:
    """A bot that reads a total, waits for something, and writes it back."""
    totals: dict[str, int] = {}
    router = Router()

    @router.message(text="new")
    async def anew(_: Turn[Any]) -> str:
        totals.clear()
        return "new"

    @router.default()
    async def add(_: Turn[Any]) -> str:
        before = totals.get("all", 0)
        await asyncio.sleep(0.1)
        totals["all"] = before + 1
        return f"{totals['all']} in all"

    return router


async def two_add(world: World) -> None:
    ann, bob = (world.contact("konnek", "whatsapp", name) for name in ("ann", "bob"))
    await ann.says("new")
    await world.settle()
    await ann.says("a")
    await bob.says("b")
    await world.settle()
    assert "2 in all" in ann.texts + bob.texts, f"{ann.phone()}\n{bob.phone()}"


def reminding() -> Router:
    """A bot that comes back to it in an hour."""
    router = Router()

    @router.default()
    async def remind(turn: Turn[Any]) -> Text:
        return Text("still there?", at=turn.event.at + timedelta(hours=1))

    return router


async def reminded(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("hello")
    await world.settle()
    await world.advance("1h")
    ann.saw_once("still there?")


def by_timer() -> Router:
    """The same with a handler that is called in an hour."""
    router = Router()

    @router.default()
    async def set_timer(turn: Turn[Any]) -> None:
        turn.after("1h", still_there)

    return router


async def still_there(_turn: Turn[Any]) -> str:
    return "still there?"


def asking() -> Router:
    """A bot that asks two things."""
    router = Router()

    @router.message(text="go")
    async def go(turn: Turn[Any]) -> None:
        await turn.begin(names)

    @router.dialog()
    async def names(d: Dialog) -> str:
        return f"{await d.ask('Your name?')} {await d.ask('And your second name?')}"

    return router


async def named(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("go")
    await ann.sees("Your name?")
    await ann.says("Ann")
    await ann.says("Lee")
    await world.settle()
    assert ann.texts == ["Your name?", "And your second name?", "Ann Lee"], ann.phone()


PLANTED: dict[str, tuple[Router, type[Bridge], Scenario, Iterable[str], str]] = {
    "dedupe marked before success": (counting(), over(MarksFirst), counted, {"crash"}, "ann's phone"),
    "lost state update": (remembering(), Bridge, two_add, (), "1 in all"),
    "event dropped while busy": (counting(), DropsWhileBusy, counted, (), "not everything came to its end"),
    "reply sent before commit": (counting(), over(SendsFirst), counted, {"crash"}, "4. [text]"),
    "timer of a message fired twice": (reminding(), over(FiresFirst), reminded, {"crash"}, "2 times, not once"),
    "timer of a handler fired twice": (by_timer(), over(FiresFirst), reminded, {"crash"}, "2 times, not once"),
    "dialog answer taken twice": (asking(), over(JournalsFirst), named, {"crash"}, "[text] Ann Ann"),
}
"""Bot, engine, scenario, faults, and what the failure shows."""


@pytest.mark.parametrize(("router", "make", "scenario", "faults", "shows"), PLANTED.values(), ids=PLANTED.keys())
def test_a_planted_mistake_is_found_and_shown_again_bit_for_bit(
    router: Router, make: type[Bridge], scenario: Scenario, faults: Iterable[str], shows: str
) -> None:
    with World(router, make=make) as world:
        with pytest.raises(Counterexample) as caught:
            world.explore(scenario, seeds=200, faults=faults)
        found, smallest = caught.value.found, caught.value.smallest
        assert shows in str(smallest.error)
        assert len(smallest.deviations) <= min(3, len(found.deviations))
        for schedule, trace in ((found.schedule, found.trace), (smallest.schedule, smallest.trace)):
            assert f'replay="{schedule}"' in str(caught.value)
            with pytest.raises(Counterexample) as again:
                world.explore(scenario, faults=faults, replay=str(schedule))
            assert again.value.found.trace == trace
            assert str(again.value.found.error) == str(found.error if schedule is found.schedule else smallest.error)


@pytest.mark.parametrize(
    ("router", "scenario"),
    [(counting(), counted), (reminding(), reminded), (by_timer(), reminded), (asking(), named)],
    ids=["counts", "reminds", "reminds by timer", "asks"],
)
def test_the_engine_without_them_passes_the_same_search(router: Router, scenario: Scenario) -> None:
    with World(router) as world:
        assert world.explore(scenario, seeds=seeds(200), faults={"crash"}).runs == seeds(200)


@pytest.mark.parametrize("start", [0, 50, 100])
def test_what_else_a_seed_did_is_left_out_of_the_smallest_schedule(start: int) -> None:
    with World(asking(), make=over(JournalsFirst)) as world:
        with pytest.raises(Counterexample) as caught:
            world.explore(named, seeds=range(start, 300), faults=ALL)
        (only,) = caught.value.smallest.deviations
        assert only.label.startswith("crash (while: before commit turn")
        went = str(caught.value).partition("How it went:")[2].splitlines()
        assert [line.partition("0 ")[2] for line in went[4:7]] == ["after receive", only.label, "the bridge starts"]
