"""The console's routes, as a sub-application of their own so that its rules bind no other route."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from aiohttp import web

from bridge.errors import WebhookError
from bridge.web.console.guard import add_headers, from_own_page, guard
from bridge.web.console.pages import console_page, static_files
from bridge.web.console.stream import HEARTBEAT, Streams
from bridge.web.limits import check_head, read_body

if TYPE_CHECKING:
    from bridge.web.console.backend import Backend

BODY_LIMIT: Final = 64 * 1024
"""Bytes of one POST."""
NAME_LIMIT: Final = 200
"""Characters of a conversation id."""


def add_console(
    app: web.Application,
    backend: Backend,
    *,
    account: str,
    hosts: frozenset[str],
    heartbeat: float = HEARTBEAT,
    has_inbox: bool = False,
) -> None:
    """Serve the console of one playground account under /console. `has_inbox`: beside it is that of the operator.

    `hosts` are the names it may be reached by (guard.py); `heartbeat` is in seconds. It has no login: who may reach
    it may use it, so the caller mounts it on loopback only. Its refusals are for `app`'s clean_errors to answer.
    """
    console = web.Application(middlewares=[guard(hosts)], client_max_size=BODY_LIMIT)
    console.on_response_prepare.append(add_headers)
    routes = _Routes(backend, account, heartbeat, has_inbox=has_inbox)
    console.on_shutdown.append(routes.stop)
    console.router.add_get("", routes.page)
    console.router.add_get("/", routes.page)
    console.router.add_get("/static/{name}", routes.static)
    console.router.add_get("/stream", routes.stream, allow_head=False)
    console.router.add_post("/say", routes.say)
    app.add_subapp("/console", console)


class _Routes:
    def __init__(self, backend: Backend, account: str, heartbeat: float, *, has_inbox: bool) -> None:
        self._has_inbox = has_inbox
        self._backend = backend
        self._account = account
        self._streams = Streams(backend, account, heartbeat)
        self._static = static_files()

    async def page(self, request: web.Request) -> web.Response:
        latest = await self._backend.conversations(self._account, limit=1)
        conversation = latest[0].ref.conversation_id if latest else ""
        below = "" if request.path.endswith("/") else f"{request.path.rpartition('/')[2]}/"
        page = console_page(self._account, conversation, below, has_inbox=self._has_inbox)
        return web.Response(text=page, content_type="text/html")

    async def static(self, request: web.Request) -> web.Response:
        found = self._static.get(request.match_info["name"])
        if found is None:
            raise WebhookError(404, "no such file")
        content, content_type = found
        return web.Response(body=content, headers={"Content-Type": content_type})

    async def stream(self, request: web.Request) -> web.StreamResponse:
        from_own_page(request)
        conversation = request.query.get("conversation", "")
        if not 0 < len(conversation) <= NAME_LIMIT or "\0" in conversation:
            raise WebhookError(400, f"conversation: 1 to {NAME_LIMIT} characters")
        after = request.headers.get("Last-Event-ID") or request.query.get("after") or "0"
        if not re.fullmatch(r"[0-9]{1,18}", after):
            raise WebhookError(400, "after: a position")
        return await self._streams.serve(request, conversation, int(after))

    async def say(self, request: web.Request) -> web.Response:
        from_own_page(request)
        check_head(request, BODY_LIMIT)
        await self._backend.say(self._account, await read_body(request, BODY_LIMIT))
        return web.json_response({"ok": True})

    async def stop(self, _app: web.Application) -> None:
        self._streams.close()
