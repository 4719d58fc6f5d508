"""Faults that last, and the store's failures: each finds a mistake that no other fault finds; the engine passes all."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from bridge import Router, Text, Turn
from bridge.app.bridge import Bridge
from bridge.errors import NotSent, StoreError
from bridge.store.records import Receipt
from bridge.testing.explore import Counterexample
from bridge.testing.loop import START
from bridge.testing.surroundings import LEAP
from bridge.testing.world import World
from bridge.units import SECOND, micros
from storage.records import MESSAGE_OPEN
from storage.sqlite.connection import execute
from tests.support.planted import Other, over
from tests.support.worlds import ALL, LASTING, counted, counting, refunded, shop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from bridge.engine.delivery.client import Attempt
    from bridge.engine.delivery.transport import Leaving, Transport
    from bridge.providers.port import Outbound, Request, Response, Sent
    from bridge.store.records import Arrival, InboxRow

    Scenario = Callable[[World], Coroutine[Any, Any, None]]


class AcknowledgesAll(Other):
    """Takes a failure of the store for a repetition."""

    async def receive(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        try:
            return await self.store.receive(arrivals)
        except StoreError:
            return [Receipt.REPEATED for _ in arrivals]


class TidiesUp(Other):
    """Forgets at a stop what did not leave."""

    async def close(self) -> None:
        writing = self.store._writing  # type: ignore[attr-defined]
        await execute(writing, lambda db: db.execute(_FORGET).fetchall())
        await self.store.close()


_FORGET = f"UPDATE outbox SET status = 'dead' WHERE {MESSAGE_OPEN}"


class TrustsTheClock(Bridge):
    """Takes an event that is older than the last one for a late one."""

    newest = 0

    def received(self, rows: Sequence[InboxRow]) -> None:
        fresh = [row for row in rows if row.received_at >= self.newest]
        self.newest = max([self.newest, *(row.received_at for row in rows)])
        super().received(fresh)


class BlamesTheMessage(Bridge):
    """Counts a gateway that is away as a failure of each message."""

    async def start(self) -> None:
        open_transport = self._outside.open_transport
        assert open_transport is not None
        self._outside = replace(self._outside, open_transport=lambda: _NeverAway(open_transport()))
        await super().start()


class _NeverAway:
    def __init__(self, transport: Transport) -> None:
        self.close = transport.close
        self._transport = transport

    async def carry(
        self, base_url: str, request: Request, seconds: float, *, leaving: Leaving | None = None
    ) -> Response:
        try:
            return await self._transport.carry(base_url, request, seconds, leaving=leaving)
        except NotSent as error:
            raise NotSent(error.reason) from None


class LooksTooEarly(Bridge):
    """Looks whether a message may still leave before it waits for a connection."""

    async def start(self) -> None:
        await super().start()
        for worker in self.parts.delivery.workers.values():
            send = worker.client.send

            async def early(
                outbound: Outbound, attempt: Attempt, send: Callable[[Outbound, Attempt], Any] = send
            ) -> Sent:
                await attempt.leave()
                sent: Sent = await send(outbound, attempt)
                return sent

            worker.client.send = early  # type: ignore[method-assign]


def briefly() -> Router:
    """A bot that tells what the time is, on a clock that cannot be set: worth something for four seconds."""
    router = Router()

    @router.default()
    async def answer(_: Turn[Any]) -> Text:
        return Text(f"{asyncio.get_running_loop().time()}", expires=timedelta(seconds=4))

    return router


async def in_time(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("what time is it?")
    await world.until(lambda: bool(ann.texts))
    late = [text for text in ann.texts if (micros(world.now) - START) / SECOND - float(text) > 4]
    assert not late, ann.phone()
    await world.settle()


async def once(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("a")
    await world.settle()
    assert ann.texts == ["1: a"], ann.phone()


async def recorded(world: World) -> None:
    await once(world)

    async def states() -> list[str]:
        store = world.bridge.store
        return [row.state for row in await store.history(1) if row.direction == "out"]

    assert await world.inside(states()) == ["sent"]


PLANTED: dict[str, tuple[Router, type[Bridge], Scenario]] = {
    "store_fails": (counting(), over(AcknowledgesAll), once),
    "slow_shutdown": (counting(), over(TidiesUp), recorded),
    "clock_set": (counting(), TrustsTheClock, counted),
    "gateway_away": (counting(), BlamesTheMessage, once),
    "pool_exhausted": (briefly(), LooksTooEarly, in_time),
}
"""Bot, engine and scenario, by the fault that alone finds the mistake."""
RARE: Final = {"slow_shutdown": 450}
"""The seed where the search for a rare mistake begins: not far before the first one that finds it."""


@pytest.mark.parametrize("fault", LASTING)
def test_a_planted_mistake_is_found_by_this_fault_alone_and_shown_again_bit_for_bit(fault: str) -> None:
    router, make, scenario = PLANTED[fault]
    with World(router, make=make) as world:
        with pytest.raises(Counterexample) as caught:
            world.explore(scenario, seeds=range(begin := RARE.get(fault, 0), begin + 2500), faults={fault})
        found, smallest = caught.value.found, caught.value.smallest
        assert len(smallest.deviations) <= min(3, len(found.deviations))
        for schedule, trace in ((found.schedule, found.trace), (smallest.schedule, smallest.trace)):
            with pytest.raises(Counterexample) as again:
                world.explore(scenario, faults={fault}, replay=str(schedule))
            assert again.value.found.trace == trace
        others = {*LASTING} - {fault}
        assert world.explore(scenario, seeds=3, faults=others).runs == 3
    with World(router) as world:
        assert world.explore(scenario, seeds=[found.schedule.seed], faults={fault}).runs == 1


@pytest.mark.parametrize("writes", ["retry_turn", "retry_delivery"])
def test_a_clock_set_back_while_a_wait_is_written_down_makes_it_no_longer(writes: str) -> None:
    class SetBack(Other):
        def __getattr__(self, name: str) -> Any:
            if name == writes:
                worlds[-1]._stage.surroundings.ahead -= LEAP
            return getattr(self.store, name)

    worlds: list[World] = []
    failures: list[Exception] = []
    router = Router()

    @router.default()
    async def answer(_: Turn[Any]) -> str:
        if failures:
            raise failures.pop()
        return "here"

    async def scenario(world: World) -> None:
        worlds.append(world)
        failures[:] = [RuntimeError("not yet")] * (writes == "retry_turn")
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("hello")
        await world.settle(within="5m")
        ann.saw_once("here")

    with World(router, make=over(SetBack)) as world:
        world.explore(scenario, seeds=10, faults={"lost_answer": 1})
    assert any(each._stage.surroundings.ahead for each in worlds)


SCENARIOS: dict[str, tuple[Router, Scenario]] = {"counts": (counting(), counted), "shop": (shop(), refunded)}


def passes(name: str, seeds: int) -> None:
    router, scenario = SCENARIOS[name]
    with World(router) as world:
        assert world.explore(scenario, seeds=seeds, faults=(*ALL, *LASTING)).runs == seeds


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_engine_keeps_its_promises_under_all_faults_together(name: str) -> None:
    passes(name, 10)


@pytest.mark.soak
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_engine_keeps_its_promises_under_all_faults_together_in_a_long_run(name: str) -> None:
    passes(name, 500)
