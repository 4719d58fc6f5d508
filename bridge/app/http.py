"""The bridge as an aiohttp application: routes, probes, and the way of a webhook to its account."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import structlog
from aiohttp import web

from bridge.app.console import add_playground, names_of, playground_of
from bridge.app.control import controlled
from bridge.app.telemetry import Telemetry
from bridge.config.load import Config, as_config
from bridge.log import configure_logs
from bridge.providers.signatures import PathAuth
from bridge.units import is_loopback
from bridge.web.health import add_health
from bridge.web.media import add_media
from bridge.web.refusals import clean_errors
from bridge.web.server import KEEPALIVE_SECONDS, name_server, runner_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
    from pathlib import Path

    from bridge.clock import Clock
    from bridge.routing.router import Router
    from bridge.web.short_way import Door

    _Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
    _Expect = Callable[[web.Request], Awaitable[web.StreamResponse | None]]
from bridge.app.bridge import Bridge
from bridge.app.shards import bridge_of

_AS_JSON: Final = {"json": True, "text": False, "auto": None}
_TAILS: Final = ("", "/{first}", "/{first}/{second}")


BRIDGE: Final[web.AppKey[Bridge]] = web.AppKey("bridge", Bridge)
"""Where an application keeps its bridge."""
_TELEMETRY: Final[web.AppKey[Telemetry]] = web.AppKey("telemetry", Telemetry)
_DOORS: Final[web.AppKey[dict[str, Door]]] = web.AppKey("doors", dict)
"""Where it keeps the doors to which a short way leads, by their paths, once they are open."""


def create_app(
    config: Config | Mapping[str, Any] | Path | str, *, router: Router | None = None, clock: Clock | None = None
) -> web.Application:
    """The whole bridge as a plain aiohttp application; it starts and stops with it.

    `config` is a Config, a dict of what threadbridge.toml would hold, or the path of that file. `router` takes the
    place of the handlers that the configuration loads.

    Raises:
        ConfigError: the configuration cannot be used; one line for each reason.
    """
    return _app_of(bridge_of(as_config(config), router=router, clock=clock), any_port=True)


def runner_for(bridge: Bridge, *, keepalive: float = KEEPALIVE_SECONDS) -> web.AppRunner:
    """The server of `bridge`, which starts and stops with it; `keepalive` is in seconds."""
    app = _app_of(bridge)
    per_peer = bridge.config.limits.connections_per_peer
    doors = app[_DOORS]
    return runner_of(app, keepalive=keepalive, peers=bridge.peers, per_peer=per_peer, doors=doors)


def set_up_logs(config: Config, worker: int | None = None) -> None:
    """Log as the configuration says; each line names the worker, if this is one of several."""
    wanted = config.log
    configure_logs(level=wanted.level, as_json=_AS_JSON[wanted.format], show_errors=wanted.show_errors, worker=worker)


def _app_of(bridge: Bridge, *, any_port: bool = False) -> web.Application:
    """The application of `bridge`; on `any_port` where somebody else's server has it."""
    if not structlog.is_configured():
        set_up_logs(bridge.config)
    app = web.Application(middlewares=[clean_errors(bridge.peers.named)], client_max_size=bridge.config.limits.body)
    app[BRIDGE] = bridge
    app[_DOORS] = {}
    app.cleanup_ctx.append(_running)
    app.on_response_prepare.append(name_server)
    add_health(app, bridge.takes_webhooks)
    app[_TELEMETRY] = Telemetry(bridge)
    app[_TELEMETRY].serve(app)
    if bridge.config.media.store is not None:
        add_media(app, bridge.served)
    for segments in _known_paths(bridge.config):
        answer, expect = _answer_at(segments)
        app.router.add_post(_known_path(segments), answer, expect_handler=expect)
    for tail in _TAILS:
        app.router.add_post(f"/webhooks/{{account}}{tail}", _answer, expect_handler=_expect)
    if bridge.config.api.tokens:
        from bridge.app.api import add_rest  # noqa: PLC0415 - its models take as long as the rest of the start

        add_rest(app, bridge)
    _add_console(app, bridge, names_of(bridge.config.server, any_port=any_port))
    return app


def _add_console(app: web.Application, bridge: Bridge, hosts: frozenset[str]) -> None:
    """The operator's console, if it is wanted; and on this machine the playground, which has /console itself."""
    is_here, console = is_loopback(bridge.config.server.host), bridge.config.console
    playground = playground_of(bridge.config) if is_here else None
    has_inbox = console.password is not None or (is_here and bridge.config.console_is_open)
    if has_inbox:
        from bridge.app.operator import add_desk  # noqa: PLC0415 - it takes as long as the rest of the start

        add_desk(app, bridge, app[_TELEMETRY].figures(), hosts=hosts, serves_playground=playground is not None)
    if playground is not None:
        add_playground(app, bridge, playground, hosts, has_inbox=has_inbox)


def _known_paths(config: Config) -> Iterator[tuple[str, ...]]:
    """The doors whose whole path is known: aiohttp finds those in a table, and tries patterns only for the rest.

    Where the path holds a secret, the bare name has to take as long as a name that is none.
    """
    for name, account in config.accounts.items():
        if isinstance(account.inbound, PathAuth):
            continue
        yield (name,)
        for channel in account.provider.channels or ():
            yield name, channel


def _known_path(segments: tuple[str, ...]) -> str:
    return "/".join(("/webhooks", *map(quote, segments)))


def _answer_at(path: tuple[str, ...]) -> tuple[_Answer, _Expect]:
    async def answer(request: web.Request) -> web.StreamResponse:
        return await request.app[BRIDGE].shard_of(path[0]).webhooks.answer(request, path)

    async def expect(request: web.Request) -> web.StreamResponse | None:
        return await request.app[BRIDGE].shard_of(path[0]).webhooks.expect(request, path)

    return answer, expect


async def _answer(request: web.Request) -> web.StreamResponse:
    path = _path_of(request)
    return await request.app[BRIDGE].shard_of(path[0]).webhooks.answer(request, path)


async def _expect(request: web.Request) -> web.StreamResponse | None:
    path = _path_of(request)
    return await request.app[BRIDGE].shard_of(path[0]).webhooks.expect(request, path)


def _path_of(request: web.Request) -> tuple[str, ...]:
    names = request.match_info
    return tuple(names[name] for name in ("account", "first", "second") if name in names)


async def _running(app: web.Application) -> AsyncIterator[None]:
    bridge = app[BRIDGE]
    await bridge.start()
    for segments in _known_paths(bridge.config):
        app[_DOORS][_known_path(segments)] = bridge.shard_of(segments[0]).webhooks.short_way(segments)
    try:
        async with AsyncExitStack() as controls:
            for shard in bridge.shards:
                await controls.enter_async_context(controlled(shard))
            await controls.enter_async_context(app[_TELEMETRY].watching())
            yield
    finally:
        await bridge.stop()
        await app[_TELEMETRY].close()
