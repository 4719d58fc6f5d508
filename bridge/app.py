"""Starts and stops everything, in order: the whole bridge as an aiohttp application, and as a server of its own."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import structlog
from aiohttp import web

from bridge import rounds
from bridge.arrivals import arrivals_of
from bridge.backoff import Backoff
from bridge.client import Client, Http, Transport, open_session
from bridge.clock import SystemClock
from bridge.config import Config, as_config
from bridge.control import socket_path, start_control
from bridge.delivery import AccountDelivery, Delivery, Tools
from bridge.dispatcher import Dispatcher, Rules
from bridge.errors import Broken, Unmappable
from bridge.handoff import Handoffs
from bridge.letters import Letters
from bridge.loading import load_routers
from bridge.providers.fields import is_loopback
from bridge.providers.port import Webhook
from bridge.router import Router, combine
from bridge.stores import open_store
from bridge.telemetry import configure_logs, finish_logs, log
from bridge.timers import Timers
from bridge.watchdog import Watchdog
from bridge.web.health import add_health
from bridge.web.limits import clean_errors
from bridge.web.peers import Bodies, Peers
from bridge.web.playground import add_playground
from bridge.web.server import DRAIN_SECONDS, KEEPALIVE_SECONDS, calm_collector, name_server, runner_of
from bridge.web.strict_json import read_object
from bridge.web.webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from bridge.clock import Clock
    from bridge.depends import Override
    from bridge.store import Arrival, DeadLetter, InboxRow, OutboxRow, Store

_FORCED: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What a bridge meets outside of itself, beside the clock; a simulation passes in its own.

    `watched`: a thread looks for code that blocks the loop. `is_near`: whether an address is never limited.
    """

    open_store: Callable[[str], Awaitable[Store]] = open_store
    open_transport: Callable[[], Transport] = lambda: Http(open_session())
    rng: random.Random = field(default_factory=random.SystemRandom)
    watched: bool = True
    is_near: Callable[[str], bool] = is_loopback


