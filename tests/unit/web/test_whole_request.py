"""A request that is read whole: what is read is what aiohttp's parser reads, and whatever is unusual is left to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.web.whole_request import Heads, read_whole
from tests.support.whole_bridges import SHOP_HOOK, body, http, konnek_text
from tests.unit.web.test_wire import REFUSED

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

BODY: Final = body(konnek_text())
GOOD: Final = http(BODY).replace(b"Connection: close\r\n", b"")
PATHS: Final = frozenset({SHOP_HOOK, "/a"})


def parsed(data: bytes) -> list[tuple[str, str, CIMultiDictProxy[str], bytes, bool]] | None:
    """What aiohttp reads: method, path, headers, body and whether the connection stays; None: it refuses."""

    async def parse() -> list[tuple[str, str, CIMultiDictProxy[str], bytes, bool]] | None:
        loop = asyncio.get_running_loop()
        parser = HttpRequestParser(BaseProtocol(loop), loop, 2**20, auto_decompress=False)
        try:
            messages, upgraded, tail = parser.feed_data(data)
        except HttpProcessingError:
            return None
        assert not upgraded
        assert not tail
        assert all(content.is_eof() for _, content in messages), "only a part of it is here"
        return [
            (message.method, message.path, message.headers, content.read_nowait(), not message.should_close)
            for message, content in messages
        ]

    return asyncio.run(parse())


def agrees(data: bytes) -> bool:
    """Whether a request is read; then aiohttp reads the same."""
    whole = read_whole(data, PATHS)
    if whole is None:
        return False
    path, headers, content = whole
    assert parsed(data) == [("POST", path, headers, content, True)]
    return True


def request(*lines: str, content: bytes = b"{}", first: str = "POST /a HTTP/1.1", length: bool = True) -> bytes:
    named = (*lines, f"Content-Length: {len(content)}") if length else lines
    return "\r\n".join((first, *named, "", "")).encode("latin-1") + content


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(GOOD, id="a webhook"),
        pytest.param(request("Host: a"), id="little"),
        pytest.param(request("HOST:a", "x-empty:", "X-Blank: ", "X-Tab: a\tb  c"), id="values"),
        pytest.param(request("Host: a", "connection: Keep-Alive"), id="a connection that stays"),
        pytest.param(request("Host: a", content=b""), id="no body"),
        pytest.param(request("Host: a", content=b"\r\n\r\n\0\xff"), id="any body"),
        pytest.param(request("Host: a", content=b"a" * 200_000), id="a large body"),
        pytest.param(request("Host: a", "Content-Encoding: gzip"), id="a coding of the content"),
    ],
)
def test_the_usual_is_read_as_aiohttp_reads_it(data: bytes) -> None:
    assert agrees(data)


@pytest.mark.parametrize(
    "data",
    [
        *(
            pytest.param(refused.replace(b"Connection: close\r\n", b""), id=name)
            for name, (refused, _) in REFUSED.items()
            if not name.startswith(("W23", "W25"))
        ),
        pytest.param(b"", id="nothing"),
        pytest.param(GOOD[:-1], id="a part"),
        pytest.param(GOOD + b"P", id="more"),
        pytest.param(GOOD + GOOD, id="two"),
        pytest.param(b"\r\n" + GOOD, id="a line before it"),
        pytest.param(http(BODY), id="the last on its connection"),
        pytest.param(request("Host: a", "Connection: keep-alive, close"), id="two options"),
        pytest.param(request("Host: a", "Connection: upgrade", "Upgrade: h2c"), id="upgrade"),
        pytest.param(request("Host: a", "Expect: 100-continue"), id="expect"),
        pytest.param(request("Host: a", "TE: trailers"), id="trailers"),
        pytest.param(request("Host: a", "Transfer-Encoding: identity"), id="a transfer encoding"),
        pytest.param(request("Host: a", "X-A: b", "x-a: c"), id="a name twice"),
        pytest.param(request("Host: a", "X-A: b "), id="a blank at the end"),
        pytest.param(request("Host: a", "X-A:  b"), id="two blanks"),
        pytest.param(request("Host: a", "X-A: \xe4"), id="not ASCII"),
        pytest.param(request("Host: a", "X A: b"), id="a blank in a name"),
        pytest.param(request("Host: a", ": b"), id="no name"),
        pytest.param(request("Host: a", "X-A"), id="no colon"),
        pytest.param(request("Host: a", "Content-Length: 02", length=False), id="a zero before the length"),
        pytest.param(request("Host: a", length=False, content=b""), id="no length"),
        pytest.param(request("Host: a", first="POST /b HTTP/1.1"), id="another path"),
        pytest.param(request("Host: a", first="POST /a?x HTTP/1.1"), id="a query"),
        pytest.param(request("Host: a", first="POST  /a HTTP/1.1"), id="two blanks in the line"),
        pytest.param(request("Host: a", first="POST /a HTTP/1.0"), id="HTTP/1.0"),
        pytest.param(request("Host: a", first="PUT /a HTTP/1.1"), id="another method"),
        pytest.param(request("Host: a", *(f"X-{n}: b" for n in range(63))), id="65 headers"),
        pytest.param(request("Host: a", f"X-A: {'b' * 8192}"), id="8 KiB"),
    ],
)
def test_the_unusual_is_left_to_aiohttp(data: bytes) -> None:
    assert read_whole(data, PATHS) is None


PIECES: Final = st.sampled_from(
    [
        *(
            b"\r",
            b"\n",
            b"\r\n",
            b"\r\n\r\n",
            b" ",
            b"\t",
            b":",
            b"\0",
            b"\x7f",
            b"\x80",
            b",",
            b";",
            b"\\",
            b"0",
            b"+1",
        ),
        *(
            b"Host: b\r\n",
            b"Content-Length: 2\r\n",
            b"Connection: keep-alive\r\n",
            b"Connection: close\r\n",
            b"X: y\r\n",
        ),
        *(b"Transfer-Encoding: chunked\r\n", b"transfer-encoding", b"Upgrade: h2c\r\n", b"Expect: 100-continue\r\n"),
        *(b"HTTP/1.1", b"HTTP/1.0", b"POST ", b"GET ", b"/a", b"0\r\n\r\n", b"{}"),
    ]
)
SEEDS: Final = st.sampled_from([GOOD, request("Host: a"), request("Host: a", "Connection: keep-alive", "X-A: b")])


@settings(max_examples=300)
@example(GOOD, [(0, 0, b"")])
@given(SEEDS, st.lists(st.tuples(st.integers(0, 400), st.integers(0, 8), PIECES | st.binary(max_size=3)), max_size=3))
@pytest.mark.slow
def test_whatever_is_read_is_what_aiohttp_reads(seed: bytes, changes: list[tuple[int, int, bytes]]) -> None:
    for at, gone, new in changes:
        seed = seed[:at] + new + seed[at + gone :]
    agrees(seed)


def kept(data: bytes) -> Heads[str]:
    """What reads requests, once it keeps the head of one."""
    heads = Heads({SHOP_HOOK: "shop", "/a": "a"})
    if (read := heads.read(data)) is not None:
        heads.keep(read[0])
    return heads


@settings(max_examples=300)
@example(GOOD, [(0, 0, b"")])
@given(SEEDS, st.lists(st.tuples(st.integers(0, 400), st.integers(0, 8), PIECES | st.binary(max_size=3)), max_size=3))
@pytest.mark.slow
def test_with_a_kept_head_the_same_is_read(seed: bytes, changes: list[tuple[int, int, bytes]]) -> None:
    heads = kept(seed)
    for at, gone, new in changes:
        seed = seed[:at] + new + seed[at + gone :]
    read, whole = heads.read(seed), read_whole(seed, PATHS)
    assert (read is None) == (whole is None)
    if read is not None and whole is not None:
        (head, content), (path, headers, body) = read, whole
        assert content == body
        assert head.door == ("a" if path == "/a" else "shop")
        assert without_length(head.headers) == without_length(headers)


def without_length(headers: CIMultiDictProxy[str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers.items() if name.lower() != "content-length"]


@pytest.mark.parametrize(
    "lines",
    [("Host: a", "Content-Length: %d", "X-A: b"), ("content-length: %d", "Host: a"), ("Host: a", "Content-Length: %d")],
)
def test_a_kept_head_is_found_whatever_the_length_of_the_body(lines: tuple[str, ...]) -> None:
    def of(size: int) -> bytes:
        text = "\r\n".join(("POST /a HTTP/1.1", *lines, "", "")) % size
        return text.encode() + b"a" * size

    heads = kept(of(10))
    first, again = heads.read(of(10)), heads.read(of(9_000))
    assert first is not None
    assert again is not None
    assert first[0] is again[0]
    assert first[0].is_let_in
    assert again[1] == b"a" * 9_000
    assert heads.read(of(10)[:-1]) is None
    assert heads.read(of(10) + b"a") is None


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(request("Host: a", "X-A: " + "b" * 2_000), id="long"),
        pytest.param(request("Host: a", "CONTENT-LENGTH: 2", length=False), id="a length written in another way"),
    ],
)
def test_a_head_that_is_not_kept_is_read_each_time(data: bytes) -> None:
    read = kept(data).read(data)
    assert read is not None
    assert not read[0].is_let_in


def test_no_more_heads_are_kept_than_a_few() -> None:
    heads = kept(request("Host: a"))
    for number in range(400):
        read = heads.read(request("Host: a", f"X-A: {number}"))
        assert read is not None
        heads.keep(read[0])
    first, last = heads.read(request("Host: a")), heads.read(request("Host: a", "X-A: 399"))
    assert first is not None
    assert last is not None
    assert (first[0].is_let_in, last[0].is_let_in) == (False, True)
