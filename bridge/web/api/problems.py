"""Errors of the REST API as RFC 9457 has them: application/problem+json, in which nothing of the engine shows."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import orjson
from aiohttp import hdrs, web

from bridge.errors import BridgeError, HandlerError, KeyTaken, NoThread, StoreError, Unmappable, WebhookError
from bridge.log import kind_of, log
from bridge.web.refusals import busy, log_refusal, phrase_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aiohttp.typedefs import Middleware

    from bridge.web.refusals import Handler

PROBLEM: Final = "application/problem+json"
HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
TOLD: Final = frozenset({401, 403, 429, 500, 503})
"""What the log hears of. The rest is a matter of the program that asks."""


class Refusal(BridgeError):
    """A request that is not done. `detail` is for its sender, and `errors` are its places and reasons."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Say why."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}


def as_problems(peer_of: Callable[[web.BaseRequest], str | None]) -> Middleware:
    """A middleware: whatever goes wrong is answered as a problem. `peer_of` names the other end for the log."""

    @web.middleware
    async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except (asyncio.CancelledError, ConnectionResetError):
            raise
        except Exception as error:  # noqa: BLE001 - the last line of defence
            refusal = refusal_of(error)
        if refusal.status in TOLD:
            log_refusal(refusal.status, phrase_of(refusal.status).lower(), peer_of(request))
        return _response(refusal)

    return answered


def refusal_of(error: Exception) -> Refusal:
    """What to answer about whatever went wrong; the log hears of what is not the asker's fault."""
    match error:
        case Refusal():
            refusal = error
        case WebhookError():
            headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
            refusal = Refusal(error.status, error.reason, headers=headers)
        case web.HTTPException() if error.status >= HTTPStatus.BAD_REQUEST:
            allowed = {"Allow": error.headers[hdrs.ALLOW]} if hdrs.ALLOW in error.headers else {}
            refusal = Refusal(error.status, _DETAILS.get(error.status, ""), headers=allowed)
        case NoThread():
            refusal = Refusal(404, "there is no conversation of this id")
        case KeyTaken() | Unmappable():
            refusal = Refusal(409, str(error))
        case HandlerError():
            refusal = Refusal(422, str(error))
        case StoreError():
            log.error("request_failed", reason=kind_of(error))
            again = {"Retry-After": str(busy("").retry_after)}
            refusal = Refusal(503, "the store takes nothing right now", headers=again)
        case _:
            log.error("request_failed", reason=kind_of(error))
            refusal = Refusal(500, "internal error")
    return refusal


_DETAILS: Final = {
    404: "there is nothing at this path: see /api/v1/openapi.json",
    405: "this path takes other methods: see the header Allow",
}


def _response(refusal: Refusal) -> web.Response:
    phrase = phrase_of(refusal.status)
    problem = {"type": "about:blank", "title": phrase, "status": refusal.status, "detail": refusal.detail or phrase}
    if refusal.errors:
        problem["errors"] = list(refusal.errors)
    headers = {**HEADERS, **refusal.headers}
    body = orjson.dumps(problem)
    return web.Response(status=refusal.status, body=body, content_type=PROBLEM, headers=headers)
