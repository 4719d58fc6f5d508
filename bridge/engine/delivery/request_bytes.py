"""The bytes of an HTTP/1.1 request, made without a socket. A request that would say more than one is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from yarl import URL

if TYPE_CHECKING:
    from bridge.providers.port import Request

CONTROLS: Final = bytes(code for code in (*range(32), 127) if code != ord("\t"))
"""The bytes that stand in no line of a request or an answer."""
TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET: Final = re.compile(r"/[!-~]*")
_FRAMING: Final = frozenset({"content-length", "transfer-encoding", "expect", "upgrade"})
"""Headers that say how the bytes are to be read: a provider has no say in them."""
_BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


_HEADS: Final = 256
"""Heads that an origin remembers: a path or a header may name its message, and is never asked for again."""


@lru_cache(1024)
def field_name(name: str) -> str:
    """In lower case. Raises ValueError when it is no token."""
    if TOKEN.fullmatch(name) is None:
        raise ValueError("a name is no token")
    return name.lower()


def is_clean(head: bytes | bytearray, lines: int) -> bool:
    """Whether `head` has no control characters but tabs and the ends of `lines` lines."""
    return len(head.translate(None, CONTROLS)) == len(head) - 2 * lines


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a base URL leads, and the part of a request that is the same for each of its paths."""

    base_url: str
    secure: bool
    host: str
    port: int
    prefix: str
    fields: dict[str, str]
    key: tuple[bool, str, int]
    heads: dict[tuple[object, ...], bytes] = field(default_factory=dict, compare=False)
    """The heads of late requests, up to their length: most gateways get the same one each time."""

    @classmethod
    def of(cls, base_url: str) -> Origin:
        """Raises ValueError when it is no http or https URL of a host and a path."""
        if not is_clean(base_url.encode(), 0):
            raise ValueError("the address holds a control character")
        url, as_given = URL(base_url), URL(base_url, encoded=True)
        if url.scheme not in {"http", "https"} or not url.raw_host or url.port is None:
            raise ValueError("the address has no host")
        if url.raw_user is not None or url.raw_password is not None or url.raw_query_string or url.raw_fragment:
            raise ValueError("the address is more than a host and a path")
        fields = {
            "host": f"Host: {url.host_port_subcomponent}\r\n",
            "user-agent": "User-Agent: threadbridge\r\n",
            "accept": "Accept: */*\r\n",
            "accept-encoding": "Accept-Encoding: gzip, deflate\r\n",
        }
        prefix = as_given.raw_path if as_given.raw_path != "/" else ""
        secure = url.scheme == "https"
        return cls(base_url, secure, url.raw_host, url.port, prefix, fields, (secure, url.raw_host, url.port))


def encode(origin: Origin, request: Request) -> bytes:
    """The whole request. Raises ValueError when it holds what could be read as another one."""
    body = request.body
    if request.query:
        head = _head(origin, request)
    else:
        key = (request.method, request.path, body is None, *request.headers, *request.headers.values())
        head = origin.heads.get(key, b"")
        if not head:
            if len(origin.heads) >= _HEADS:
                origin.heads.clear()
            head = origin.heads[key] = _head(origin, request)
    return head + b"\r\n" if body is None else b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)


def _head(origin: Origin, request: Request) -> bytes:
    """The head without the length of a body. Raises ValueError as `encode` does."""
    method = request.method.upper()
    fields = origin.fields.copy()
    for name, value in request.headers.items():
        fields[field_name(name)] = f"{name}: {value}\r\n"
    if not _FRAMING.isdisjoint(fields):
        raise ValueError("a header says how the request is to be read")
    if request.body is not None:
        fields.setdefault("content-type", "Content-Type: application/json\r\n")
    elif method not in _BODILESS:
        fields["content-length"] = "Content-Length: 0\r\n"
    field_name(method)
    head = f"{method} {_target(origin, request)} HTTP/1.1\r\n{''.join(fields.values())}".encode()
    if not is_clean(head, len(fields) + 1):
        raise ValueError("a header holds a control character")
    return head


def _target(origin: Origin, request: Request) -> str:
    path = request.path.partition("#")[0]
    if path[:1] not in {"", "/", "?"}:
        raise ValueError("the path does not begin with a slash")
    if request.query:
        target = URL(origin.base_url + path, encoded=True).update_query(request.query).raw_path_qs
    else:
        target = origin.prefix + path
    if target[:1] != "/":
        target = f"/{target}"
    if _TARGET.fullmatch(target) is None:
        raise ValueError("the path holds a character that stands in no URL")
    return target
