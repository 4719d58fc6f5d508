"""The short way of a webhook that comes whole to a door whose path is known.

Everything else goes the way of any request. Both ways lead to the same `Door`, and give the same answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.helpers import HeadersMixin
from aiohttp.http_parser import RawRequestMessage

from bridge.frozen import dataclass
from bridge.log import kind_of, log
from bridge.web.refusals import refusal_bytes
from bridge.web.whole_request import Head

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Mapping

    from multidict import CIMultiDictProxy

    from bridge.web.whole_request import Heads

    Door = Callable[["ShortRequest"], Awaitable[bytes]]
    """Answers a request at one path: the bytes of a whole answer, on a connection that stays open."""

_POST: Final = hdrs.METH_POST


class Content(Protocol):
    """A body: a StreamReader of aiohttp is one."""

    def is_eof(self) -> bool: ...  # noqa: D102 - as aiohttp has it
    def read_nowait(self) -> bytes: ...  # noqa: D102
    async def readany(self) -> bytes: ...  # noqa: D102


class Asked(Protocol):
    """What a door needs to know of a request: a request of aiohttp is one."""

    @property
    def headers(self) -> CIMultiDictProxy[str]: ...  # noqa: D102 - as aiohttp has it
    @property
    def content(self) -> Content: ...  # noqa: D102
    @property
    def content_type(self) -> str: ...  # noqa: D102
    @property
    def charset(self) -> str | None: ...  # noqa: D102
    @property
    def content_length(self) -> int | None: ...  # noqa: D102
    @property
    def protocol(self) -> web.RequestHandler: ...  # noqa: D102
    @property
    def remote(self) -> str | None: ...  # noqa: D102


@dataclass(slots=True, eq=False)
class Whole:
    """Implements Content: a body that is here."""

    body: bytes

    def is_eof(self) -> bool:
        """See StreamReader."""
        return True

    def read_nowait(self) -> bytes:
        """See StreamReader."""
        return self.body

    async def readany(self) -> bytes:
        """See StreamReader."""
        body, self.body = self.body, b""
        return body


class ShortRequest(HeadersMixin):
    """Implements Asked, and is made in a tenth of the time."""

    def __init__(self, head: Head[Door], content: Content, protocol: ShortWay) -> None:
        self.head = head
        self.headers = self._headers = head.headers
        self.content = content
        self.protocol = protocol

    def let_in(self) -> None:
        """All that come with this head are let in: it is not looked at again."""
        self.protocol.heads.keep(self.head)

    @property
    def remote(self) -> str | None:
        """The other end's address."""
        name = self.protocol.peername
        return str(name[0]) if isinstance(name, tuple) else name


class ShortWay(web.RequestHandler):
    """A connection that takes the short way where it can; aiohttp's own loop stands still meanwhile."""

    __slots__ = ("_asked", "_doors", "_early", "_held", "_parses", "heads")

    def __init__(self, server: web.Server, doors: Mapping[str, Door], heads: Heads[Door], **settings: Any) -> None:  # noqa: ANN401 - as aiohttp has it
        super().__init__(server, **settings)
        self._doors = doors
        self.heads = heads
        self._held: asyncio.Future[None] | None = None
        """What wakes aiohttp's loop, while a request is on the short way: it looks busy then."""
        self._asked: asyncio.Future[ShortRequest] | None = None
        """What wakes ours: a task for each request would cost more than its answer."""
        self._parses = False
        """Whether aiohttp's parser has had bytes: it may wait for more, so it gets all that follow."""
        self._early: list[bytes] | None = None
        """What came before aiohttp's loop began: uvloop reads a new connection that soon."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        super().connection_made(transport)
        self._early = []
        self._loop.call_soon(self._open)  # behind the first step of aiohttp's loop

    def _open(self) -> None:
        early, self._early = self._early or (), None
        for data in early:
            self.data_received(data)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        waiter = self._waiter
        if not self._parses and waiter is not None and not waiter.done():
            whole = self.heads.read(data)
            if whole is not None:
                head, body = whole
                self._begin(waiter, ShortRequest(head, Whole(body), self))
                return
        elif waiter is None and self._early is not None:
            self._early.append(data)
            return
        self.parse(data)

    def parse(self, data: bytes) -> None:
        """Give bytes to aiohttp's parser."""
        waiter = self._waiter
        self._parses, self._waiter = True, None
        super().data_received(data)
        if waiter is not None:
            self._waiter = waiter
            if self._messages:
                self._take_next(waiter)

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002 - as aiohttp has it
        """See aiohttp, which looks for bytes to parse after each body that is read; there are none without a pause."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def _take_next(self, waiter: asyncio.Future[None]) -> None:
        """The next request, on the one way or the other."""
        if waiter.done():
            return
        message, content = self._messages[0]
        door = self._doors.get(message.path) if isinstance(message, RawRequestMessage) else None
        if (
            not isinstance(message, RawRequestMessage)
            or door is None
            or message.method != _POST
            or message.should_close
            or message.version != HttpVersion11
            or message.upgrade
            or hdrs.EXPECT in message.headers
            or not content.is_eof()
        ):
            waiter.set_result(None)
            return
        self._messages.popleft()
        if self._parser is not None:
            self._parser.message_consumed()
        self._begin(waiter, ShortRequest(Head(door, message.headers), content, self))

    def _begin(self, waiter: asyncio.Future[None], request: ShortRequest) -> None:
        assert self._manager is not None
        self._manager.requests_count += 1
        self._held, self._waiter, self._request_in_progress = waiter, None, True
        if self._asked is None:
            self._loop.create_task(self._serve(request))
        else:
            self._asked.set_result(request)

    def connection_lost(self, exc: BaseException | None) -> None:
        """See asyncio."""
        super().connection_lost(exc)
        if self._asked is not None and not self._asked.done():
            self._asked.cancel()

    async def _serve(self, request: ShortRequest) -> None:
        """Answer one request after the other, as long as there is a connection."""
        while True:
            self._asked = asked = self._loop.create_future()
            try:
                answer = await request.head.door(request)
                if self.transport is not None:
                    self.transport.write(answer)
            except Exception as error:  # noqa: BLE001 - the last line of defence
                log.error("request_failed", reason=kind_of(error))
                if self.transport is not None:
                    self.transport.write(refusal_bytes(500, "internal error"))
            finally:
                self._end_short_way()
            if self.transport is None:
                return
            request = await asked

    def _end_short_way(self) -> None:
        """Let aiohttp's loop go on: with the next request, or with the end of the connection."""
        waiter, self._held, self._request_in_progress = self._held, None, False
        if self._handler_waiter is not None:
            self._handler_waiter.set_result(None)
        if waiter is None or waiter.done():
            return
        if self._close or self._force_close:
            waiter.cancel()
            if self.transport is not None:
                self.transport.close()
            return
        self._waiter = waiter
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)
        if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
            self._resume_reading_if_drained()  # may take the next one by itself
        if self._messages and self._waiter is not None:
            self._take_next(waiter)
