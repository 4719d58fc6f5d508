"""The operator's console of a bridge, over however many databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.app.api import backends_of
from bridge.web.operator.live import Live
from bridge.web.operator.routes import add_operator

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from aiohttp import web

    from bridge.app.bridge import Bridge
    from bridge.telemetry.recent import Recent


def add_desk(
    app: web.Application, bridge: Bridge, figures: Recent, *, hosts: frozenset[str], serves_playground: bool
) -> None:
    """Serve the console; `hosts` are the names of this machine, and `serves_playground` says what /console is."""
    config = bridge.config
    live = Live(is_shared=config.storage.is_shared)
    for shard in bridge.shards:
        shard.changes.append(_teller(bridge, shard, live))
    figures.heard.append(live.tell_figures)
    add_operator(
        app,
        config,
        lambda: backends_of(bridge),
        bridge.clock,
        live,
        figures,
        peer_of=bridge.peers.named,
        hosts=hosts,
        serves_playground=serves_playground,
    )


def _teller(bridge: Bridge, shard: Bridge, live: Live) -> Callable[[Collection[int]], None]:
    """Tells pages of changes, by the ids that threads have in the API."""

    def tell(thread_ids: Collection[int]) -> None:
        if len(bridge.shards) == 1:
            live.tell(map(str, thread_ids))
            return
        store = shard.parts.store
        known = [(number, store.peek(number)) for number in thread_ids]
        live.tell(f"{thread.ref.account}:{number}" for number, thread in known if thread is not None)

    return tell
