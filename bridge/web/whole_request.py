"""A POST request that came whole, in one piece and in its usual form, out of its bytes.

Only what every reader takes for the same is read here. All else is left to aiohttp's parser, which refuses it or
understands it: a request in pieces, two in one piece, a header that stands twice, characters beyond ASCII.
"""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs
from multidict import CIMultiDict, CIMultiDictProxy

if TYPE_CHECKING:
    from collections.abc import Container

_HEAD_BYTES: Final = 8 * 1024
_FIELDS: Final = 64
_NAME: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_VALUE: Final = r"(?:[!-~][\t -~]*+(?<![\t ]))?"
_FIELD: Final = re.compile(f"({_NAME}): ?({_VALUE})\r\n")
_HEAD: Final = re.compile(f"POST (/[!-~]*+) HTTP/1\\.1\r\n((?:{_NAME}: ?{_VALUE}\r\n)*+)\r\n".encode())
_UNUSUAL: Final = re.compile(
    rb"^(?:transfer-encoding|te|trailer|expect|upgrade|keep-alive|(?:proxy-)?connection(?!: ?keep-alive\r)):",
    re.IGNORECASE | re.MULTILINE,
)
"""Headers that say how a request is framed, or what is to become of its connection."""
_names = itemgetter(0)


def read_whole(data: bytes, paths: Container[str]) -> tuple[str, CIMultiDictProxy[str], bytes] | None:
    """The path, which is one of `paths`, the headers and the body of the request that is `data`; None: look closer."""
    head = _HEAD.match(data, 0, _HEAD_BYTES)
    if head is None or _UNUSUAL.search(head[2]) is not None:
        return None
    path, fields, body = head[1].decode(), _FIELD.findall(head[2].decode()), data[head.end() :]
    headers = CIMultiDict(fields)
    if (
        path not in paths
        or headers.get(hdrs.CONTENT_LENGTH) != str(len(body))
        or hdrs.HOST not in headers
        or len(fields) > _FIELDS
        or len(set(map(str.lower, map(_names, fields)))) < len(fields)
    ):
        return None
    return path, CIMultiDictProxy(headers), body
