"""Pure conversions: times, texts, durations, and what JSON can hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import re

import math
import re
from dataclasses import dataclass
from ipaddress import ip_address
from math import inf

SECOND: Final = 1_000_000


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def moment(micros: int) -> datetime:
    """Stored microseconds as an aware datetime."""
    return _EPOCH + timedelta(microseconds=micros)


def micros(when: datetime) -> int:
    """An aware datetime as the microseconds that are stored."""
    return round(when.timestamp() * SECOND)


def fold(text: str) -> str:
    """A text as `text=` compares it: trimmed and case-folded."""
    return text.strip().casefold()


_UNITS: Final = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class PerPeriod:
    """So many in a number of seconds."""

    count: int
    seconds: float


def read_seconds(value: Any) -> Any:  # noqa: ANN401 - whatever stood in the file
    """`"10s"`, `"1.5min"`, `"2h"` or a number of seconds."""
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)?", value.strip())
        value = float(match[1]) * _UNITS[match[2] or "s"] if match else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < inf:
        message = f"a duration is a number with one of {', '.join(_UNITS)}, like 10s"
        raise ValueError(message)
    return float(value)


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


_DEPTH_LIMIT: Final = 64


def not_json(value: object, path: str, depth: int = 0) -> str | None:
    """What in `value` would not come back from JSON as it went in, or None."""
    if not isinstance(value, dict | list | tuple):
        problem = _not_scalar(value)
        return problem and f"{path} {problem}"
    if depth > _DEPTH_LIMIT:
        return f"{path} is nested more than {_DEPTH_LIMIT} deep"
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(value, dict) and (not isinstance(key, str) or _not_scalar(key)):
            return f"{path} has the key {key!r}, a {type(key).__name__}; a key is a text"
        if problem := not_json(each, f"{path}[{key!r}]", depth + 1):
            return problem
    return None


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
