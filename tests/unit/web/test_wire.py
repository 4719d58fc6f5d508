"""HTTP as an attacker writes it, byte by byte, against the server of `threadbridge run` (guarantees W01 to W22)."""

from __future__ import annotations

import asyncio
import gzip
import logging
from typing import TYPE_CHECKING, Final

import pytest
from structlog.testing import capture_logs

from bridge.web import server
from tests.support.whole_bridges import SHOP_HOOK, body, configuration, http, konnek_text, read_answers, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.support.whole_bridges import Served

pytestmark = pytest.mark.slow  # each of the table asks a server of its own

GOOD: Final = body(konnek_text())
CHUNKED: Final = "Transfer-Encoding: chunked"


def chunked(*parts: bytes, tail: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + tail


def raw_head(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


REFUSED: Final[dict[str, tuple[bytes, set[int]]]] = {
    "W01 length and transfer encoding": (http(chunked(GOOD), SHOP_HOOK, CHUNKED), {400}),
    "W02 two different lengths": (http(GOOD, SHOP_HOOK, "Content-Length: 3"), {400}),
    "W03 two equal lengths": (http(GOOD, SHOP_HOOK, f"Content-Length: {len(GOOD)}"), {400}),
    **{
        f"W04 length {value}": (http(GOOD, SHOP_HOOK, f"Content-Length: {value}", length=False), {400})
        for value in ("+4", "4,4", "-1", "0x4", "1" * 31)
    },
    **{
        f"W05 transfer encoding {value!r}": (
            http(chunked(GOOD), SHOP_HOOK, f"Transfer-Encoding: {value}", length=False),
            {400, 501},
        )
        for value in ("xchunked", "chunked, identity", "chunked, chunked", "\x0bchunked", "gzip, chunked", "gzip")
    },
    "W05 chunked twice": (http(chunked(GOOD), SHOP_HOOK, CHUNKED, CHUNKED, length=False), {400, 501}),
    "W06 gzip, then chunked, in two lines": (
        http(chunked(GOOD), SHOP_HOOK, "Transfer-Encoding: gzip", CHUNKED, length=False),
        {400, 501},
    ),
    "W07 chunk size of 17 digits": (http(b"1" * 17 + b"\r\nx\r\n0\r\n\r\n", SHOP_HOOK, CHUNKED, length=False), {400}),
    "W07 chunk size not hexadecimal": (http(b"xyz\r\nx\r\n0\r\n\r\n", SHOP_HOOK, CHUNKED, length=False), {400}),
    "W10 bare line feeds": (http(GOOD).replace(b"\r\n", b"\n"), {400}),
    "W10 folded header": (http(GOOD, SHOP_HOOK, "X-A: b", " c"), {400}),
    "W10 space before the colon": (http(GOOD, SHOP_HOOK, "X-A : b"), {400}),
    "W10 NUL in a header": (http(GOOD, SHOP_HOOK, "X-A: \0"), {400}),
    "W10 control character in a header": (http(GOOD, SHOP_HOOK, "X-A: \x01"), {400}),
    "W11 no host": (http(GOOD).replace(b"Host: bridge.test\r\n", b""), {400}),
    "W11 two hosts": (http(GOOD, SHOP_HOOK, "Host: other.test"), {400}),
    "W12 HTTP/0.9 with a version": (http(GOOD, version="HTTP/0.9"), {400, 505}),
    "W12 HTTP/0.9 without": (b"GET /health/live\r\n\r\n", {400, 505}),
    "W12 HTTP/3.7": (http(GOOD, version="HTTP/3.7"), {400, 505}),
    "W13 the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400}),
    "W13 a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), {400}),
    "W14 absolute form, foreign host": (http(GOOD, f"http://evil.test{SHOP_HOOK}"), {400, 404}),
    "W14 absolute form, another scheme": (http(GOOD, f"gopher://evil.test{SHOP_HOOK}"), {400, 404}),
    **{
        f"W14 target {target[:40]}": (http(GOOD, target), {400, 404})
        for target in (
            f"/{SHOP_HOOK}",
            f"{SHOP_HOOK}/",
            "/webhooks/SHOP/whatsapp",
            "/WEBHOOKS/shop/whatsapp",
            "/webhooks/shop%2fwhatsapp",
            "/webhooks/shop/..%2fwhatsapp",
            "/webhooks/shop/whatsapp;x=1",
            "/webhooks/shop/whats%00app",
            "/webhooks/shop/" + "a" * 9_000,
            "*",
            "shop:443",
        )
    },
    "W15 a method in small letters": (http(GOOD, method="post"), {400, 405}),
    "W15 a method of 200 letters": (http(GOOD, method="A" * 200), {400, 405}),
    "W15 TRACE": (http(method="TRACE"), {405}),
    "W15 CONNECT": (http(target="bridge.test:443", method="CONNECT"), {400, 404, 405}),
    "W16 a header of 9 000 bytes": (http(GOOD, SHOP_HOOK, "X-A: " + "b" * 9_000), {400, 431}),
    "W16 200 headers": (http(GOOD, SHOP_HOOK, *(f"X-{n}: b" for n in range(200))), {400, 431}),
    "W18 an expectation nobody knows": (http(GOOD, SHOP_HOOK, "Expect: foo-bar"), {417}),
    "W18 the same elsewhere": (http(GOOD, "/health/live", "Expect: foo-bar", method="GET"), {417}),
    "W18 the same where nothing is": (http(GOOD, "/nowhere", "Expect: foo-bar"), {404, 417}),
    "W18 too long, politely asked": (
        http(b"", SHOP_HOOK, "Content-Length: 300000", "Expect: 100-continue", length=False),
        {413},
    ),
    "W19 too long, and nothing comes": (http(b"", SHOP_HOOK, "Content-Length: 300000", length=False), {413}),
    **{f"W22 {method}": (http(method=method), {405}) for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS")},
    "W19 a chunk extension of 1 MB": (
        http(b"%x;a=%b\r\n%b\r\n0\r\n\r\n" % (len(GOOD), b"b" * 1_000_000, GOOD), SHOP_HOOK, CHUNKED, length=False),
        {400},
    ),
    "W23 gzip that is none": (http(b"not gzip at all", SHOP_HOOK, "Content-Encoding: gzip"), {400}),
    "W23 gzip cut short": (http(gzip.compress(GOOD)[:-9], SHOP_HOOK, "Content-Encoding: gzip"), {400}),
    "W25 gzip, then other bytes": (http(gzip.compress(GOOD) + b"junk", SHOP_HOOK, "Content-Encoding: gzip"), {400}),
}
ECHOES: Final = (
    b"evil",
    b"foo-bar",
    b"bbbb",
    b"xchunked",
    b"gopher",
    b"PRI",
    b"1111",
    b"Traceback",
    b"aiohttp",
    b"Python",
)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(configuration(tmp_path)) as found:
        yield found


@pytest.mark.parametrize(("request_bytes", "statuses"), REFUSED.values(), ids=REFUSED.keys())
async def test_broken_http_is_refused_in_silence(
    door: Served, caplog: pytest.LogCaptureFixture, request_bytes: bytes, statuses: set[int]
) -> None:
    caplog.set_level(logging.INFO)
    with capture_logs() as lines:
        first, *others = await door.send(request_bytes)
    assert first.status in statuses
    assert all(400 <= other.status < 500 for other in others)
    assert first.headers["server"] == "threadbridge"
    assert first.headers["content-type"].startswith("application/json")
    assert first.body.startswith(b'{"error":')
    assert not [word for word in ECHOES if word in first.body]
    assert await door.kept() == 0
    assert len(lines) + len(caplog.records) <= 1
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("sent", [http(GOOD, "/" + "a" * 9_000), http(GOOD, SHOP_HOOK, "X-A: " + "b" * 9_000)])
async def test_a_line_that_is_too_long_is_said_to_be(door: Served, sent: bytes) -> None:
    (answer,) = await door.send(sent)
    assert answer.body == b'{"error":"the request line or a header is longer than 8,190 bytes"}'


async def test_a_peer_that_proves_nothing_is_refused_before_its_body_comes(door: Served) -> None:
    head, _, _ = http(GOOD).replace(b"Auth-password: ", b"Auth-password: x").partition(b"\r\n\r\n")
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(head + b"\r\n\r\n")
    async with asyncio.timeout(5):
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 401 ")
    writer.close()


async def test_a_peer_that_proves_nothing_is_not_asked_for_its_body(door: Served) -> None:
    request = http(GOOD, SHOP_HOOK, "Expect: 100-continue").replace(b"Auth-password: ", b"Auth-password: x")
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(request.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    async with asyncio.timeout(5):
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 401 ")
    writer.close()


async def test_405_says_what_is_allowed(door: Served) -> None:
    for method in ("GET", "HEAD", "PUT"):
        (answer,) = await door.send(http(method=method))
        assert (answer.status, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "request_bytes",
    [
        http(GOOD),
        http(GOOD, version="HTTP/1.0"),
        http(GOOD, f"{SHOP_HOOK}?a=%00&b"),
        http(chunked(GOOD[:5], GOOD[5:]), SHOP_HOOK, CHUNKED, length=False),
        http(chunked(GOOD, tail=b"0\r\nX-Signature: mine\r\n\r\n"), SHOP_HOOK, CHUNKED, length=False),
        http(b"%x;a=%b\r\n%b\r\n0\r\n\r\n" % (len(GOOD), b"b" * 20_000, GOOD), SHOP_HOOK, CHUNKED, length=False),
        http(gzip.compress(GOOD[:9]) + gzip.compress(GOOD[9:]), SHOP_HOOK, "Content-Encoding: gzip"),
        http(gzip.compress(GOOD), SHOP_HOOK, "Content-Encoding: gzip"),
        http(gzip.compress(GOOD), SHOP_HOOK, "Content-Encoding: GZIP"),
        http(chunked(gzip.compress(GOOD)), SHOP_HOOK, "Content-Encoding: gzip", CHUNKED, length=False),
        http(GOOD, SHOP_HOOK, "Content-Encoding: identity"),
    ],
    ids=lambda value: value[:60].decode("latin-1") if isinstance(value, bytes) else "",
)
async def test_good_http_is_stored(door: Served, request_bytes: bytes) -> None:
    (answer,) = await door.send(request_bytes)
    assert (answer.status, answer.body) == (200, b'{"ok": true}')
    assert await door.kept() == 1


async def test_a_body_that_is_welcome_is_asked_for(door: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    head, _, content = http(GOOD, SHOP_HOOK, "Expect: 100-continue").partition(b"\r\n\r\n")
    writer.write(head + b"\r\n\r\n")
    async with asyncio.timeout(30):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(content)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_after_a_bad_request_the_connection_is_closed(door: Served) -> None:
    """W17, W21: what stands behind it is never read as a request."""
    keep = http(GOOD).replace(b"Connection: close\r\n", b"")
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    async with asyncio.timeout(30):
        writer.write(keep)
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")
        writer.write(b"rubbish\r\n\r\n" + http(body(konnek_text("m-2", username="62811"))))
        (refused,) = read_answers(await reader.read())
    writer.close()
    assert refused.status == 400
    assert len(await door.bridge.store.threads()) == 1


async def test_pipelined_requests_are_answered_in_order(door: Served) -> None:
    keep = http(GOOD).replace(b"Connection: close\r\n", b"")
    answers = await door.send(keep + keep.replace(b"/shop/", b"/nope/") + http(GOOD))
    assert [answer.status for answer in answers] == [200, 404, 200]


async def test_what_comes_before_a_body_is_not_taken_for_its_frames(
    door: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_FRAMING", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(http(GOOD)[: -len(GOOD) + 5])
    await door.send(http(method="GET"))  # by its answer the beginning is read
    writer.write(http(GOOD)[-len(GOOD) + 5 :])
    async with asyncio.timeout(5):
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()


@pytest.mark.parametrize(
    "request_bytes",
    [
        http(GOOD)[:-5],
        http(chunked(GOOD)[:-9], SHOP_HOOK, CHUNKED, length=False),
        http(gzip.compress(GOOD), SHOP_HOOK, "Content-Encoding: gzip")[:-5],
        http(GOOD)[:60],
    ],
    ids=["length", "chunked", "gzip", "head"],
)
@pytest.mark.parametrize("end", ["close", "reset", "half"])
async def test_a_request_cut_off_leaves_nothing(
    door: Served, caplog: pytest.LogCaptureFixture, request_bytes: bytes, end: str
) -> None:
    """W20."""
    with capture_logs() as lines:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(request_bytes)
        await asyncio.sleep(0.01)
        if end == "half":
            writer.write_eof()
            async with asyncio.timeout(30):
                await reader.read()
        elif end == "reset":
            writer.transport.abort()
        writer.close()
        await asyncio.sleep(0.01)
    assert await door.kept() == 0
    assert len(lines) + len(caplog.records) <= 1
    assert not [record for record in caplog.records if record.exc_info]
    (answer,) = await door.send(http(GOOD))
    assert answer.status == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    "request_bytes",
    [http(GOOD)[:-5], http(b"1;a=" + b"b" * 50_000, SHOP_HOOK, CHUNKED, length=False)],
    ids=["a body", "a chunk extension"],
)
async def test_a_dripping_body_is_given_up(door: Served, monkeypatch: pytest.MonkeyPatch, request_bytes: bytes) -> None:
    monkeypatch.setattr("bridge.web.limits.BODY_SECONDS", 0.05)
    (answer,) = await door.send(request_bytes)
    assert answer.status == 408
    assert await door.kept() == 0


@pytest.mark.parametrize("sent", [b"", b"POST /webhooks/sh", http(GOOD)[:90]])
async def test_a_dripping_head_is_given_up(tmp_path: Path, sent: bytes) -> None:
    async with served(configuration(tmp_path), keepalive=0.1) as door:
        assert await door.send(sent) == []


@pytest.mark.parametrize(
    "bomb",
    [
        lambda: gzip.compress(bytes(70_000_000), 1)[:260_000],
        lambda: gzip.compress(bytes(100_000)) * 1_500,
        lambda: gzip.compress(b"") * 12_000,
    ],
    ids=["one large member", "many members", "many empty members"],
)
async def test_a_gzip_bomb_goes_off_outside(door: Served, bomb: Callable[[], bytes]) -> None:
    """W25."""
    (answer, *_) = await door.send(http(bomb(), SHOP_HOOK, "Content-Encoding: gzip"))
    assert answer.status in {400, 413}
    assert await door.kept() == 0
