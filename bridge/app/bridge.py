"""The whole bridge: starts and stops its parts, in order."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.app.fitness import misfits
from bridge.app.own_tables import migrate
from bridge.app.parts import Base, assemble
from bridge.clock import SystemClock
from bridge.config.load import followers_of
from bridge.config.texts import read_texts
from bridge.engine.delivery.endpoint import guarded
from bridge.engine.delivery.opening import open_transport
from bridge.engine.ingest import reread
from bridge.engine.media.door import GuardedDoor
from bridge.engine.media.opening import open_contents
from bridge.engine.turns.execution import Threads
from bridge.errors import ConfigError
from bridge.log import log
from bridge.routing.loading import load_routers
from bridge.routing.router import combine, rulebook_of
from bridge.store.opening import Opener, open_store
from bridge.units import is_loopback
from bridge.web.peers import Peers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from bridge.app.parts import Parts
    from bridge.clock import Clock
    from bridge.config.load import Config
    from bridge.conversation.turn import Reply, To
    from bridge.engine.delivery.transport import Transport
    from bridge.engine.media.contents import Contents
    from bridge.engine.media.door import Door
    from bridge.engine.media.sending import Served
    from bridge.engine.spans import Spans
    from bridge.engine.turns.execution import Executor
    from bridge.events import ThreadRef
    from bridge.routing.depends import Override
    from bridge.routing.router import Router
    from bridge.statements import Record
    from bridge.store.looks import DeadLetter
    from bridge.store.port import Store
    from bridge.store.records import Arrival, InboxRow, OutboxRow
    from bridge.store.shares import Use
    from bridge.web.webhooks import Webhooks


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What a bridge meets outside of itself, beside the clock; a simulation passes in its own.

    `open_transport`: None for the client of the configuration. `open_door`: through which media are fetched, and
    `open_contents`: where their bytes are. `executor`: where functions run that may block.
    `watched`: a thread looks for code that blocks the loop. `is_near`: whether an address is never limited.
    """

    open_store: Opener = open_store
    open_transport: Callable[[], Transport] | None = None
    open_door: Callable[[], Door] = GuardedDoor
    open_contents: Callable[[str], Contents] = open_contents
    rng: random.Random = field(default_factory=random.SystemRandom)
    executor: Executor = field(default_factory=Threads)
    watched: bool = True
    is_near: Callable[[str], bool] = is_loopback


