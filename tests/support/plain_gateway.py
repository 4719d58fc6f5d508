"""A provider whose messages are plain texts, and a server that answers it with given bytes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from bridge.clock import SystemClock
from bridge.engine.delivery.client import Attempt, Client
from bridge.errors import NotSent, Rejected, SendError
from bridge.events import ThreadRef
from bridge.messages import Text
from bridge.providers.port import AccountSettings, Credential, Outbound, Request, Response, Sent

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

    from bridge.engine.delivery.transport import Transport
    from bridge.providers.port import Authenticating, Provider, Sending


SECRET: Final = "s3cr3t-of-the-account"


SENT: Final = Outbound(key="k-1", thread=ThreadRef("shop", "plain", "x", "ann"), message=Text("hi"), created_at=0)


OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Plain:
    """A provider of one request a message; with `token`, one that has to be obtained."""

    name: ClassVar[str] = "plain"
    base_url: str
    token: bool = False
    answers: list[Response] = field(default_factory=list)
    renew_at: int | None = None

    def send(self, outbound: Outbound, credential: Credential | None) -> Sending:
        shown = credential.token if credential else SECRET
        headers = {"x-api-key": SECRET, "Auth-password": SECRET, "Authorization": f"Bearer {shown}"}
        answer = yield Request(method="POST", path="/send", headers=headers, body=outbound.key.encode())
        self.answers.append(answer)
        if answer.status == 401:
            raise NotSent("the token is refused", unauthorised=True)
        return Sent(message_id=answer.body.decode("utf-8", "replace"))

    def authenticate(self, now: int) -> Authenticating | None:
        del now
        return self._obtain() if self.token else None

    def _obtain(self) -> Authenticating:
        answer = yield Request(method="POST", path="/auth")
        if answer.status != 200:
            raise Rejected("no token for us", code=str(answer.status))
        return Credential(token=answer.body.decode(), renew_at=self.renew_at)


@dataclass
class Gateway:
    """A server that answers with the bytes it is given, and keeps what it got."""

    url: str
    requests: list[bytes]
    asked: asyncio.Event
    connections: list[asyncio.StreamWriter]
    connected: asyncio.Event


@asynccontextmanager
async def gateway(
    answer: bytes | Callable[[bytes], bytes], *, tls: ssl.SSLContext | None = None, reset: str = ""
) -> AsyncIterator[Gateway]:
    """`answer` b"" says nothing and waits, and one without "Content-Length" is the last.

    `reset` cuts the connection "before" or "after" the request was read.
    """
    requests: list[bytes] = []
    connections: list[asyncio.StreamWriter] = []
    over, asked, connected = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        connected.set()
        try:
            if reset == "before":
                writer.transport.abort()
            while not writer.transport.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
                requests.append(head + await reader.readexactly(int(length or 0)))
                asked.set()
                if reset == "after":
                    writer.transport.abort()
                found = answer if isinstance(answer, bytes) else answer(requests[-1])
                if not found:
                    await over.wait()
                writer.write(found)
                await writer.drain()
                if b"ontent-Length" not in found:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        yield Gateway(f"http{'s' if tls else ''}://127.0.0.1:{port}", requests, asked, connections, connected)
    finally:
        over.set()
        server.close()
        await asyncio.sleep(0)


async def tried(provider: Plain, transport: Transport, seconds: float = 5.0) -> Any:
    """What one send comes to, a SendError or a Sent, and the exchange as it is kept."""
    exchange = Attempt()
    try:
        found: SendError | Sent = await client_of(provider, transport, seconds).send(SENT, exchange)
    except SendError as error:
        found = error
    kept = exchange.encode()
    assert SECRET.encode() not in kept
    return found, kept


def client_of(provider: Plain, transport: Transport, seconds: float = 5.0) -> Client:
    """Of a Provider it uses what Plain has."""
    settings = AccountSettings(provider="plain", timeout=seconds)
    return Client(cast("Provider", provider), settings, transport, SystemClock())


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body
