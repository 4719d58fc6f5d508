"""The REST API of a bridge, over however many databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.web.api.backend import Backend
from bridge.web.api.routes import add_api

if TYPE_CHECKING:
    from aiohttp import web

    from bridge.app.bridge import Bridge


def add_rest(app: web.Application, bridge: Bridge) -> None:
    """Serve the API for the tokens of [api]."""
    limit, peer_of = bridge.config.limits.body, bridge.peers.named
    add_api(app, bridge.config.api, lambda: backends_of(bridge), bridge.clock, limit=limit, peer_of=peer_of)


def backends_of(bridge: Bridge) -> list[Backend]:
    """What operations act on, of a bridge that has started."""
    return [_backend_of(shard) for shard in bridge.shards]


def _backend_of(shard: Bridge) -> Backend:
    parts = shard.parts
    return Backend(
        accounts=shard.config.accounts,
        store=parts.store,
        sender=parts.sender,
        composer=parts.composer,
        letters=parts.letters,
        handoffs=parts.handoffs,
        signals=parts.signals,
        jobs=parts.jobs,
    )
