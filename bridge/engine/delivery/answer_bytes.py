"""An HTTP/1.1 answer out of its bytes, read without a socket.

It is read strictly: bytes that two readers could take for two things are Malformed. Reasons never quote them.
"""

from __future__ import annotations

import re
import zlib
from functools import lru_cache
from typing import Final

from bridge.engine.delivery.request_bytes import CONTROLS, TOKEN, is_clean
from bridge.frozen import dataclass

ANSWER_LIMIT: Final = 1 << 20
"""Bytes of a provider's answer that are read; a longer one has an unknown outcome."""
_HEAD_BYTES: Final = 64 * 1024
_LINE_BYTES: Final = 8 * 1024
_FIELDS: Final = 100
_DIGITS: Final = 18
_CONTROL: Final = re.escape(CONTROLS.decode())
_STATUS_LINE: Final = re.compile(rf"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [^{_CONTROL}]*)?")
_FIELD: Final = re.compile(rf"({TOKEN.pattern}):([^{_CONTROL}]*)")
_CHUNK_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")
_CHUNK_LINES: Final = 64 * 1024
"""Bytes of the lines with sizes, extensions and trailers; with them, the number of chunks is bounded."""
_FRAMING: Final = frozenset({"content-length", "transfer-encoding"})
_BODILESS: Final = frozenset({204, 304})
_SWITCHING: Final = 101
_LAST_INTERIM: Final = 199
_CODINGS: Final = frozenset({"gzip", "deflate"})
_DEFLATED: Final = 8


class Malformed(Exception):
    """The bytes are no HTTP/1.1 answer."""


class TooLong(Malformed):
    """The body has more than ANSWER_LIMIT bytes."""

    def __init__(self) -> None:
        super().__init__("the answer is longer than 1 MiB")


@dataclass(slots=True)
class Head:
    """An answer up to its blank line. `keeps`: another one may follow on its connection.

    `framed_twice`: a header that tells the length stands twice.
    """

    status: int
    current: bool
    keeps: bool
    headers: dict[str, str]
    framed_twice: bool


@lru_cache(256)
def _status_line(line: str) -> tuple[int, bool]:
    """The status, and whether it is HTTP/1.1."""
    read = _STATUS_LINE.fullmatch(_bounded(line))
    if read is None:
        raise Malformed(_held(line) or "it begins with no status line")
    return int(read[2]), read[1] == "1"


@lru_cache(256)
def _field(line: str) -> tuple[str, str]:
    """The name in lower case, and the value. Most lines stood in the answer before, so each is read once."""
    read = _FIELD.fullmatch(_bounded(line))
    if read is None:
        raise Malformed(_held(line) or "a header has no name, or no colon")
    return read[1].lower(), read[2].strip(" \t")


@lru_cache(256)
def _size(length: str) -> int:
    if not (length.isascii() and length.isdigit()):
        raise Malformed("its length is no number")
    return int(length) if len(length) <= _DIGITS else ANSWER_LIMIT + 1


def _bounded(line: str) -> str:
    if len(line) > _LINE_BYTES:
        raise Malformed("a header is longer than 8 KiB")
    return line


def _held(line: str) -> str:
    return "" if is_clean(line.encode("utf-8", "surrogateescape"), 0) else "a header holds a control character"


def read_head(raw: bytes) -> Head:
    """The head in `raw`, which ends where its last line does. Raises Malformed."""
    first, *lines = raw.decode("utf-8", "surrogateescape").split("\r\n")
    if len(lines) > _FIELDS:
        raise Malformed("it has more than 100 headers")
    status, current = _status_line(first)
    if status == _SWITCHING:
        raise Malformed("it switches to another protocol")
    keeps = current
    fields = [*map(_field, lines)]
    headers = dict(fields)
    if "connection" in headers:
        said = ",".join(value for name, value in fields if name == "connection")
        options = {option.strip(" \t") for option in said.lower().split(",")}
        keeps = "close" not in options and (current or "keep-alive" in options)
    twice = len(headers) < len(fields) and _is_framed_twice(fields)
    return Head(status, current, keeps, headers, twice)


def _is_framed_twice(fields: list[tuple[str, str]]) -> bool:
    names = [name for name, _ in fields]
    return any(names.count(name) > 1 for name in _FRAMING)


