"""Opening hours: the notation of OpenStreetMap, a time zone, and public holidays."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final

import holidays
from opening_hours import OpeningHours
from pydantic import AfterValidator, BaseModel, ConfigDict

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_HOLIDAY: Final = re.compile(r"\b[PS]H\b")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY: Final = timedelta(days=1)


def _expression(text: str) -> str:
    if _HOLIDAY.search(text):
        raise ValueError('leave PH and SH out; holidays = "ID" closes on the public holidays of a country')
    try:
        OpeningHours(text)
    except Exception as error:  # noqa: BLE001 - the library's class of errors is not among its types
        reason = str(error).strip().rpartition("=")[2].strip()
        raise ValueError(f'want opening hours like "Mo-Fr 08:00-17:00; Sa 09:00-12:00" ({reason})') from None
    return text


def _region(text: str) -> str:
    _holidays(text, 2026)
    return text


def _holidays(region: str, year: int) -> Any:  # noqa: ANN401 - a mapping of days to names
    country, _, subdivision = region.partition("-")
    try:
        return holidays.country_holidays(country, subdiv=subdivision or None, years=(year, year + 1))
    except NotImplementedError as error:
        raise ValueError(f"{error}; want a country like ID, or a part of it like DE-BY") from None


class Hours(BaseModel):
    """When somebody is there: `open` in the notation of OpenStreetMap. It is closed on `holidays` and on `closed`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    open: Annotated[str, AfterValidator(_expression)]
    holidays: Annotated[str, AfterValidator(_region)] | None = None
    closed: tuple[date, ...] = ()


class Clock:
    """Opening hours at a place."""

    def __init__(self, hours: Hours, zone: ZoneInfo) -> None:
        """All times are of `zone`."""
        self._hours = hours
        self._zone = zone
        self._of_year = cache(self._rules)

    def is_open(self, now: datetime) -> bool:
        """Whether it is open."""
        local = now.astimezone(self._zone)
        return self._of_year(local.year).is_open(local)

    def changes(self, now: datetime) -> datetime | None:
        """When it opens or closes next; None: never."""
        local = now.astimezone(self._zone)
        return self._of_year(local.year).next_change(local)

    def opens_on(self, day: date) -> bool:
        """Whether it is open at any time of a day."""
        midnight = datetime.combine(day, time(), self._zone)
        if self.is_open(midnight):
            return True
        change = self.changes(midnight)
        return change is not None and change < datetime.combine(day + _DAY, time(), self._zone)

    def _rules(self, year: int) -> OpeningHours:
        """The hours in a year and the one after it: each holiday is a rule of its own."""
        days = set(self._hours.closed)
        if self._hours.holidays is not None:
            days |= set(_holidays(self._hours.holidays, year))
        near = (day for day in sorted(days) if day.year in {year, year + 1})
        off = "".join(f"; {day.year} {_MONTHS[day.month - 1]} {day.day:02} off" for day in near)
        return OpeningHours(f"{self._hours.open}{off}", timezone=self._zone)
