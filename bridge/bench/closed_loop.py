"""Load and gateway in one process: a webhook goes out whenever an earlier message is over.

So a fixed number of messages is under way at any time, each server is asked for as much as it can do, and what it did
is known by name: a webhook carries its number, and so does the reply.
"""

from __future__ import annotations

import asyncio
import gc
import re
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

IN_FLIGHT: Final = 128
CONNECTIONS: Final = 64
PATIENCE: Final = 30.0
"""Seconds without an answer or a reply after which a round ends as it is."""
_OK: Final = 200
_NUMBER: Final = re.compile(rb"no-(\d{8})")
_LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What a server takes and gives: `webhook` makes a whole HTTP request that holds `no-<number>`.

    `answer` is the body with which the gateway answers each reply. A request to the path `about` is none: a bot may ask
    there who it is.
    """

    webhook: Callable[[int], bytes]
    answer: bytes
    about: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """How much is asked for: until `seconds` are over, or `messages` are sent, whichever comes first.

    With `rate` webhooks go out evenly, that many a second; otherwise `in_flight` messages are under way.
    """

    seconds: float = float("inf")
    messages: int = 99_999_999
    in_flight: int = IN_FLIGHT
    connections: int = CONNECTIONS
    rate: float = 0.0

    def of(self, processes: int) -> Demand:
        """The same of each of several processes; the number of messages is that of all."""
        return replace(
            self,
            in_flight=self.in_flight * processes,
            connections=self.connections * processes,
            rate=self.rate * processes,
        )


@dataclass(slots=True)
class Round:
    """What one round brought. `latencies` are seconds from a webhook's turn to go to the whole reply."""

    sent: int = 0
    answered: int = 0
    refused: int = 0
    replies: int = 0
    doubled: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    acks: list[float] = field(default_factory=list)