class Bridge:
    """One running bridge: the parts, and who tells whom what was committed."""

    def __init__(
        self,
        config: Config,
        *,
        router: Router | None = None,
        clock: Clock | None = None,
        outside: Outside | None = None,
    ) -> None:
        """Load the handlers; nothing runs until `start`.

        Raises:
            ConfigError: a handler cannot be loaded.
            HandlerError: handlers do not go together, or one names a model of the state that it would not see.
        """
        self.config = config
        self.clock = clock or SystemClock()
        self._outside = outside or Outside()
        self.peers = Peers(config.server.trusted_proxies, is_near=self._outside.is_near)
        self.router = router or combine(load_routers(config.handlers.load, config.folder, file=config.file))
        self.router.rules.check_models()
        self.changes: list[Callable[[Collection[int]], None]] = []
        """Called with the ids of threads in which there is something new to see."""
        self.failed: Exception | None = None
        """Why the store is broken, if it is."""
        self.on_failure: Callable[[], None] = lambda: None
        self.ready = False
        self.store: Store
        self.dispatcher: Dispatcher
        self.delivery: Delivery
        self.webhooks: Webhooks
        self.letters: Letters
        self.handoffs: Handoffs
        self.timers: Timers
        self.rounds: rounds.Rounds

    async def start(self) -> None:
        """Open the store and take up what waits in it."""
        config, outside = self.config, self._outside
        rng = outside.rng
        self.store = await outside.open_store(config.storage.url)
        self._transport = outside.open_transport()
        rules = Rules(
            router=self.router,
            timeout=config.handlers.timeout,
            backoff=Backoff(attempts=config.handlers.attempts),
            slow_concurrency=config.handlers.slow_concurrency,
            return_after=config.handlers.return_after or None,
        )
        self.dispatcher = Dispatcher(
            self.store, config.accounts, rules, self.clock, rng, concurrency=config.handlers.concurrency
        )
        backoff = Backoff(attempts=config.delivery.attempts, give_up_after=config.delivery.give_up_after)
        clients = [
            (account, Client(account.provider, account.settings, self._transport, self.clock))
            for account in config.accounts.values()
        ]
        tools = Tools(store=self.store, clock=self.clock, rng=rng, backoff=backoff)
        self.delivery = Delivery(
            [
                AccountDelivery(account, client, tools, concurrency=config.delivery.concurrency)
                for account, client in clients
            ],
            list(config.accounts),
        )
        asking = rounds.Tools(store=self.store, clock=self.clock, rng=rng, wants=self.router.wants)
        self.rounds = rounds.Rounds(clients, asking)
        self.webhooks = Webhooks(
            config.accounts,
            self.store,
            self.router.wants,
            self.clock,
            limit=config.limits.body,
            bodies=Bodies(self.peers, per_peer=config.limits.bodies_per_peer),
        )
        self.timers = Timers(self.store, self.clock)
        self.letters = Letters(self.store, self.reread, self.clock)
        self.handoffs = Handoffs(self.store, self.clock)
        self._watchdog = Watchdog()
        if outside.watched:
            self._watchdog.start()
        self.store.listen(self)
        try:
            await self.delivery.start()
            await self.dispatcher.start()
        except BaseException:
            await self.stop()
            raise
        self.timers.start()
        self.rounds.start()
        self.ready = True

    def drain(self) -> None:
        """Take nothing new; also while it is still starting."""
        self.ready = False
        if hasattr(self, "webhooks"):
            self.webhooks.draining = True

    async def stop(self) -> None:
        """Take nothing new, finish what runs (10 s), write what is to be written."""
        self.drain()
        await self.rounds.stop()
        await self.timers.stop()
        loop = asyncio.get_running_loop()
        until = loop.time() + DRAIN_SECONDS
        await self.dispatcher.lanes.stop(DRAIN_SECONDS)
        await self.delivery.stop(max(until - loop.time(), 0))
        self._watchdog.stop()
        await self._transport.close()
        await self.store.close()

    def override(self, dependency: Callable[..., object], fake: Callable[..., object]) -> Override:
        """In tests: see Router.override; here for every handler of the bridge, timers' too."""
        return self.router.override(dependency, fake)

    async def settle(self) -> None:
        """Return when nothing is being handled or sent; what waits for a later attempt does not count."""
        await self.timers.settle()
        await self.dispatcher.lanes.settle()
        await self.delivery.settle()

    def reread(self, letter: DeadLetter) -> Sequence[Arrival]:
        """A quarantined webhook, mapped anew.

        Raises:
            Unmappable: it is still not understood, or its account is gone.
        """
        return reread(self.config, self.router, self.clock, letter)

    def received(self, rows: Sequence[InboxRow]) -> None:
        """See store.Listener."""
        self.dispatcher.offer(rows)

    def queued(self, rows: Sequence[OutboxRow]) -> None:
        """See store.Listener."""
        self.delivery.offer(rows)

    def resolved(self, row_ids: Sequence[int]) -> None:
        """See store.Listener."""
        self.delivery.resolve(row_ids)

    def timed(self, due_at: int) -> None:
        """See store.Listener."""
        self.timers.set(due_at)

    def changed(self, thread_ids: Collection[int]) -> None:
        """See store.Listener."""
        for tell in self.changes:
            tell(thread_ids)

    def broken(self, error: Exception) -> None:
        """See store.Listener: nothing may be acknowledged any more."""
        self.drain()
        log.critical("store_broken", reason=str(error))
        self.failed = error
        self.on_failure()


def reread(config: Config, router: Router, clock: Clock, letter: DeadLetter) -> Sequence[Arrival]:
    """A quarantined webhook as the providers of this configuration understand it now.

    Raises:
        Unmappable: they still do not, or its account is gone.
    """
    account = config.accounts.get(letter.account)
    if account is None:
        raise Unmappable(f"the account {letter.account} is not configured")
    body = letter.content
    webhook = Webhook(channel=letter.channel, body=body, json=read_object(body), received_at=clock.now())
    arrivals = arrivals_of(account.name, account.provider, webhook, router.wants)
    for arrival in arrivals:
        if arrival.state == "quarantined":
            raise Unmappable(arrival.reason)
    return arrivals


_TAILS: Final = ("", "/{first}", "/{first}/{second}")

BRIDGE: Final[web.AppKey[Bridge]] = web.AppKey("bridge", Bridge)
"""Where an application keeps its bridge."""


