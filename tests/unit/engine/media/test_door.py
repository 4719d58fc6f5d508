"""The door through which media come in: whom it connects to, what it tells them, and what it takes."""

from __future__ import annotations

import asyncio
import io
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from bridge.engine.delivery.public import public_socket
from bridge.engine.media.contents import Draft
from bridge.engine.media.door import Gateway, GuardedDoor
from bridge.engine.media.guard import FEW, MANY, ONCE, FetchFailed
from tests.support.certificates import Authority

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

PUBLIC = "93.184.216.34"
PRIVATE = "10.0.0.7"
SECRET = {"Authorization": "Bearer secret"}


class Internet:
    """Names and their addresses; connections to public ones end at a server on this machine."""

    def __init__(self, names: Mapping[str, list[str]], port: int = 0) -> None:
        self.names = {name: [*addresses] for name, addresses in names.items()}
        self.asked: list[str] = []
        self.connected: list[str] = []
        self.port = port

    async def look_up(self, host: str, port: int, family: socket.AddressFamily) -> list[Any]:
        del family
        self.asked.append(host)
        if host in self.names:
            return [(_family(address), (address, port)) for address in self.names[host]]
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [(of, address) for of, _, _, _, address in found]

    def tap(self) -> None:
        """Note every connection of this loop, and lead it to the server."""
        loop = asyncio.get_running_loop()

        async def connect(sock: socket.socket, address: Any) -> None:
            self.connected.append(address[0])
            sock.setblocking(True)
            sock.connect(("127.0.0.1", self.port))
            sock.setblocking(False)

        loop.sock_connect = connect  # type: ignore[method-assign] # as it says


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


async def _headers() -> Mapping[str, str]:
    return SECRET


GATEWAY = Gateway("https://gateway.example", _headers)


async def fetched(url: str, internet: Internet, *, limit: int = 1000, gateway: Gateway = GATEWAY) -> bytes:
    internet.tap()
    door = GuardedDoor(internet.look_up)
    file = io.BytesIO()
    draft = Draft(file)
    try:
        await door.fetch(url, gateway, draft, limit)
        await draft.flush()
    finally:
        await door.close()
    return file.getvalue()


@asynccontextmanager
async def serving(
    answer: Callable[[Any], Awaitable[web.StreamResponse]], context: ssl.SSLContext
) -> AsyncIterator[int]:
    server = web.Server(answer)
    runner = web.ServerRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority.server("cdn", "cdn.example", "gateway.example", "evil.example")


async def _file(request: web.Request) -> web.Response:
    assert "Authorization" not in request.headers
    return web.Response(body=b"bytes", content_type="image/png")


async def test_a_link_to_the_internet_is_fetched_without_the_gateways_credentials(context: ssl.SSLContext) -> None:
    async with serving(_file, context) as port:
        internet = Internet({"cdn.example": [PUBLIC]}, port)
        assert await fetched("https://cdn.example/a", internet) == b"bytes"
    assert (internet.asked, internet.connected) == (["cdn.example"], [PUBLIC])


async def test_the_gateways_own_links_get_its_credentials(context: ssl.SSLContext) -> None:
    async def answer(request: web.BaseRequest) -> web.Response:
        return web.Response(text=request.headers["Authorization"])

    async with serving(answer, context) as port:
        gateway = Gateway(f"https://127.0.0.1:{port}", _headers)
        with pytest.raises(FetchFailed, match="secure"):  # the certificate is another's: nothing is told
            await fetched(f"https://127.0.0.1:{port}/a", Internet({}, port), gateway=gateway)
    plain = web.ServerRunner(web.Server(answer))
    await plain.setup()
    site = web.TCPSite(plain, "127.0.0.1", 0)
    await site.start()
    port = plain.addresses[0][1]
    gateway = Gateway(f"http://127.0.0.1:{port}", _headers)
    assert await fetched(f"http://127.0.0.1:{port}/a", Internet({}, port), gateway=gateway) == b"Bearer secret"
    await plain.cleanup()


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        *(
            (f"https://{host}/", [])
            for host in ("127.1", "0", "2130706433", "0x7f.1", "0177.0.0.1", "localhost", "localhost.", "0x7f000001")
        ),
        ("https://inside.example/", [PRIVATE]),
        ("https://inside.example/", [PUBLIC, PRIVATE]),
        ("https://inside.example/", [PRIVATE, PUBLIC]),
        ("https://inside.example/", [PUBLIC, "::1"]),
        ("https://inside.example/", ["169.254.169.254"]),
        ("https://inside.example/", ["::ffff:10.0.0.7"]),
        ("https://inside.example/", ["64:ff9b::a00:7"]),
        ("https://inside.example/", ["2002:a00:7::"]),
        ("https://inside.example/", ["fe80::1%lo"]),
        ("https://inside.example/", ["fd00::1"]),
    ],
)
async def test_no_connection_to_a_private_address_is_even_begun(url: str, addresses: list[str]) -> None:
    internet = Internet({"inside.example": addresses})
    with pytest.raises(FetchFailed) as refused:
        await fetched(url, internet)
    assert (refused.value.tries, internet.connected) == (ONCE, []), refused.value