class Answer:
    """One answer. `status`, `headers`, `body` and `keeps` are right from the moment when it is whole."""

    status: int
    headers: dict[str, str]
    keeps: bool
    body: bytes
    to_head = False
    """Whether the request was a HEAD."""
    _buffer = b""
    _head_bytes = 0
    _rest: _Sized | _Chunked | _UntilClosed | None = None

    def feed(self, data: bytes) -> bool:
        """Take the next bytes; whether the answer is whole now. Raises Malformed."""
        if self._rest is not None:
            return self._read(self._rest, data)
        start = begin = 0
        if self._buffer:
            start = max(len(self._buffer) - 3, 0)
            data = self._buffer + data
        while (end := data.find(b"\r\n\r\n", start)) >= 0:
            self._head_bytes += end - begin
            if self._head_bytes > _HEAD_BYTES:
                raise Malformed("its headers are longer than 64 KiB")
            head = read_head(data[begin:end])
            begin = start = end + 4
            if head.status > _LAST_INTERIM:
                data, rest = data[begin:], self._framed(head)
                if rest == len(data):
                    self._end(data)
                    return True
                self._rest = _Sized(rest) if isinstance(rest, int) else rest
                return self._read(self._rest, data)
        data = data[begin:]
        if len(data) + self._head_bytes > _HEAD_BYTES:
            raise Malformed("its headers are longer than 64 KiB")
        if data.count(b"\n") != data.count(b"\r\n"):
            raise Malformed("a line ends without a carriage return")
        self._buffer = data
        return False

    def end(self) -> None:
        """The connection is over. Raises ConnectionResetError unless that ends the answer."""
        if not isinstance(self._rest, _UntilClosed):
            raise ConnectionResetError
        self._end(self._rest.body())

    def _framed(self, head: Head) -> int | _Chunked | _UntilClosed:
        """The length of the body, or what tells its end: RFC 9112, 6.3."""
        self.status, self.headers, self.keeps = head.status, head.headers, head.keeps
        length, coding = head.headers.get("content-length"), head.headers.get("transfer-encoding")
        if head.framed_twice or (length is not None and coding is not None):
            raise Malformed("its length is said twice")
        size = None if length is None else _size(length)
        if coding is not None and (coding.lower() != "chunked" or not head.current):
            raise Malformed("it comes in an unknown transfer coding")
        if self.to_head or head.status in _BODILESS:
            return 0
        if coding is not None:
            return _Chunked()
        if size is None:
            self.keeps = False
            return _UntilClosed()
        if size > ANSWER_LIMIT:
            raise TooLong
        return size

    def _read(self, rest: _Sized | _Chunked | _UntilClosed, data: bytes) -> bool:
        body = rest.feed(data)
        if body is None:
            return False
        if rest.has_surplus:
            self.keeps = False
        self._end(body)
        return True

    def _end(self, body: bytes) -> None:
        coding = self.headers.get("content-encoding", "").lower()
        self.body = inflate(body, coding) if body and coding in _CODINGS else body


def inflate(body: bytes, coding: str) -> bytes:
    """The bytes that "gzip" or "deflate" made into `body`, never more than ANSWER_LIMIT. Raises Malformed."""
    if coding == "gzip":
        window = 16 + zlib.MAX_WBITS
    else:  # some servers leave out the header of zlib
        window = zlib.MAX_WBITS if body[0] & 15 == _DEFLATED else -zlib.MAX_WBITS
    inflating = zlib.decompressobj(window)
    try:
        plain = inflating.decompress(body, ANSWER_LIMIT + 1)
    except zlib.error:
        raise Malformed("its content coding is broken") from None
    if len(plain) > ANSWER_LIMIT:
        raise TooLong
    if not inflating.eof or inflating.unused_data:
        raise Malformed("its content coding is broken")
    return plain


class _Sized:
    """A body of known length."""

    has_surplus = False

    def __init__(self, length: int) -> None:
        self._left = length
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> bytes | None:
        """The body, once it is whole."""
        left = self._left - len(data)
        if left < 0:
            self.has_surplus, data, left = True, data[: self._left], 0
        self._left = left
        self._parts.append(data)
        return None if left else b"".join(self._parts)


class _UntilClosed:
    """A body that ends with its connection."""

    __slots__ = ("_parts", "_size")

    has_surplus = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Nothing comes of it: see Answer.end."""
        self._parts.append(data)
        self._size += len(data)
        if self._size > ANSWER_LIMIT:
            raise TooLong

    def body(self) -> bytes:
        return b"".join(self._parts)


class _Chunked:
    """A body in chunks: each begins with a line that has its size, and trailers come behind the last."""

    __slots__ = ("_buffer", "_in_trailers", "_left", "_lines", "_parts", "_size", "has_surplus")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._left: int | None = None
        self._in_trailers = False
        self._parts: list[bytes] = []
        self._size = self._lines = 0
        self.has_surplus = False

    def feed(self, data: bytes) -> bytes | None:
        """The body, once it is whole."""
        self._buffer += data
        while True:
            if self._left is not None:
                if not self._chunk(self._left):
                    return None
                continue
            line = self._line()
            if line is None:
                return None
            if not self._in_trailers:
                self._begin(line)
            elif not line:
                self.has_surplus = bool(self._buffer)
                return b"".join(self._parts)

    def _line(self) -> bytes | None:
        """The next line, once it is there."""
        end = self._buffer.find(b"\n")
        if max(end, len(self._buffer) if end < 0 else 0) > _LINE_BYTES:
            raise Malformed("the line of a chunk is longer than 8 KiB")
        if end < 0:
            return None
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        self._lines += len(line)
        if self._lines > _CHUNK_LINES:
            raise Malformed("the lines of its chunks are longer than 64 KiB")
        if line[-2:] != b"\r\n" or not is_clean(line, 1):
            raise Malformed("the line of a chunk holds a control character")
        return line[:-2]

    def _begin(self, line: bytes) -> None:
        read = _CHUNK_LINE.fullmatch(line)
        if read is None:
            raise Malformed("a chunk has no size")
        size = int(read[1], 16)
        self._size += size
        if self._size > ANSWER_LIMIT:
            raise TooLong
        self._in_trailers = not size
        self._left = size or None

    def _chunk(self, size: int) -> bool:
        """Take a chunk, once it is there with its end of line."""
        if len(self._buffer) < size + 2:
            return False
        if self._buffer[size : size + 2] != b"\r\n":
            raise Malformed("a chunk is not as long as it says")
        self._parts.append(bytes(self._buffer[:size]))
        del self._buffer[: size + 2]
        self._left = None
        return True
