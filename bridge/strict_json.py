"""JSON as strictly as a door should read it: one reading of a body, or none."""

from __future__ import annotations

import json
import math
from typing import Any, Final

from bridge.errors import WebhookError

DEPTH: Final = 64
"""Levels of objects and arrays a body may have."""


def read_object(body: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8, without duplicate keys, NaN, Infinity, numbers out of range, or too many levels.

    Raises:
        WebhookError: 400, never with anything of the body in it.
    """
    try:
        value = _DECODER.decode(body.decode())
    except UnicodeDecodeError:
        raise WebhookError(400, "not UTF-8") from None
    except (ValueError, RecursionError):
        raise WebhookError(400, "not JSON") from None
    if not isinstance(value, dict):
        raise WebhookError(400, "not a JSON object")
    if body.count(b"{") + body.count(b"[") > DEPTH and _depth(value) > DEPTH:
        raise WebhookError(400, f"more than {DEPTH} levels deep")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("a number out of range")
    return value


def _refuse(_: str) -> Any:  # noqa: ANN401 - never returns
    raise ValueError("not a number")


def _depth(value: object) -> int:
    deepest = 0
    level = [value]
    while level := [each for each in level if isinstance(each, dict | list)]:
        deepest += 1
        if deepest > DEPTH:
            break
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return deepest


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse)