async def test_the_address_that_was_checked_is_the_one_that_is_connected_to(context: ssl.SSLContext) -> None:
    """A name that means another address a moment later is not asked again."""
    async with serving(_file, context) as port:
        internet = Internet({"cdn.example": [PUBLIC]}, port)
        real = internet.look_up

        async def rebinding(host: str, at: int, family: socket.AddressFamily) -> list[Any]:
            found = await real(host, at, family)
            internet.names["cdn.example"] = [PRIVATE]
            return found

        internet.look_up = rebinding  # type: ignore[assignment,method-assign] # a name server that changes its mind
        assert await fetched("https://cdn.example/a", internet) == b"bytes"
    assert (internet.asked, internet.connected) == (["cdn.example"], [PUBLIC])


@pytest.mark.parametrize("address", ["127.0.0.1", PRIVATE, "169.254.169.254"])
def test_a_private_address_gets_no_socket_whoever_names_it(address: str) -> None:
    with pytest.raises(OSError, match="no public address"):
        public_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 443)))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["https://evil.example/", "http://cdn.example/", "https://127.0.0.1/", "/loop"])
async def test_a_redirect_elsewhere_or_in_circles_is_not_followed(
    status: int, target: str, context: ssl.SSLContext
) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.host)
        return web.Response(status=status, headers={"Location": target})

    async with serving(answer, context) as port:
        internet = Internet({"cdn.example": [PUBLIC], "evil.example": [PUBLIC]}, port)
        with pytest.raises(FetchFailed) as refused:
            await fetched("https://cdn.example/a", internet)
    assert (refused.value.tries, internet.asked.count("evil.example")) == (ONCE, 0)
    assert {*asked} == {"cdn.example"}
    assert len(asked) <= 4


async def test_a_redirect_on_the_same_host_is_followed(context: ssl.SSLContext) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=b"b") if request.path == "/b" else web.Response(status=302, headers={"Location": "/b"})

    async with serving(answer, context) as port:
        assert await fetched("https://cdn.example/a", Internet({"cdn.example": [PUBLIC]}, port)) == b"b"


@pytest.mark.parametrize(
    ("answer", "reason", "tries"),
    [
        (web.Response(status=404), "HTTP 404", FEW),
        (web.Response(status=503, headers={"Retry-After": "7"}), "HTTP 503", MANY),
        (web.Response(status=429), "HTTP 429", MANY),
        (web.Response(body=b""), "nothing", FEW),
        (web.Response(body=b"a" * 1001), "more than the 1000 bytes", ONCE),
        (web.Response(body=b"a", headers={"Content-Encoding": "gzip"}), "encoding", ONCE),
    ],
    ids=str,
)
async def test_an_answer_that_is_no_medium_says_why(
    answer: web.Response, reason: str, tries: int, context: ssl.SSLContext
) -> None:
    async def given(_: web.Request) -> web.Response:
        return answer

    async with serving(given, context) as port:
        with pytest.raises(FetchFailed, match=reason) as failed:
            await fetched("https://cdn.example/a", Internet({"cdn.example": [PUBLIC]}, port))
    assert failed.value.tries == tries
    assert failed.value.retry_after == (7 if answer.status == 503 else None)


async def test_no_more_is_read_than_may_be_kept(context: ssl.SSLContext) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(10_000):
            try:
                await answer.write(b"a" * 65_536)
            except ConnectionError:
                break
        else:
            raise AssertionError("all of it was read")
        return answer

    async with serving(endless, context) as port:
        with pytest.raises(FetchFailed, match="more than"):
            await fetched("https://cdn.example/a", Internet({"cdn.example": [PUBLIC]}, port))
