"""Refusals: a clean answer without an echo of the request, and one line in the log."""

from __future__ import annotations

import asyncio
import random
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import orjson
from aiohttp import hdrs, web

from bridge.errors import WebhookError
from bridge.log import kind_of, log
from bridge.web.ack import SERVER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.typedefs import Middleware

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_RENAMED: Final = {413: "Content Too Large", 422: "Unprocessable Content"}
"""Python has these names from 3.13 on, and the ones of before until then."""


def phrase_of(status: int) -> str:
    """The name of a status as RFC 9110 has it in section 15, on every Python."""
    return _RENAMED.get(status) or HTTPStatus(status).phrase


def refusal(error: WebhookError) -> web.Response:
    """{"error": reason} with the error's status; nothing of the request is in it."""
    headers = {} if error.retry_after is None else {hdrs.RETRY_AFTER: str(error.retry_after)}
    return web.Response(
        status=error.status,
        body=orjson.dumps({"error": error.reason}),
        content_type="application/json",
        headers=headers,
    )


def refusal_bytes(status: int, reason: str, retry_after: int | None = None) -> bytes:
    """The same as the bytes of a whole answer, on a connection that stays open."""
    body = orjson.dumps({"error": reason})
    again = "" if retry_after is None else f"Retry-After: {retry_after}\r\n"
    head = (
        f"HTTP/1.1 {status} {phrase_of(status)}\r\nContent-Type: application/json\r\n{again}"
        f"Content-Length: {len(body)}\r\nDate: {formatdate(usegmt=True)}\r\nServer: {SERVER}\r\n\r\n"
    )
    return head.encode() + body


def busy(reason: str) -> WebhookError:
    """503, and when to come again."""
    return WebhookError(503, reason, retry_after=random.randint(5, 30))  # noqa: S311 - spreads the retries, no secret


def log_refusal(status: int, reason: str, peer: str | None, *, account: str | None = None) -> None:
    """Leave a line about a refused request, which the log limits. `reason` has nothing of the request."""
    about = {"account": account, "status": status, "reason": reason, "peer": peer}
    log.warning("request_refused", **{name: value for name, value in about.items() if value is not None})


def clean_errors(peer_of: Callable[[web.BaseRequest], str | None]) -> Middleware:
    """A middleware: whatever goes wrong is answered in JSON, says nothing of our insides, and leaves a line.

    `peer_of` names the other end of a request for the log.
    """

    @web.middleware
    async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except WebhookError as error:
            log_refusal(error.status, error.logged, peer_of(request))
            return refusal(error)
        except web.HTTPException as error:
            if error.status < 400:  # noqa: PLR2004 - redirects are answers
                raise
            log_refusal(error.status, error.reason.lower(), peer_of(request))
            answer = refusal(WebhookError(error.status, error.reason.lower()))
            if hdrs.ALLOW in error.headers:
                answer.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
            return answer
        except (asyncio.CancelledError, ConnectionResetError):
            raise
        except Exception as error:  # noqa: BLE001 - the last line of defence
            log.error("request_failed", reason=kind_of(error))
            return refusal(WebhookError(500, "internal error"))

    return answered
