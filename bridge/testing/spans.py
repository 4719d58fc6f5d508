"""Spans of time as people write them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

_UNITS: Final = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_WRITTEN: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d)")


def seconds_of(span: str | float | timedelta) -> float:
    """Seconds in "30s", "5m", "2h", "1d", "1h 30m", a number of seconds or a timedelta. Raises ValueError."""
    if isinstance(span, timedelta):
        return span.total_seconds()
    if isinstance(span, int | float):
        return float(span)
    if not re.fullmatch(rf"(?:{_WRITTEN.pattern}\s*)+", span):
        raise ValueError(f"{span!r} is no span of time; one looks like 30s, 5m, 2h, 1d or 1h 30m")
    return sum(float(number) * _UNITS[unit] for number, unit in _WRITTEN.findall(span))
