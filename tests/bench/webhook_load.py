"""A load generator: keep-alive connections that post prepared requests as fast as they are answered."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECTIONS = 64


@dataclass(slots=True)
class Figures:
    """What one round brought: answers by status, and the seconds each of them took."""

    seconds: float = 0.0
    statuses: dict[int, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Requests answered 200, a second."""
        return self.statuses.get(200, 0) / self.seconds

    def percentile(self, share: float) -> float:
        """The latency that `share` of the requests did not exceed, in milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else 0.0


class _Connection(asyncio.Protocol):
    """One connection: sends, waits for the whole answer, sends again, until the time is over."""

    def __init__(self, figures: Figures, make: Callable[[], bytes], until: float) -> None:
        self.figures = figures
        self.make = make
        self.until = until
        self.buffer = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._next()

    def _next(self) -> None:
        self.began = time.perf_counter()
        if self.began >= self.until:
            self.transport.close()
        else:
            self.transport.write(self.make())

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, body = self.buffer.partition(b"\r\n\r\n")
        if not separator or len(body) < _length(head):
            return
        status = int(head[9:12])
        self.figures.statuses[status] = self.figures.statuses.get(status, 0) + 1
        self.figures.latencies.append(time.perf_counter() - self.began)
        self.buffer = b""
        self._next()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def post(port: int, make: Callable[[], bytes], seconds: float, connections: int = CONNECTIONS) -> Figures:
    """Post for `seconds` what `make` makes (a whole HTTP request each time)."""
    figures = Figures()
    began = time.perf_counter()
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(lambda: _Connection(figures, make, began + seconds), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await asyncio.gather(*(protocol.done for _, protocol in opened))
    figures.seconds = time.perf_counter() - began
    return figures


def request(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A whole POST request."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
