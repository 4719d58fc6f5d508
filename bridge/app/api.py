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

    def backends() -> list[Backend]:
        return [_backend_of(shard) for shard in bridge.shards]

    limit, peer_of = bridge.config.limits.body, bridge.peers.named
    add_api(app, bridge.config.api, backends, bridge.clock, limit=limit, peer_of=peer_of)


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
    )