def create_app(
    config: Config | Mapping[str, Any] | Path | str, *, router: Router | None = None, clock: Clock | None = None
) -> web.Application:
    """The whole bridge as a plain aiohttp application; it starts and stops with it.

    `config` is a Config, a dict of what threadbridge.toml would hold, or the path of that file. `router` takes the
    place of the handlers that the configuration loads.

    Raises:
        ConfigError: the configuration cannot be used; one line for each reason.
    """
    return _app_of(Bridge(as_config(config), router=router, clock=clock))


def runner_for(bridge: Bridge, *, keepalive: float = KEEPALIVE_SECONDS) -> web.AppRunner:
    """The server of `bridge`, which starts and stops with it; `keepalive` is in seconds."""
    per_peer = bridge.config.limits.connections_per_peer
    return runner_of(_app_of(bridge), keepalive=keepalive, peers=bridge.peers, per_peer=per_peer)


def _app_of(bridge: Bridge) -> web.Application:
    if not structlog.is_configured():
        configure_logs()
    app = web.Application(middlewares=[clean_errors], client_max_size=bridge.config.limits.body)
    app[BRIDGE] = bridge
    app.cleanup_ctx.append(_running)
    app.on_response_prepare.append(name_server)
    add_health(app, lambda: app[BRIDGE].ready)
    for segments in _known_paths(bridge.config):
        app.router.add_post(
            "/".join(("/webhooks", *map(quote, segments))), _answer_at(segments), expect_handler=_expect
        )
    for tail in _TAILS:
        app.router.add_post(f"/webhooks/{{account}}{tail}", _answer, expect_handler=_expect)
    if is_loopback(bridge.config.server.host):
        add_playground(app, bridge)
    return app


def _known_paths(config: Config) -> Iterator[tuple[str, ...]]:
    """The doors whose whole path is known: aiohttp finds those in a table, and tries patterns only for the rest."""
    for name, account in config.accounts.items():
        yield (name,)
        for channel in account.provider.channels or ():
            yield name, channel


def _answer_at(path: tuple[str, ...]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        return await request.app[BRIDGE].webhooks.answer(request, path)

    return answer


async def _answer(request: web.Request) -> web.StreamResponse:
    names = request.match_info
    path = tuple(names[name] for name in ("account", "first", "second") if name in names)
    return await request.app[BRIDGE].webhooks.answer(request, path)


async def _expect(request: web.Request) -> web.StreamResponse | None:
    return await request.app[BRIDGE].webhooks.expect(request)


async def _running(app: web.Application) -> AsyncIterator[None]:
    bridge = app[BRIDGE]
    await bridge.start()
    yield
    await bridge.stop()


async def serve(config: Config, *, ready: Callable[[], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second signal exits at once.

    Raises:
        ConfigError, StoreInUse, NewerSchema, Unavailable: it cannot start.
        OSError: the address cannot be had.
        Broken: the store failed while it ran.
    """
    bridge = Bridge(config)
    runner = runner_for(bridge)
    stopping: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    _watch_signals(bridge, stopping)
    await runner.setup()
    control: web.AppRunner | None = None
    try:
        if (file := config.storage.file) is not None:
            control = await start_control(socket_path(file), bridge.letters, bridge.handoffs)
        await web.TCPSite(runner, config.server.host, config.server.port, backlog=512).start()
        log.info("serving", url=config.server.local_url, pid=os.getpid())
        calm_collector()
        if ready is not None:
            ready()
        await stopping
        if bridge.failed is not None:
            raise Broken(str(bridge.failed))
    finally:
        if control is not None:
            await control.cleanup()
        await runner.cleanup()
        log.info("stopped", pid=os.getpid())
        finish_logs()


def _watch_signals(bridge: Bridge, stopping: asyncio.Future[None]) -> None:
    """The first signal drains, the second one does not wait."""

    def stop(number: int) -> None:
        if stopping.done():
            os._exit(_FORCED)
        stopping.set_result(None)
        bridge.drain()
        log.info("stopping", signal=signal.Signals(number).name)

    def fail() -> None:
        if not stopping.done():
            stopping.set_result(None)

    bridge.on_failure = fail
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
