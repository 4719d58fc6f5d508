"""An answer is the same however its bytes are cut, and no bytes do more than be refused."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.engine.delivery.answer_bytes import ANSWER_LIMIT, Answer, Malformed, TooLong
from bridge.engine.delivery.request_bytes import Origin, encode
from bridge.providers.port import Request

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = st.sampled_from(["X-A", "Date", "Server", "Vary", "x-request-id"])
VALUES = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=" "), max_size=20)
BODIES = st.binary(max_size=200)


PACKED: dict[str | None, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress, None: bytes}


@dataclass
class Said:
    """What a well-behaved server says, and its bytes."""

    status: int
    headers: dict[str, str]
    body: bytes
    until_closed: bool
    raw: bytes


@st.composite
def answers(draw: st.DrawFn) -> Said:
    status = draw(st.sampled_from([200, 201, 204, 304, 400, 404, 429, 500, 503]))
    headers = draw(st.dictionaries(NAMES, VALUES, max_size=4))
    body = draw(BODIES) if status not in {204, 304} else b""
    coding = draw(st.sampled_from([None, "gzip", "deflate"]))
    raw = body and PACKED[coding](body)
    lines = [f"{name}:{draw(st.sampled_from(['', ' ', '  ']))}{value}" for name, value in headers.items()]
    if coding:
        lines.append(f"Content-Encoding: {coding}")
    framing = draw(st.sampled_from(["length", "chunks", "close"])) if status not in {204, 304} else "none"
    if framing == "length":
        lines.append(f"Content-Length: {len(raw)}")
    elif framing == "chunks":
        lines.append("Transfer-Encoding: chunked")
        cuts = sorted({0, len(raw), *draw(st.lists(st.integers(0, len(raw)), max_size=5))})
        extension = draw(st.sampled_from([b"", b";a", b' ;a="b"', b" "]))
        chunks = [b"%x%b\r\n%b\r\n" % (end - start, extension, raw[start:end]) for start, end in pairwise(cuts)]
        raw = b"".join(chunks) + b"0\r\n" + draw(st.sampled_from([b"", b"T: x\r\n"])) + b"\r\n"
    interim = draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n"]))
    head = "\r\n".join([f"HTTP/1.1 {status} Reason", *lines, "", ""]).encode()
    return Said(status, headers, body, framing == "close", interim + head + raw)


def pieces(raw: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted({0, len(raw), *(cut % (len(raw) + 1) for cut in cuts)})
    return [raw[start:end] for start, end in pairwise(ends)]


@given(said=answers(), cuts=st.lists(st.integers(0, 2_000), max_size=12))
def test_an_answer_is_read_the_same_however_its_bytes_are_cut(said: Said, cuts: list[int]) -> None:
    answer = Answer()
    *before, last = pieces(said.raw, cuts)
    assert not any(answer.feed(piece) for piece in before)
    assert answer.feed(last) is not said.until_closed
    if said.until_closed:
        answer.end()
    assert (answer.status, answer.body, answer.keeps) == (said.status, said.body, not said.until_closed)
    assert {name.lower(): value for name, value in said.headers.items()}.items() <= answer.headers.items()


@given(said=answers())
@pytest.mark.slow
def test_an_answer_byte_by_byte(said: Said) -> None:
    answer = Answer()
    whole = [answer.feed(bytes([byte])) for byte in said.raw]
    assert whole == [False] * (len(whole) - 1) + [not said.until_closed]


FRAGMENTS = st.sampled_from(
    b"HTTP/1.1 200 OK\r\n|HTTP/1.0 204\r\n|\r\n|Content-Length: 3\r\n|Transfer-Encoding: chunked\r\n|3\r\nabc\r\n|"
    b"0\r\n|\n|\r|\0| |Content-Encoding: gzip\r\n|Connection: close\r\n".split(b"|")
)


@given(parts=st.lists(st.one_of(FRAGMENTS, st.binary(max_size=8)), max_size=30))
@example(parts=[b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"])
def test_any_bytes_are_an_answer_or_refused(parts: list[bytes]) -> None:
    """And what is an answer in pieces is the same one in a single piece."""
    outcomes: list[object] = []
    for fed in (parts, [b"".join(parts)]):
        answer = Answer()
        try:
            whole = any(answer.feed(part) for part in fed)
            if not whole:
                answer.end()
        except (Malformed, ConnectionResetError) as error:
            outcomes.append(type(error))
        else:
            outcomes.append((answer.status, answer.headers, answer.body))
    assert outcomes[0] == outcomes[1]


def test_memory_is_bounded_while_an_endless_answer_comes() -> None:
    for begin in (b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n"):
        answer = Answer()
        answer.feed(begin)
        with pytest.raises(Malformed):  # noqa: PT012 - which piece is too many is not the point
            for _ in range(40):
                answer.feed(b"a" * 65_536)


def test_the_longest_answer_and_one_byte_more() -> None:
    for size, coding in ((ANSWER_LIMIT, bytes), (ANSWER_LIMIT, gzip.compress)):
        raw = coding(bytes(size))
        answer = Answer()
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % len(raw)
        head += b"Content-Encoding: gzip\r\n" if coding is gzip.compress else b""
        assert answer.feed(head + b"\r\n" + raw)
        assert len(answer.body) == size
    with pytest.raises(TooLong):
        Answer().feed(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (ANSWER_LIMIT + 1))
    packed = gzip.compress(bytes(ANSWER_LIMIT + 1))
    with pytest.raises(TooLong):
        Answer().feed(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(packed), packed)
        )


@pytest.mark.parametrize(
    ("lines", "fine"),
    [
        ([b"A: b"] * 100, True),
        ([b"A: b"] * 101, False),
        ([b"A: " + b"b" * 8_189], True),
        ([b"A: " + b"b" * 8_190], False),
        ([b"A: " + b"b" * 8_000] * 8, True),
        ([b"A: " + b"b" * 8_000] * 9, False),
    ],
    ids=range(6),
)
def test_the_most_headers_that_are_read(lines: list[bytes], fine: bool) -> None:  # noqa: FBT001
    raw = b"\r\n".join([b"HTTP/1.1 204 No Content", *lines, b"", b""])
    if fine:
        assert Answer().feed(raw)
    else:
        with pytest.raises(Malformed):
            Answer().feed(raw)


@pytest.mark.parametrize(
    ("base_url", "host", "port", "written", "target"),
    [
        ("https://gateway.example", "gateway.example", 443, b"gateway.example", b"/send"),
        ("https://gateway.example:443/", "gateway.example", 443, b"gateway.example", b"/send"),
        ("https://gateway.example:8443/api", "gateway.example", 8443, b"gateway.example:8443", b"/api/send"),
        ("http://[::1]:8080/a%2Fb", "::1", 8080, b"[::1]:8080", b"/a%2Fb/send"),
        ("https://b\u00fccher.example", "xn--bcher-kva.example", 443, b"xn--bcher-kva.example", b"/send"),
        ("https://GATEWAY.example", "gateway.example", 443, b"gateway.example", b"/send"),
    ],
)
def test_where_a_base_url_leads(base_url: str, host: str, port: int, written: bytes, target: bytes) -> None:
    origin = Origin.of(base_url)
    assert (origin.host, origin.port) == (host, port)
    raw = encode(origin, Request(method="POST", path="/send"))
    assert raw.startswith(b"POST %b HTTP/1.1\r\nHost: %b\r\n" % (target, written))


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "x",
        "ftp://h",
        "http://",
        "https://u:p@h",
        "https://u@h",
        "https://h?a",
        "https://h#a",
        "https://h\n",
        "http://h:x",
    ],
)
def test_a_base_url_that_leads_nowhere(base_url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Origin.of(base_url)


@given(
    method=st.text(max_size=5),
    path=st.text(max_size=20),
    headers=st.dictionaries(st.text(max_size=5), st.text(max_size=10), max_size=3),
    body=st.none() | st.binary(max_size=20),
)
def test_a_request_is_one_request_or_refused(
    method: str, path: str, headers: dict[str, str], body: bytes | None
) -> None:
    origin = Origin.of("https://gateway.example/api")
    try:
        raw = encode(origin, Request(method=method, path=path, headers=headers, body=body))
    except ValueError:
        return
    head, _, rest = raw.partition(b"\r\n\r\n")
    assert rest == (body or b"")
    first, *lines = head.split(b"\r\n")
    assert len(first.split(b" ")) == 3
    assert all(b":" in line and not set(line) & {0, 10, 13} for line in lines)
    assert len({line.partition(b":")[0].lower() for line in lines}) == len(lines)
    assert sum(line.lower().startswith(b"host:") for line in lines) == 1


def test_a_line_that_came_before_is_refused_as_it_was() -> None:
    """What is remembered of a line are its name and value, and never that it was let through."""
    for line, why in ((b"A: \x01", "control"), (b"A b: c", "no name"), (b"A: " + b"b" * 8_190, "8 KiB")):
        for _ in range(2):
            with pytest.raises(Malformed, match=why):
                Answer().feed(b"HTTP/1.1 200 OK\r\nX: y\r\n%b\r\nContent-Length: 0\r\n\r\n" % line)
    for length in (3, 3, 2):
        answer = Answer()
        assert answer.feed(b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: %d\r\n\r\n%b" % (length, b"abc"[:length]))
        assert answer.headers == {"x": "y", "content-length": str(length)}
