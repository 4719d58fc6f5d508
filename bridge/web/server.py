"""The HTTP server itself: aiohttp's, limited in time, its refusals without an echo and one line long in the log."""

from __future__ import annotations

import gc
import logging
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from aiohttp import hdrs, web
from aiohttp.http_exceptions import LineTooLong

from bridge.errors import WebhookError
from bridge.log import log
from bridge.web.ack import SERVER
from bridge.web.limits import check_line
from bridge.web.peers import Peers, Shares
from bridge.web.refusals import log_refusal, refusal
from bridge.web.short_way import ShortWay
from bridge.web.whole_request import Heads

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp import StreamReader
    from aiohttp.web_protocol import RequestHandler

    from bridge.web.short_way import Door

    _Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

KEEPALIVE_SECONDS: Final = 15.0
"""How long a connection may be idle, and a request's head may take."""
DRAIN_SECONDS: Final = 10.0
WRITE_SECONDS: Final = 10.0
"""How long a peer may leave unread what it is answered, without reading any of it."""
_FRAMING: Final = 64 * 1024
_FRAME: Final = 8
"""Of a body in chunks, bytes that may frame it: so many, and so many more for each byte of it."""
CONNECTIONS: Final = 64
"""Of one peer, unless [limits] says otherwise."""


def runner_of(
    app: web.Application,
    *,
    keepalive: float = KEEPALIVE_SECONDS,
    peers: Peers | None = None,
    per_peer: int = CONNECTIONS,
    drain: float = DRAIN_SECONDS,
    doors: Mapping[str, Door] = MappingProxyType({}),
) -> web.AppRunner:
    """What serves `app`; `keepalive` and `drain` are in seconds, `per_peer` connections of each of `peers`.

    `doors` are the paths of `app` to which a short way leads.
    """
    return _Runner(
        app,
        peers or Peers(()),
        doors,
        Shares("connections", per_peer),
        access_log=None,
        keepalive_timeout=keepalive,
        lingering_time=1,
        shutdown_timeout=drain,
        handler_cancellation=False,
        auto_decompress=False,
        logger=_silent,
    )


def calm_collector() -> None:
    """Leave what the start has made to the end of the process, and look for cycles among the rest less often.

    A request makes hundreds of objects and hardly a cycle: at Python's own threshold the search cost a tenth of it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def name_server(_: web.Request, response: web.StreamResponse) -> None:
    """Say who answers, and nothing of what it is made of: for an application's on_response_prepare."""
    response.headers[hdrs.SERVER] = SERVER


class _Runner(web.AppRunner):
    """An AppRunner whose connections are ours: aiohttp has no other way to say how a broken request is answered."""

    def __init__(
        self,
        app: web.Application,
        peers: Peers,
        doors: Mapping[str, Door],
        shares: Shares,
        **settings: Any,  # noqa: ANN401 - as aiohttp has it
    ) -> None:
        super().__init__(app, **settings)
        self._peers = peers
        self._doors = doors
        self._shares = shares

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        server = _Server(
            _guarded(made.request_handler, self._peers),
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            loop=made._loop,  # noqa: SLF001 - as aiohttp itself hands it on
            **made._kwargs,  # noqa: SLF001 - the same
        )
        server.peers, server.doors, server.shares = self._peers, self._doors, self._shares
        server.heads = Heads(self._doors)
        return server


def _guarded(handler: _Handler, peers: Peers) -> _Handler:
    """The application, reached only by requests that are fit for it: what it does itself comes after routing."""

    async def guarded(request: web.BaseRequest) -> web.StreamResponse:
        try:
            check_line(request)
        except WebhookError as error:
            log_refusal(error.status, error.logged, peers.named(request))
            return _last(error)
        return await handler(request)

    return guarded


def _last(error: WebhookError) -> web.Response:
    """The last answer of a connection."""
    answer = refusal(error)
    answer.headers[hdrs.SERVER] = SERVER
    answer.force_close()
    return answer


class _Server(web.Server):
    peers: Peers
    doors: Mapping[str, Door]
    heads: Heads[Door]
    shares: Shares

    def __call__(self) -> RequestHandler:
        return Connection(self, loop=self._loop, **self._kwargs)


