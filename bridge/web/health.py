"""GET /health/live and /health/ready: for supervisors and load balancers, without details."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def add_health(app: web.Application, is_ready: Callable[[], Awaitable[bool]]) -> None:
    """`is_ready` says whether webhooks are taken right now."""

    async def live(_: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def ready(_: web.Request) -> web.Response:
        fine = await is_ready()
        return web.json_response({"ok": fine}, status=200 if fine else 503)

    app.router.add_get("/health/live", live)
    app.router.add_get("/health/ready", ready)
