"""Strict JSON: one reading of a body, and what a value keeps on its way through JSON."""

from __future__ import annotations

import json
import math
import re
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NoReturn

import orjson

from bridge.errors import WebhookError

if TYPE_CHECKING:
    from collections.abc import Callable

DEPTH: Final = 64
"""Levels of objects and arrays in a body, and below the top of a stored value."""
VALUES: Final = 10_000
"""Values in a body: many small ones cost far more time than their bytes say."""
_SPACE: Final = " \t\n\r"
_STRINGS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""A text, also one that does not end: so each byte is looked at once."""


def read_object(body: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8, without duplicate keys, NaN, Infinity, numbers out of range, too many values or levels.

    Raises:
        WebhookError: 400. Its text holds nothing of the body.
    """
    if len(body) > VALUES and _has_many_values(body):  # each value takes a byte
        raise WebhookError(400, f"more than {VALUES} values")
    try:
        text = body.decode().strip(_SPACE)
        value, end = _scan(text, 0)
    except UnicodeDecodeError:
        raise WebhookError(400, "not UTF-8") from None
    except (ValueError, RecursionError, StopIteration):
        raise WebhookError(400, "not JSON") from None
    if end < len(text):
        raise WebhookError(400, "not JSON")
    if not isinstance(value, dict):
        raise WebhookError(400, "not a JSON object")
    if body.count(b"{") + body.count(b"[") > DEPTH and _depth(value) > DEPTH:
        raise WebhookError(400, f"more than {DEPTH} levels deep")
    return value


def not_json(value: object, path: str, depth: int = 0, *, exact: bool = False) -> str | None:
    """The first part of `value` that JSON would refuse or change, as a reason; None when JSON keeps all of it.

    A tuple comes back as a list, and a member of an enum as its value: only `exact` minds these.
    """
    if exact and isinstance(value, tuple | Enum):
        return f"{path} is {_changed(value)}"
    if not isinstance(value, dict | list | tuple):
        problem = _not_scalar(value)
        return problem and f"{path} {problem}"
    if depth > DEPTH:
        return f"{path} is nested more than {DEPTH} deep"
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(value, dict) and (
            not isinstance(key, str) or _not_scalar(key) or (exact and isinstance(key, Enum))
        ):
            return f"{path} has the key {key!r}, a {type(key).__name__}; a key is a text"
        if item is None or (type(item) is str and item.isascii()):  # most are, and a state may have thousands
            continue
        if problem := not_json(item, "", depth + 1, exact=exact):
            return f"{path}[{key!r}]{problem}"
    return None


def json_bytes(value: object) -> bytes:
    """A value as JSON that is kept for a while. Raises TypeError."""
    return b"%b" % orjson.dumps(value)  # as `trimmed`


def trimmed(data: bytes) -> bytes:
    """JSON that orjson wrote and that is kept for a while, in as many bytes as it has: orjson leaves room for 4,096.

    A format copies in a quarter of the instructions of a memoryview; a slice of all would be no copy.
    """
    return b"%b" % data


def has_nul(value: object) -> bool:
    """Whether a text in a JSON value holds a NUL character, which not every store and gateway takes."""
    match value:
        case str():
            return "\0" in value
        case dict():
            return any(has_nul(key) or has_nul(item) for key, item in value.items())
        case list() | tuple():
            return any(map(has_nul, value))
    return False


def _changed(value: object) -> str:
    if isinstance(value, Enum):
        return f"{value!r}, which would come back as {value.value!r}: keep its value"
    return "a tuple, which would come back as a list: keep a list"


def _not_scalar(value: object) -> str | None:
    problem = None
    match value:
        case None | bool():
            pass
        case str() if not _is_utf8(value):
            problem = "has a lone surrogate, which is no text"
        case int() if not -(2**63) <= value < 2**64:
            problem = "is an integer of more than 64 bits"
        case float() if not math.isfinite(value):
            problem = f"is {value}, which is not JSON"
        case str() | int() | float():
            pass
        case _:
            problem = f"is a {type(value).__name__}, which is not JSON"
    return problem


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key stands twice")
    return values


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("a number out of range")
    return value


def _refuse(_: str) -> NoReturn:
    raise ValueError("not a number")


def _has_many_values(body: bytes) -> bool:
    """Whether there are more than VALUES."""
    return _values(body) > VALUES and (_has_many_texts(body) or _values(_STRINGS.sub(b"", body)) > VALUES)


def _values(body: bytes) -> int:
    """At least as many values as there are; more where texts hold brackets and commas."""
    return body.count(b"{") + body.count(b"[") + body.count(b",")


def _has_many_texts(body: bytes) -> bool:
    """Whether there are more than VALUES by the quotes alone: a value has two at most, and two of its key."""
    return body.count(b'"') - body.count(b'\\"') > 4 * VALUES


def _depth(value: object) -> int:
    deepest = 0
    level = [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        deepest += 1
        if deepest > DEPTH:
            break
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return deepest


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse)
_scan: Final[Callable[[str, int], tuple[Any, int]]] = _DECODER.scan_once  # type: ignore[attr-defined]  # not in typeshed
"""The value that begins at a place in a text, and where it ends; StopIteration: none does."""