class Connection(ShortWay):
    """One connection. What cannot be read as HTTP is refused without an echo, and the connection closed."""

    __slots__ = ("_begun", "_body", "_came", "_ending", "_host", "_peer", "_shares", "_unread", "overframed")

    def __init__(self, server: _Server, **settings: Any) -> None:  # noqa: ANN401 - as aiohttp has it
        super().__init__(server, server.doors, server.heads, **settings)
        self._shares: Shares | None = None
        self._peer: str | None = None
        self._host: str | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._ending = False
        self._begun = False
        """Whether the beginning of a request is here, and not its whole head."""
        self._body: StreamReader | None = None
        self.overframed: StreamReader | None = None
        """The last body with too much around it: limits.read_raw refuses it once it is here."""
        self._came = 0

    def parse(self, data: bytes) -> None:
        """See ShortWay. Notes a body whose frames take far more than itself, as extensions of chunks may."""
        was_held = self._held
        super().parse(data)
        body: StreamReader | None = None
        if self._messages:
            body = self._messages[-1][1]
        elif self._current_request is not None:
            body = self._current_request.content
        if data:
            self._begun = body is None and self._held is was_held  # else a whole one went the short way
        if body is None or body.is_eof():
            return
        if body is not self._body:  # what came with its beginning may be of the requests before it
            self._body, self._came = body, 0
            return
        self._came += len(data)
        if self._came > _FRAMING + _FRAME * body.total_bytes:
            self.overframed = body

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio. One connection more than the peer's share hears so at once, whatever it wants."""
        server = self._manager
        assert isinstance(server, _Server)
        self._host = _host_of(transport)
        peer = server.peers.connected(self._host)
        if server.shares.take(peer):
            self._shares, self._peer = server.shares, peer
            super().connection_made(transport)
            return
        self.force_close()
        stream = cast("asyncio.Transport", transport)  # uvloop's is one by its methods only
        stream.write(_TOO_MANY)
        stream.close()

    def give_away(self, give: Callable[[int], bool]) -> bool:
        """Let go of the connection, if no request is on it and `give` takes its descriptor; whether it is gone.

        Bytes that came and are not read yet go with it, and the peer sees nothing of it.
        """
        stream = self.transport
        is_idle = self._waiter is not None and not (self._waiter.done() or self._messages or self._begun or self._early)
        if stream is None or stream.is_closing() or not is_idle or stream.get_write_buffer_size():
            return False
        if not give(stream.get_extra_info("socket").fileno()):
            return False
        stream.abort()
        return True

    def refuse(self) -> None:
        """End a connection at once: a request whose answer has not begun is refused with 503, and comes again."""
        stream, request = self.transport, self._current_request
        if stream is None or stream.is_closing():
            return
        is_asked = self._begun or bool(self._messages) if request is None else not request.writer.output_size
        if is_asked:
            stream.write(_LEAVING)
        stream.close()

    def pause_writing(self) -> None:
        """See asyncio: the peer does not read. It is given time, and none once the server ends."""
        super().pause_writing()
        self._watch_reading(-1)

    def resume_writing(self) -> None:
        """See asyncio."""
        if self._unread is not None:
            self._unread.cancel()
        super().resume_writing()

    def _watch_reading(self, before: int) -> None:
        """Close a connection on which as much is unread as `before`, or more."""
        if self.transport is None:
            return
        unread = self.transport.get_write_buffer_size()
        if self._ending or 0 <= before <= unread:
            self.transport.abort()
        else:
            self._unread = self._loop.call_later(WRITE_SECONDS, self._watch_reading, unread)

    async def shutdown(self, timeout: float | None = DRAIN_SECONDS) -> None:  # noqa: ASYNC109 - as aiohttp has it
        """See aiohttp. An answer that the peer does not read holds up no end."""
        self._ending = True
        if self.writing_paused:
            self._watch_reading(-1)
        await super().shutdown(timeout)

    def connection_lost(self, exc: BaseException | None) -> None:
        """See asyncio."""
        if self._unread is not None:
            self._unread.cancel()
        if self._shares is not None:
            self._shares.give_back(self._peer)
            self._shares = None
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it repeats what came in
    ) -> web.StreamResponse:
        """See aiohttp; called for requests that are none, and for what no middleware caught."""
        kind = "" if exc is None else type(exc).__name__
        log_refusal(status, f"not HTTP: {kind}" if status == 400 else kind, self._host)  # noqa: PLR2004
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        return _last(WebhookError(status, _unread(kind) if status == 400 else "internal error"))  # noqa: PLR2004

    def log_exception(self, *args: Any, **kw: Any) -> None:  # noqa: ANN401 - as aiohttp has it
        """One line and no traceback: what a peer can cause must not fill the disk."""
        error = kw.get("exc_info")
        log.error("connection_failed", reason=type(error).__name__ if error else str(args[0]))


def _unread(kind: str) -> str:
    """Why a request could not be read."""
    if kind == LineTooLong.__name__:
        return "the request line or a header is longer than 8,190 bytes"
    return "not HTTP/1.1"


def _host_of(transport: asyncio.BaseTransport) -> str | None:
    """The other end's address; None where it has none, as on a unix socket."""
    name = transport.get_extra_info("peername")
    return str(name[0]) if isinstance(name, tuple) else None


def _unavailable(reason: str, seconds: int) -> bytes:
    """An answer to a request that nobody has read."""
    body = b'{"error":"%b"}' % reason.encode()
    return (
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: %d\r\n"
        b"Connection: close\r\nServer: %b\r\nContent-Length: %d\r\n\r\n%b" % (seconds, SERVER.encode(), len(body), body)
    )


_TOO_MANY: Final = _unavailable("too many connections", 15)
_LEAVING: Final = _unavailable("shutting down", 1)
_silent: Final = logging.getLogger("threadbridge.http")
"""What aiohttp's server logs beside `log_exception`: silent unless a handler is added to this name."""
_silent.addHandler(logging.NullHandler())
_silent.propagate = False