class ClosedLoop:
    """Posts webhooks on its connections, and is the gateway too. Where nothing `replies`, an answer ends a message."""

    def __init__(self, dialect: Dialect, *, replies: bool = True, patience: float = PATIENCE) -> None:
        """Nothing is sent until `run`."""
        self.make = dialect.webhook
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
            len(dialect.answer),
            dialect.answer,
        )
        self._about = b"POST %s" % dialect.about if dialect.about else b""
        self._replies = replies
        self._patience = patience
        self.round = Round()
        self._number = 0
        self._began: dict[int, float] = {}
        """Of each message without its reply, by number."""
        self._unanswered = 0
        self._due: deque[float] = deque()
        """Since when a webhook may go out, of each that waits for a connection."""
        self._free: deque[_Client] = deque()
        self._clients: list[_Client] = []
        self._until = 0.0
        self._last = 0
        """The number of the last message of the round."""
        self._by_clock = False
        self._heard = 0.0
        self._over: asyncio.Future[None] | None = None

    async def gateway(self) -> tuple[asyncio.Server, int]:
        """Listen for replies, and say on which port."""
        server = await asyncio.get_running_loop().create_server(lambda: _Gateway(self), "127.0.0.1", 0)
        return server, int(server.sockets[0].getsockname()[1])

    async def connect(self, ports: Sequence[int], connections: int) -> None:
        """Open the connections that webhooks go out on, as many to each port."""
        loop = asyncio.get_running_loop()
        for number in range(connections):
            port = ports[number % len(ports)]
            _, client = await loop.create_connection(lambda: _Client(self), "127.0.0.1", port)
            self._clients.append(client)
            self._free.append(client)

    def close(self) -> None:
        """Close those connections."""
        for client in self._clients:
            client.transport.close()
        self._clients.clear()
        self._free.clear()

    async def run(self, demand: Demand) -> Round:
        """One round, until every message of it is over. What comes later is counted in it too."""
        self.round = figures = Round()
        self._over = asyncio.get_running_loop().create_future()
        self._last = self._number + demand.messages
        self._by_clock = demand.rate > 0
        with _no_collection():
            began = self._heard = time.perf_counter()
            self._until = began + demand.seconds
            if self._by_clock:
                await self._evenly(began, demand)
            else:
                self._due.extend([began] * demand.in_flight)
                self._pump()
            self._end()
            while not self._over.done() and time.perf_counter() - self._heard < self._patience:
                await asyncio.wait([self._over], timeout=min(self._patience, 0.5))
            figures.seconds = self._heard - began
        self._due.clear()
        self._began.clear()
        self._unanswered = 0
        return figures

    async def _evenly(self, began: float, demand: Demand) -> None:
        for turn in range(demand.messages):
            due = began + turn / demand.rate
            if due >= self._until:
                break
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            self._due.append(time.perf_counter())
            self._pump()
        self._last = self._number + len(self._due)

    def _pump(self) -> None:
        while self._due and self._free and self._number < self._last:
            now = time.perf_counter()
            if now >= self._until and not self._by_clock:
                self._due.clear()
                return
            self._number += 1
            self._began[self._number] = began = self._due.popleft()
            self._unanswered += 1
            self.round.sent += 1
            self._free.popleft().send(self._number, began)

    def answered(self, client: _Client, status: int) -> None:
        """A webhook was answered."""
        self._heard = time.perf_counter()
        self._unanswered -= 1
        self.round.answered += status == _OK
        self.round.refused += status != _OK
        self.round.acks.append(self._heard - client.began)
        self._free.append(client)
        if not self._replies or status != _OK:
            self._began.pop(client.number, None)
            self._go_on()
        else:
            self._pump()
            self._end()

    def asked(self, head: bytes, body: bytes) -> None:
        """The gateway got a request."""
        if not self._about or not head.startswith(self._about):
            self.replied(body)

    def replied(self, body: bytes) -> None:
        """A reply came in."""
        found = _NUMBER.search(body)
        began = self._began.pop(int(found[1]), None) if found else None
        if began is None:
            self.round.doubled += 1
            return
        self._heard = time.perf_counter()
        self.round.replies += 1
        self.round.latencies.append(self._heard - began)
        self._go_on()

    def _go_on(self) -> None:
        """One message is over: the next may go, unless webhooks go by the clock."""
        if not self._by_clock:
            self._due.append(self._heard)
        self._pump()
        self._end()

    def stop(self) -> None:
        """End the round as it is."""
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    def _end(self) -> None:
        is_sent = self._number >= self._last or (not self._by_clock and time.perf_counter() >= self._until)
        if is_sent and not self._began and not self._unanswered:
            self.stop()


@contextmanager
def _no_collection() -> Iterator[None]:
    """Look for no cycles meanwhile: the pauses of the load would look like the server's."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _Exchange(asyncio.Protocol):
    """Messages of HTTP that name their length."""

    def __init__(self, owner: ClosedLoop) -> None:
        self.owner = owner
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (at := self.buffer.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(self.buffer, 0, at)
            end = at + 4 + (int(found[1]) if found else 0)
            if len(self.buffer) < end:
                return
            head, body = self.buffer[:at], self.buffer[at + 4 : end]
            self.buffer = self.buffer[end:]
            self.whole(head, body)

    def whole(self, head: bytes, body: bytes) -> None:
        raise NotImplementedError


class _Client(_Exchange):
    number = 0
    began = 0.0

    def send(self, number: int, began: float) -> None:
        self.number = number
        self.began = began
        self.transport.write(self.owner.make(number))

    def connection_lost(self, _: Exception | None) -> None:
        self.owner.stop()

    def whole(self, head: bytes, _: bytes) -> None:
        self.owner.answered(self, int(head[9:12]))


class _Gateway(_Exchange):
    def whole(self, head: bytes, body: bytes) -> None:
        self.transport.write(self.owner.answer)
        self.owner.asked(head, body)