class Bridge:
    """One running bridge: it hands every commit on to the part that it concerns."""

    def __init__(
        self,
        config: Config,
        *,
        router: Router | None = None,
        clock: Clock | None = None,
        outside: Outside | None = None,
    ) -> None:
        """Load the handlers and their texts; nothing runs until `start`.

        Raises:
            ConfigError: a handler or a text cannot be loaded, or a handler asks for what is not configured.
            HandlerError: handlers do not go together, or one names a model of the state that it would not see.
        """
        self.config = config
        self.clock = clock or SystemClock()
        self._outside = outside or Outside()
        self.peers = Peers(config.server.trusted_proxies, is_near=self._outside.is_near)
        self.router = router or combine(load_routers(config.handlers_to_load(), config.folder, file=config.file))
        rulebook_of(self.router).check_models()
        self.texts = read_texts(config)
        if problems := misfits(config, self.router):
            raise ConfigError(problems)
        self.changes: list[Callable[[Collection[int]], None]] = []
        """Called with the ids of threads that changed."""
        self.failed: Exception | None = None
        """Why the store is broken, if it is."""
        self.on_failure: Callable[[], None] = lambda: None
        self.ready = False
        self.runs_jobs = True
        """Whether the router's jobs run here: over several databases they do in one."""
        self.worker: int | None = None
        """The number of this process among its workers, where there are some."""
        self.spans: Spans | None = None
        """Where traces are kept, if they are."""
        self.opens_door_first = False
        """Whether `start` leaves `take_up` to its caller: who waits at the door is answered before turns are."""
        self._parts: Parts | None = None

    @property
    def parts(self) -> Parts:
        """The parts, from `start` on. Raises RuntimeError before."""
        if self._parts is None:
            raise RuntimeError("the bridge has not started")
        return self._parts

    @property
    def shards(self) -> Sequence[Bridge]:
        """The bridges that this one is made of: see bridge.app.shards."""
        return (self,)

    def shard_of(self, account: str) -> Bridge:
        """The one of `shards` that keeps an account."""
        del account
        return self

    @property
    def store(self) -> Store:
        """The open store. Raises RuntimeError before `start`."""
        return self.parts.store

    @property
    def webhooks(self) -> Webhooks:
        """Where webhooks come in. Raises RuntimeError before `start`."""
        return self.parts.webhooks

    async def start(self) -> None:
        """Open the store and take up what waits in it."""
        await self.open()
        if not self.opens_door_first:
            await self.take_up()

    async def open(self) -> None:
        """Open the store, the author's own tables up to date: webhooks can be stored from now on.

        Raises:
            ConfigError: a migration of the author's cannot be applied.
        """
        outside = self._outside
        store = await outside.open_store(self.config.storage.url, self.config.storage.keys)
        try:
            await migrate(store, self.config, self.clock.now())
        except BaseException:
            await store.close()
            raise
        base = Base(
            config=self.config,
            router=self.router,
            texts=self.texts,
            store=store,
            transport=outside.open_transport() if outside.open_transport else self._transport(),
            clock=self.clock,
            rng=outside.rng,
            executor=outside.executor,
            peers=self.peers,
            reread=self.reread,
            watched=outside.watched,
            runs_jobs=self.runs_jobs,
            open_door=outside.open_door,
            contents=outside.open_contents(self.config.media.store) if self.config.media.store else None,
            spans=self.spans,
        )
        self._parts = assemble(base)
        store.listen(self)
        if (followers := followers_of(self.config)) is not None:
            store.follow(followers)
        self.ready = True

    def _transport(self) -> Transport:
        return open_transport(self.config.delivery.http_client, guarded(self.config.events.webhooks))

    async def take_up(self) -> None:
        """Begin with what waits in the store."""
        try:
            await self.parts.start()
        except BaseException:
            await self.stop()
            raise

    async def served(self, token: str) -> Served | None:
        """The file of the bot that a link stands for; None: there is none."""
        for shard in self.shards:
            if (served := await shard.parts.files.served(token)) is not None:
                return served
        return None

    async def takes_webhooks(self) -> bool:
        """Whether a webhook that came now would be stored."""
        return self.ready and await self.webhooks.intake.takes() and self.ready

    def drain(self) -> None:
        """Take nothing new; also while it is still starting."""
        self.ready = False
        if self._parts is not None:
            self._parts.webhooks.draining = True

    async def wind_down(self) -> None:
        """Finish what runs, within DRAIN_SECONDS in all, and begin nothing new; webhooks are still stored."""
        await self.parts.wind_down()

    async def stop(self) -> None:
        """Take nothing new, finish what runs within DRAIN_SECONDS, and close the store."""
        self.drain()
        await self.parts.stop()

    async def send(
        self,
        account: str,
        to: To,
        *messages: Reply,
        channel: str | None = None,
        at: datetime | None = None,
        key: str | None = None,
    ) -> str:
        """Send messages to a conversation, which need not have begun; returns the key of the event once it is stored.

        They wait for their turn in the order of that conversation, and leave as replies do; `at` is when at the
        earliest. Under a `key` an account sends once: the same again changes nothing.

        Raises:
            HandlerError: the gateway can begin no such conversation, or something among the messages cannot be said.
            KeyTaken: other messages were sent under the key before.
            StoreError: they are not stored.
        """
        sender = self.shard_of(account).parts.sender
        return await sender.send(account, to, *messages, channel=channel, at=at, key=key)

    async def signal(self, to: ThreadRef, name: str, data: object = None, *, key: str | None = None) -> str:
        """Tell a conversation what happened outside; returns the key of the event once it is stored.

        It has its turn in the conversation's order, and answers a dialog that waits for its `name`: see Dialog.wait.
        Under a `key` an account takes it once.

        Raises:
            HandlerError: the name, the data or the key cannot be kept.
            NoThread: the conversation has not begun.
            KeyTaken: another signal came under the key before.
            StoreError: it is not stored.
        """
        return await self.shard_of(to.account).parts.signals.send(to, name, data, key=key)

    async def fetch(self, sql: str, *parameters: object) -> list[Record]:
        """The rows that a SELECT finds in the bot's own tables; see Turn.fetch. Raises HandlerError."""
        return await self.store.fetch(sql, parameters)

    def override(self, dependency: Callable[..., object], fake: Callable[..., object]) -> Override:
        """In tests: see Router.override; here for every handler of the bridge, timers' too."""
        return self.router.override(dependency, fake)

    async def settle(self) -> None:
        """Return when no turn and no delivery runs; a later attempt does not count."""
        await self.parts.settle()

    def reread(self, letter: DeadLetter) -> Sequence[Arrival]:
        """A quarantined webhook, mapped anew.

        Raises:
            Unmappable: it is still not understood, or its account is gone.
        """
        return reread(self.config, self.router, self.clock, letter)

    def received(self, rows: Sequence[InboxRow]) -> None:
        """See store.Listener."""
        self.parts.dispatcher.offer(rows)

    def queued(self, rows: Sequence[OutboxRow]) -> None:
        """See store.Listener."""
        self.parts.delivery.offer(rows)

    def resolved(self, row_ids: Sequence[int]) -> None:
        """See store.Listener."""
        self.parts.delivery.resolve(row_ids)

    def fetchable(self) -> None:
        """See store.Listener."""
        if self.parts.fetching is not None:
            self.parts.fetching.look()

    def broadcasting(self) -> None:
        """See store.Listener."""
        self.parts.broadcasts.look()

    def timed(self, due_at: int) -> None:
        """See store.Listener."""
        self.parts.timers.set(due_at)

    def paused(self, account: str, reason: str, seconds: float) -> None:
        """See store.Listener."""
        self.parts.delivery.follow(account, reason, seconds)

    def uses(self) -> Mapping[str, Use]:
        """See store.Listener."""
        return self.parts.delivery.uses()

    def shared(self, processes: int, slots: Mapping[str, int]) -> None:
        """See store.Listener."""
        self.parts.delivery.share(processes, slots)

    def inherited(self, *, missed: bool) -> None:
        """See store.Listener."""
        self.parts.dispatcher.inherited(missed=missed)
        self.parts.delivery.inherited(missed=missed)
        self.parts.timers.inherited()
        self.fetchable()
        self.broadcasting()

    def changed(self, thread_ids: Collection[int]) -> None:
        """See store.Listener."""
        self.parts.broadcasts.changed(thread_ids)
        for tell in self.changes:
            tell(thread_ids)

    def broken(self, error: Exception) -> None:
        """See store.Listener: nothing may be acknowledged any more."""
        self.drain()
        log.critical("store_broken", reason=str(error))
        self.failed = error
        self.on_failure()
