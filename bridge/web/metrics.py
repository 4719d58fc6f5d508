"""GET /metrics: for Prometheus on this machine, or with the token."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from bridge.errors import WebhookError
from bridge.web.refusals import log_refusal, refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bridge.web.peers import Peers

_BEARER: Final = "bearer"


def add_metrics(
    app: web.Application, scrape: Callable[[str], Awaitable[tuple[bytes, str]]], peers: Peers, token: str | None
) -> None:
    """`scrape` takes an Accept header, and gives the metrics with their content type; without `token` none opens."""

    async def answer(request: web.Request) -> web.Response:
        if not peers.is_here(request) and not _has(request, token):
            log_refusal(401, "metrics are for this machine, or want [telemetry] token", peers.named(request))
            refused = refusal(WebhookError(401, "metrics are for this machine, or want a token"))
            refused.headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
            return refused
        body, content_type = await scrape(request.headers.get(hdrs.ACCEPT, ""))
        return web.Response(body=body, headers={hdrs.CONTENT_TYPE: content_type, hdrs.CACHE_CONTROL: "no-store"})

    app.router.add_get("/metrics", answer)


def _has(request: web.Request, token: str | None) -> bool:
    scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if token is None or scheme.lower() != _BEARER:
        return False
    return hmac.compare_digest(given.strip().encode(errors="surrogateescape"), token.encode())
