"""Turns for tests: a dispatcher on a store in memory and a clock moved by hand, no network anywhere."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

import orjson

from bridge.config.load import Config
from bridge.engine.backoff import Backoff
from bridge.engine.handoff import Handoffs
from bridge.engine.ingest import arrivals_of
from bridge.engine.turns.dispatcher import Dispatcher
from bridge.engine.turns.loops import UNGUARDED
from bridge.engine.turns.policy import TurnPolicy
from bridge.events import ThreadRef
from bridge.providers.port import Webhook
from bridge.store.opening import open_store
from tests.support.manual_clock import ManualClock
from tests.support.whole_bridges import body, configuration, konnek_text, peer_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence

    from bridge.engine.delivery.delivery import Delivery
    from bridge.engine.timers import Timers
    from bridge.engine.turns.loops import GuardPolicy
    from bridge.routing.router import Router
    from bridge.store.looks import HistoryEntry
    from bridge.store.port import Store
    from bridge.store.records import InboxRow, OutboxRow, Receipt
    from bridge.store.shares import Use

ATTEMPTS: Final = 5


@dataclass
class Turns:
    """Implements bridge.store.Listener; what leaves is only looked at, unless there is a delivery.

    Timers are due when the test says so, unless there are `timers`.
    """

    store: Store
    dispatcher: Dispatcher
    clock: ManualClock
    config: Config
    queue: list[OutboxRow] = field(default_factory=list)
    delivery: Delivery | None = None
    timers: Timers | None = None
    spoken: int = 0

    @property
    def handoffs(self) -> Handoffs:
        return Handoffs(self.store, self.clock)

    def received(self, rows: Sequence[InboxRow]) -> None:
        self.dispatcher.offer(rows)

    def queued(self, rows: Sequence[OutboxRow]) -> None:
        self.queue.extend(rows)
        if self.delivery is not None:
            self.delivery.offer(rows)

    def resolved(self, row_ids: Sequence[int]) -> None:
        if self.delivery is not None:
            self.delivery.resolve(row_ids)

    def timed(self, due_at: int) -> None:
        if self.timers is not None:
            self.timers.set(due_at)

    def fetchable(self) -> None: ...

    def broadcasting(self) -> None: ...

    def paused(self, account: str, reason: str, seconds: float) -> None: ...

    def uses(self) -> Mapping[str, Use]:
        return {}

    def shared(self, processes: int, slots: Mapping[str, int]) -> None: ...

    def inherited(self, *, missed: bool) -> None: ...

    def changed(self, thread_ids: Collection[int]) -> None: ...

    def broken(self, error: Exception) -> None:
        raise error

    async def heard(self, text: str, key: str, who: str = "ann", account: str = "shop") -> list[Receipt]:
        """A contact says something on Konnek's WhatsApp, or in a group of the relay; returns when it is stored."""
        told = konnek_text(key, text, who) if account == "shop" else peer_text(key, text, channelUuid=who)
        webhook = Webhook(
            channel="whatsapp" if account == "shop" else None,
            body=body(told),
            json=told,
            received_at=self.clock.now(),
        )
        provider = self.config.accounts[account].provider
        return await self.store.receive(arrivals_of(account, provider, webhook, lambda _: True))

    async def heard_in_group(self, who: str, text: str, room: str = "room-1") -> None:
        """A member says something in a group of the relay, and all that follows happens."""
        self.spoken += 1
        told = peer_text(f"{self.spoken}", text, channelUuid=room, **{"from": who})
        webhook = Webhook(channel=None, body=body(told), json=told, received_at=self.clock.now())
        await self.store.receive(arrivals_of("relay", self.config.accounts["relay"].provider, webhook, lambda _: True))
        await self.settle()

    async def settle(self) -> None:
        if self.timers is not None:
            await self.timers.settle()
        await self.dispatcher.lanes.settle()
        if self.delivery is not None:
            await self.delivery.settle()

    async def wait_out(self, tries: int = ATTEMPTS) -> None:
        """Let every pause between tries pass."""
        for _ in range(tries):
            await self.settle()
            self.clock.advance(900)
        await self.settle()

    async def history(self, who: str = "ann", account: str = "shop") -> Sequence[HistoryEntry]:
        provider, channel = ("konnek", "whatsapp") if account == "shop" else ("relationlabs", "group")
        thread_id = await self.store.find_thread(ThreadRef(account, provider, channel, who))
        assert thread_id is not None
        return await self.store.history(thread_id)

    async def said(self, who: str = "ann", account: str = "shop") -> list[str]:
        """What we said in a thread, in order."""
        history = await self.history(who, account)
        return [orjson.loads(each.content)["text"] for each in history if each.direction == "out"]

    async def reasons(self) -> list[str]:
        return [letter.reason for letter in await self.store.dead_letters()]


@asynccontextmanager
async def turns(
    router: Router,
    *,
    seconds: float = 5.0,
    attempts: int = ATTEMPTS,
    url: str = "sqlite://",
    concurrency: int = 8,
    store: Store | None = None,
    wrap: Callable[[Store], Store] | None = None,
    guard: GuardPolicy = UNGUARDED,
) -> AsyncIterator[Turns]:
    """A running dispatcher; a turn may take `seconds` of real time; `wrap` puts something before the store."""
    store = await open_store(url) if store is None else store
    clock = ManualClock()
    config = Config.from_dict(configuration(Path("/nowhere")))
    policy = TurnPolicy(router=router, timeout=seconds, backoff=Backoff(attempts=attempts), guard=guard)
    seen = wrap(store) if wrap else store
    dispatcher = Dispatcher(seen, config.accounts, policy, clock, Random(4), concurrency=concurrency)
    found = Turns(store, dispatcher, clock, config)
    store.listen(found)
    await store.take_over()
    await dispatcher.start()
    try:
        yield found
    finally:
        await dispatcher.lanes.stop(1)
        await store.close()
