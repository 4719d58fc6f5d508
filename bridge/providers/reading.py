"""Reading a webhook's JSON leniently: any field may be missing or of any type, and none may break the reading."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from bridge.units import moment

if TYPE_CHECKING:
    from collections.abc import Mapping

_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_FAST_CLOCKS: Final = timedelta(days=1)
_MILLISECONDS_FROM: Final = 100_000_000_000
"""A number of seconds as large as this is in the year 5138; a number of milliseconds is in 1973."""
_NO_TIME: Final = 1000 * _MILLISECONDS_FROM
"""Milliseconds of that year: whatever is larger is no time, and may be too large for any float."""


def text(values: Mapping[str, Any], name: str) -> str:
    """The field when it is a text, else ""."""
    found = values.get(name)
    return found if isinstance(found, str) else ""


def identifier(values: Mapping[str, Any], name: str) -> str:
    """The field when it is a text that is not blank, or a whole number (as text), else ""."""
    found = values.get(name)
    if isinstance(found, str):
        return found if found.strip() else ""
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else ""


def part(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The field when it is an object, else an empty one."""
    found = values.get(name)
    return found if isinstance(found, dict) else {}


def happened_at(received_at: int, *given: object) -> datetime:
    """The first sensible time among those given, in UTC, else the time of arrival (microseconds).

    A time is ISO 8601 (in UTC where it has no zone), or seconds or milliseconds since 1970. One before the year 2000
    or more than a day ahead of the arrival is not sensible: it is a zero value, or a clock that was never set.
    """
    received = moment(received_at)
    for each in given:
        if each is None:
            continue
        found = _of_text(each) or _of_number(each)
        if found and _EARLIEST <= found <= received + _FAST_CLOCKS:
            return found
    return received


def _of_text(given: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(given) if isinstance(given, str) else None
        return found and (found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def _of_number(given: object) -> datetime | None:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < _NO_TIME:
        return None
    seconds = given / 1000 if given >= _MILLISECONDS_FROM else given
    return moment(round(seconds * 1_000_000))
