"""Only the console's own page, under its own name, may speak to the console.

A page elsewhere can point a name of its own at this machine (DNS rebinding): its Host gives it away. It can also post
here across sites: its Origin and Sec-Fetch-Site give it away, and the JSON content type keeps plain forms out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aiohttp import web

from bridge.errors import StoreError, WebhookError
from bridge.units import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler, Middleware

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https:; media-src https:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""On every answer, errors and static files included. Pictures and sound that a bot sends come over https only."""


def guard(hosts: frozenset[str]) -> Middleware:
    """A middleware that lets in requests to one of `hosts`.

    A member of `hosts` is a name ("localhost": any port) or a name with its port ("localhost:8080").
    Its WebhookError is 421 for another Host, 403 for another machine or Origin, 503 when the store cannot be reached.
    """
    known = frozenset(host.lower() for host in hosts)

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        check_peer(request)
        check_host(request, known)
        _check_origin(request)
        try:
            return await handler(request)
        except StoreError:
            raise WebhookError(503, "the store cannot be reached", retry_after=1) from None

    return guarded


def from_own_page(request: web.Request) -> None:
    """Refuse what a browser says comes from somewhere else. Raises WebhookError 403."""
    if request.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
        raise WebhookError(403, "only the console's own page may do this")


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Put HEADERS on an answer (an `on_response_prepare` signal)."""
    response.headers.update(HEADERS)


def check_peer(request: web.Request) -> None:
    """Refuse another machine: without a login, anyone who reaches the port can make up a Host. Raises WebhookError."""
    if request.remote and not is_loopback(request.remote.removeprefix("::ffff:")):
        raise WebhookError(403, "the console is served to this machine only")


def check_host(request: web.Request, known: frozenset[str]) -> None:
    """Refuse another name than one of `known`, lower case. Raises WebhookError 421."""
    given = [host.lower() for host in request.headers.getall("Host", [])]
    if len(given) != 1 or not known & {given[0], _without_port(given[0])}:
        raise WebhookError(421, "the console is not served under this name")


def _check_origin(request: web.Request) -> None:
    for origin in request.headers.getall("Origin", []):
        try:
            parts = urlsplit(origin.lower())
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or parts.netloc != request.headers["Host"].lower():
            raise WebhookError(403, "only the console's own page may do this")


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host
