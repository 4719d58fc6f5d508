"""What every client behind Transport holds: the same suite for each of them."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import pytest

from bridge.engine.delivery.answer_bytes import ANSWER_LIMIT
from bridge.engine.delivery.lean import Lean
from bridge.errors import NotSent, OutcomeUnknown, Rejected
from bridge.providers.port import Request
from tests.support.certificates import Authority
from tests.support.plain_gateway import OK, gateway, response

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.engine.delivery.transport import Transport

POST: Final = Request(method="POST", path="/send", body=b"{}")


def then(first: bytes, second: bytes = response(b"second")) -> Callable[[bytes], bytes]:
    """A gateway that answers the first request with `first`, and each later one with `second`."""
    answers = iter([first])
    return lambda _: next(answers, second)


async def test_a_request_as_it_is_on_the_wire(transport: Transport) -> None:
    async with gateway(OK) as provider:
        request = Request(
            method="POST", path="/a%2Fb?c=d", headers={"X-Key": "k\u00fc", "accept": "text/x"}, body=b'{"a":1}'
        )
        await transport.carry(provider.url, request, 5)
        await transport.carry(f"{provider.url}/api", Request(method="get", path="/c"), 5)
    posted, got = provider.requests
    first, *lines = posted.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert first == b"POST /a%2Fb?c=d HTTP/1.1"
    assert {line.lower() for line in lines} == {
        f"host: {provider.url.removeprefix('http://')}".encode(),
        b"user-agent: threadbridge",
        b"x-key: k\xc3\xbc",
        b"accept: text/x",
        b"accept-encoding: gzip, deflate",
        b"content-type: application/json",
        b"content-length: 7",
    }
    assert len(lines) == 7
    assert posted.endswith(b'\r\n\r\n{"a":1}')
    assert got.startswith(b"GET /api/c HTTP/1.1\r\n")
    assert b"ontent-" not in got


@pytest.mark.parametrize(
    ("path", "query", "target"),
    [
        ("/x", {"q": "a b&c+\u00fc/\u00e9=?", "n": "1"}, b"/x?q=a+b%26c%2B%C3%BC/%C3%A9%3D?&n=1"),
        ("/x?a=b&q=1", {"q": "2"}, b"/x?a=b&q=2"),
        ("", {"q": "2"}, b"/?q=2"),
        ("", {}, b"/"),
        ("/x#fragment", {}, b"/x"),
    ],
)
async def test_a_target_as_it_is_on_the_wire(
    path: str, query: dict[str, str], target: bytes, transport: Transport
) -> None:
    async with gateway(OK) as provider:
        await transport.carry(provider.url, Request(method="GET", path=path, query=query), 5)
    assert provider.requests[0].split(b" ")[1] == target


CHUNKED: Final = b"HTTP/1.1 200 OK\r\nX: Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n"
GOOD: Final[dict[str, tuple[bytes, bytes]]] = {
    "of known length": (response(b"first"), b"first"),
    "in chunks": (
        CHUNKED.replace(b"ch", b"CH") + b"3;a=b\r\nfir\r\n02 \r\nst\r\n0\r\nTrailer: x\r\n\r\n",
        b"first",
    ),
    "up to the end": (b"HTTP/1.1 200 OK\r\n\r\nfirst", b"first"),
    "of HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nfirst", b"first"),
    "without a reason": (b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nfirst", b"first"),
    "after others that were none": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + response(b"first"),
        b"first",
    ),
    "without a body": (b"HTTP/1.1 204 No Content\r\nX: Content-Length\r\n\r\n", b""),
    "deflated": (response(zlib.compress(b"first"), "Content-Encoding: deflate"), b"first"),
    "deflated without a header": (response(zlib.compress(b"first", wbits=-15), "Content-Encoding: deflate"), b"first"),
    "zipped in chunks": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\nX: Content-Length\r\n\r\n"
        + b"".join(b"1\r\n%b\r\n" % gzip.compress(b"first")[n : n + 1] for n in range(len(gzip.compress(b"first"))))
        + b"0\r\n\r\n",
        b"first",
    ),
    "with a coding that is none": (response(b"first", "Content-Encoding: utf-8"), b"first"),
}


@pytest.mark.parametrize(("answer", "body"), GOOD.values(), ids=GOOD.keys())
async def test_a_good_answer_and_the_one_behind_it(answer: bytes, body: bytes, transport: Transport) -> None:
    async with gateway(then(answer)) as provider:
        assert (await transport.carry(provider.url, POST, 5)).body == body
        assert (await transport.carry(provider.url, POST, 5)).body == b"second"


SECOND: Final = response(b"smuggled")
HOSTILE: Final[dict[str, bytes]] = {
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nfirst" + SECOND,
    "a length said twice": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nfirst",
    "a list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nfirst",
    "a length with a sign": b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nfirst",
    "a length in other digits": "HTTP/1.1 200 OK\r\nContent-Length: \u0665\r\n\r\nfirst".encode(),
    "a length of 5 000 digits": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\nfirst",
    "a length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + SECOND,
    "chunks said twice": CHUNKED.replace(b"OK", b"OK\r\nTransfer-Encoding: chunked") + b"0\r\n\r\n",
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another transfer coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a chunk of no size": CHUNKED + b"-1\r\n\r\n0\r\n\r\n",
    "a chunk of another size": CHUNKED + b"2\r\nabc\r\n0\r\n\r\n",
    "a chunk of a huge size": CHUNKED + b"FFFFFFFFFFFFFFFFF\r\nabc",
    "endless chunks": CHUNKED + b"1000\r\n%b\r\n" % (b"a" * 4096) * 300,
    "a long extension": CHUNKED + b"1;" + b"a" * 100_000,
    "long trailers": CHUNKED + b"0\r\n" + b"a: b\r\n" * 30_000,
    "the end in a trailer": CHUNKED.replace(b"Content-", b"") + b"0\r\na: ",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + SECOND,
    "HTTP/2": b"HTTP/2 200 OK\r\nContent-Length: 5\r\n\r\nfirst",
    "a status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nfirst",
    "a status of letters": b"HTTP/1.1 abc OK\r\nContent-Length: 5\r\n\r\nfirst",
    "no status": b"HTTP/1.1\r\nContent-Length: 5\r\n\r\nfirst",
    "a space before the status line": b" HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst",
    "a bare carriage return": b"HTTP/1.1 200 OK\r\nX: a\rContent-Length: 0\r\nContent-Length: 5\r\n\r\nfirst" + SECOND,
    "a folded line": b"HTTP/1.1 200 OK\r\nX: a\r\n Content-Length: 0\r\nContent-Length: 5\r\n\r\nfirst" + SECOND,
    "NUL in a header": b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 5\r\n\r\nfirst",
    "a header without a colon": b"HTTP/1.1 200 OK\r\nX\r\nContent-Length: 5\r\n\r\nfirst",
    "a header without a name": b"HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 5\r\n\r\nfirst",
    "a space before a colon": b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nfirst" + SECOND,
    "headers for ever": b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 50_000,
    "one header for ever": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000,
    "102 for ever": b"HTTP/1.1 102 Processing\r\n\r\n" * 20_000,
    "lines that end in newlines": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nfirst",
    "nothing": b"\r\n",
    "gzip that breaks off": response(gzip.compress(b"first" * 100)[:-9], "Content-Encoding: gzip"),
    "a deflate bomb": response(zlib.compress(bytes(10_000_000)), "Content-Encoding: deflate"),
    "too long up to the end": b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * (ANSWER_LIMIT + 1),
}
LENIENT: Final = {
    "a folded line",
    "a long extension",
    "a space before a colon",
    "a space before the status line",
    "another protocol",
    "another transfer coding",
    "chunks in HTTP/1.0",
    "chunks said twice",
    "gzip that breaks off",
    "lines that end in newlines",
}
"""Answers that aiohttp may take for good ones."""


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.slow
async def test_a_hostile_answer_is_unknown_and_the_next_one_is_its_own(name: str, transport: Transport) -> None:
    async with gateway(then(HOSTILE[name])) as provider:
        if name in LENIENT and not isinstance(transport, Lean):
            with suppress(OutcomeUnknown):
                await transport.carry(provider.url, POST, 0.2)
                assert (await transport.carry(provider.url, POST, 5)).body == b"second"
            return
        with pytest.raises(OutcomeUnknown, match=r"^(?!no answer in time)"):
            await transport.carry(provider.url, POST, 5)
        assert (await transport.carry(provider.url, POST, 5)).body == b"second"
    assert len(provider.requests) == 2


@pytest.mark.parametrize(
    ("answer", "connections"),
    [
        (response(b"first"), 1),
        (response(b"first", "Connection: Keep-Alive"), 1),
        (response(b"first", "Connection: x, Close"), 2),
        (response(b"first").replace(b"1.1", b"1.0"), 2),
        (response(b"first", "Connection: keep-alive").replace(b"1.1", b"1.0"), 1),
        (response(b"first") + response(b"smuggled"), 2),
    ],
)
async def test_when_a_connection_is_used_again(answer: bytes, connections: int, transport: Transport) -> None:
    async with gateway(then(answer)) as provider:
        assert (await transport.carry(provider.url, POST, 5)).body == b"first"
        assert (await transport.carry(provider.url, POST, 5)).body == b"second"
    assert len(provider.connections) == connections


async def test_headers_come_out_in_lower_case_and_without_secrets(transport: Transport) -> None:
    async with gateway(response(b"", "X-Two: a", "x-two:  b \t", "Cookie: s=1", "EMPTY:", "U: \u00fc")) as provider:
        answer = await transport.carry(provider.url, POST, 5)
    assert answer.headers == {"x-two": "b", "empty": "", "u": "\u00fc", "content-length": "0"}


async def test_a_head_has_no_body(transport: Transport) -> None:
    async with gateway(then(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")) as provider:
        assert (await transport.carry(provider.url, Request(method="HEAD", path="/"), 5)).body == b""
        assert (await transport.carry(provider.url, POST, 5)).body == b"second"


async def test_a_connection_that_ended_while_idle_is_replaced_before_anything_leaves(transport: Transport) -> None:
    async with gateway(OK) as provider:
        await transport.carry(provider.url, POST, 5)
        provider.connections[0].close()
        for _ in range(10):  # turns of the loop, in which the client hears of it
            await asyncio.sleep(0)
        assert (await transport.carry(provider.url, POST, 5)).status == 200
    assert len(provider.requests) == len(provider.connections) == 2


@pytest.mark.parametrize("broken", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"], ids=["before", "within"])
async def test_a_request_on_a_used_connection_that_breaks_is_never_repeated(
    broken: bytes, transport: Transport
) -> None:
    def answer(_: bytes) -> bytes:
        if len(provider.requests) == 1:
            return OK
        provider.connections[0].write(broken)
        provider.connections[0].close()
        return b""

    async with gateway(answer) as provider:
        await transport.carry(provider.url, POST, 5)
        with pytest.raises(OutcomeUnknown, match="the connection broke"):
            await transport.carry(provider.url, POST, 5)
        assert (len(provider.requests), len(provider.connections)) == (2, 1)


async def test_leaving_is_awaited_between_the_connection_and_the_first_byte(transport: Transport) -> None:
    asked: list[int] = []

    async def leaving() -> None:
        await asyncio.wait_for(provider.connected.wait(), 5)
        asked.append(len(provider.requests))

    async with gateway(OK) as provider:
        for _ in range(2):
            await transport.carry(provider.url, POST, 5, leaving=leaving)
    assert asked == [0, 1]


@pytest.mark.parametrize("error", [ValueError("x"), RuntimeError("x")])
async def test_what_leaving_raises_comes_out_and_nothing_leaves(error: Exception, transport: Transport) -> None:
    async def leaving() -> None:
        raise error

    async with gateway(OK) as provider:
        with pytest.raises(type(error)) as raised:
            await transport.carry(provider.url, POST, 5, leaving=leaving)
        assert raised.value is error
        assert provider.requests == []
        assert (await transport.carry(provider.url, POST, 5)).body == b"ok"
    assert len(provider.requests) == 1


async def test_a_wait_to_leave_that_is_too_long_is_not_sent(transport: Transport) -> None:
    async def leaving() -> None:
        await asyncio.Event().wait()

    async with gateway(OK) as provider:
        with pytest.raises(NotSent) as raised:
            await transport.carry(provider.url, POST, 0.05, leaving=leaving)
    assert (raised.value.away, raised.value.loggable) == (True, True)
    assert provider.requests == []


async def test_a_connection_whose_answer_came_too_late_is_closed(transport: Transport) -> None:
    async with gateway(then(b"")) as provider:
        with pytest.raises(OutcomeUnknown, match="no answer in time"):
            await transport.carry(provider.url, POST, 0.05)
        assert (await transport.carry(provider.url, POST, 5)).body == b"second"
    assert len(provider.connections) == 2


async def test_a_cancelled_request_closes_its_connection(transport: Transport) -> None:
    async with gateway(then(b"")) as provider:
        carrying = asyncio.ensure_future(transport.carry(provider.url, POST, 30))
        await provider.asked.wait()
        carrying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await carrying
        assert (await transport.carry(provider.url, POST, 5)).body == b"second"
    assert len(provider.connections) == 2


async def test_many_at_once_get_their_own_answers(transport: Transport) -> None:
    def answer(request: bytes) -> bytes:
        return response(request.partition(b"\r\n\r\n")[2])

    async with gateway(answer) as provider:

        async def talk(number: int) -> None:
            for turn in range(20):
                said = f"{number}-{turn}".encode()
                heard = await transport.carry(provider.url, Request(method="POST", path="/", body=said), 30)
                assert heard.body == said

        await asyncio.gather(*(talk(number) for number in range(16)))
    assert len(provider.requests) == 320
    assert len(provider.connections) <= 16


@pytest.mark.parametrize(
    "request_",
    [
        Request(method="POST", path="/", headers={"a": "b\r\nX-Injected: c"}),
        Request(method="POST", path="/", headers={"a": "b\nX-Injected: c"}),
        Request(method="POST", path="/", headers={"a": "b\rX-Injected: c"}),
        Request(method="POST", path="/", headers={"a": "b\0X-Injected: c"}),
        Request(method="POST", path="/", headers={"a: b\r\nX-Injected": "c"}),
        Request(method="POST / HTTP/1.1\r\nX-Injected: c\r\n", path="/"),
        Request(method="POST", path="/ HTTP/1.1\r\nX-Injected: c\r\n\r\n"),
        Request(method="POST", path="/x\nX-Injected: c"),
        Request(method="POST", path="/x", query={"a": "b\r\nX-Injected: c"}),
    ],
    ids=range(9),
)
async def test_nothing_is_injected_into_a_request(request_: Request, transport: Transport) -> None:
    async with gateway(OK) as provider:
        try:
            await transport.carry(provider.url, request_, 5)
        except (Rejected, ValueError):
            assert provider.requests == []
        assert b"\nx-injected" not in b"".join(provider.requests).lower()
        assert b"\rx-injected" not in b"".join(provider.requests).lower()
        assert len(provider.requests) <= 1


@pytest.mark.parametrize("base_url", ["http:///x", "nothing", "", "http://h:99999", "http://[::1"])
async def test_a_bad_address_is_rejected(base_url: str, transport: Transport) -> None:
    with pytest.raises(Rejected) as raised:
        await transport.carry(base_url, POST, 5)
    assert raised.value.loggable


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """The only one that clients of this test trust."""
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
    return made


async def test_a_connection_is_secure_and_used_again(authority: Authority, transport: Transport) -> None:
    async with gateway(OK, tls=authority.server("server", "localhost")) as provider:
        for _ in range(3):
            answer = await transport.carry(provider.url.replace("127.0.0.1", "localhost"), POST, 5)
            assert answer.body == b"ok"
    assert len(provider.connections) == 1


@pytest.mark.parametrize(
    ("common", "names", "days"),
    [("localhost", (), 1), ("localhost", ("other.example",), 1), ("server", ("localhost",), -1)],
    ids=["a common name alone", "another name", "expired"],
)
async def test_a_certificate_that_does_not_hold_sees_no_request(
    common: str, names: tuple[str, ...], days: int, authority: Authority, transport: Transport
) -> None:
    async with gateway(OK, tls=authority.server(common, *names, days=days)) as provider:
        with pytest.raises(NotSent, match="no secure connection") as raised:
            await transport.carry(provider.url.replace("127.0.0.1", "localhost"), POST, 5)
    assert (raised.value.away, provider.requests) == (True, [])


async def test_an_answer_that_breaks_off_under_tls_is_unknown(authority: Authority, transport: Transport) -> None:
    cut = b"HTTP/1.1 200 OK\r\nCONTENT-LENGTH: 9\r\n\r\nok"
    async with gateway(cut, tls=authority.server("server", "localhost")) as provider:
        with pytest.raises(OutcomeUnknown):
            await transport.carry(provider.url.replace("127.0.0.1", "localhost"), POST, 5)
