"""Limits on a request before it is read: size, encoding, type, HTTP version."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Final

from aiohttp import HttpVersion10, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from bridge.errors import WebhookError

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

    from bridge.web.short_way import Asked

BODY_SECONDS: Final = 10.0
_ENCODINGS: Final = frozenset({"", "identity", "gzip"})
_GZIP: Final = b"\x1f\x8b"
"""How gzip begins, and JSON does not."""
_MEMBERS: Final = 16
"""Members of gzip that are looked at: each one costs a copy of all that is behind it."""
_CONTINUE: Final = "100-continue"
_UNREADABLE: Final = (
    HttpProcessingError,
    web.RequestPayloadError,
    web.PayloadAccessError,
    ConnectionError,
    ValueError,
)
_TRANSFERS: Final = frozenset({"", "chunked", "identity"})


def check_line(request: web.BaseRequest) -> None:
    """Refuse what is not meant for us, or is not a request as we read them, whatever its path.

    Raises:
        WebhookError: 400 or 417.
    """
    if request.version < HttpVersion10:
        raise WebhookError(400, "not HTTP/1")
    if request.raw_path[:1] != "/":
        raise WebhookError(400, "want a path for a target")
    if hdrs.EXPECT in request.headers and request.headers[hdrs.EXPECT].lower() != _CONTINUE:
        raise WebhookError(417, "unknown expectation")


def check_head(request: Asked, limit: int) -> None:
    """Refuse by the head alone what can be: nothing of the body has been read.

    Raises:
        WebhookError: 400, 413, 415 or 501.
    """
    headers = request.headers
    if hdrs.TRANSFER_ENCODING in headers and _joined(headers, hdrs.TRANSFER_ENCODING) not in _TRANSFERS:
        raise WebhookError(501, "unknown transfer encoding")
    if hdrs.CONTENT_ENCODING in headers and _joined(headers, hdrs.CONTENT_ENCODING) not in _ENCODINGS:
        raise WebhookError(415, "unknown content encoding")
    if headers.get(hdrs.CONTENT_TYPE) != "application/json":
        _check_type(request)
    if (request.content_length or 0) > limit:
        raise WebhookError(413, f"larger than {limit} bytes")


def _joined(headers: CIMultiDictProxy[str], name: str) -> str:
    """A header that may stand several times, as the one list it then is."""
    return ",".join(headers.getall(name, ())).strip().lower()


def _check_type(request: Asked) -> None:
    """application/json or something+json, in UTF-8 where it names a charset."""
    kind = request.content_type
    if request.headers.get(hdrs.CONTENT_TYPE) is None or not (kind == "application/json" or kind.endswith("+json")):
        raise WebhookError(415, "not JSON: want content type application/json")
    if (request.charset or "utf-8").lower() not in {"utf-8", "utf8"}:
        raise WebhookError(415, "unknown charset: want utf-8")


async def read_body(request: Asked, limit: int) -> bytes:
    """The body as JSON has it, at most `limit` bytes of it, within 10 seconds.

    Raises:
        WebhookError: 400 (broken gzip, cut off), 408 or 413.
    """
    return plain_of(request, await read_raw(request, limit), limit)


async def read_raw(request: Asked, limit: int) -> bytes:
    """The body as it came, or as a server that inflates by itself hands it on. See read_body."""
    if request.content.is_eof():
        return whole_body(request, limit)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _read(request, limit)
    except TimeoutError:
        raise WebhookError(408, "the body did not come in time") from None
    except _UNREADABLE:
        raise WebhookError(400, "the body cannot be read") from None
    return _bounded(request, body, limit)


def whole_body(request: Asked, limit: int) -> bytes:
    """The same of a body that is here to its end."""
    try:
        body = request.content.read_nowait()
    except _UNREADABLE:
        raise WebhookError(400, "the body cannot be read") from None
    return _bounded(request, body, limit)


def _bounded(request: Asked, body: bytes, limit: int) -> bytes:
    if getattr(request.protocol, "overframed", None) is request.content:
        raise WebhookError(400, "the chunks hold more than the body")
    return bounded(body, limit)


def bounded(body: bytes, limit: int) -> bytes:
    """A body of at most `limit` bytes. Raises WebhookError 413."""
    if len(body) > limit:
        raise WebhookError(413, f"larger than {limit} bytes")
    return body


def plain_of(request: Asked, body: bytes, limit: int) -> bytes:
    """What `read_raw` read, inflated where it is gzip. Raises WebhookError: 400 or 413."""
    if not is_gzip(request):
        return body
    if body[: len(_GZIP)] != _GZIP:
        raise WebhookError(400, "the body is not gzip")
    return bounded(inflate(body, limit), limit)


def is_gzip(request: Asked) -> bool:
    """Whether the body is to be inflated: it is announced as gzip, and no host's server has inflated it already."""
    if hdrs.CONTENT_ENCODING not in request.headers or _joined(request.headers, hdrs.CONTENT_ENCODING) != "gzip":
        return False
    return getattr(request.content, "total_compressed_bytes", None) is None


def inflate(data: bytes, limit: int) -> bytes:
    """What is in gzip, in one member or several, and nothing behind them; at most a little more than `limit` bytes.

    Raises:
        WebhookError: 400.
    """
    found = b""
    for _ in range(_MEMBERS + 1):
        if not data or len(found) > limit:
            return found
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            found += member.decompress(data, limit + 1 - len(found))
        except zlib.error:
            raise WebhookError(400, "the body is not gzip") from None
        if not member.eof and len(found) <= limit:
            raise WebhookError(400, "the body is cut off")
        data = member.unused_data
    raise WebhookError(400, "the body is in too many pieces")


async def _read(request: Asked, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := await request.content.readany():
        parts.append(part)
        size += len(part)
        if size > limit:
            break
    return b"".join(parts)
