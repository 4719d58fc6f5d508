"""Quiet hours: from their first minute to before their last, by the contact's own clock, also over midnight."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bridge.engine.turns.consent import Quiet
from bridge.units import micros

NIGHT = (21 * 60, 8 * 60)
NOON = (12 * 60 + 30, 14 * 60)


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        (NIGHT, "2026-11-30T20:59:59", None),
        (NIGHT, "2026-11-30T21:00", "2026-12-01T08:00"),
        (NIGHT, "2026-12-01T00:00", "2026-12-01T08:00"),
        (NIGHT, "2026-12-01T07:59:59", "2026-12-01T08:00"),
        (NIGHT, "2026-12-01T08:00", None),
        (NOON, "2026-11-30T12:29:59", None),
        (NOON, "2026-11-30T12:30", "2026-11-30T14:00"),
        (NOON, "2026-11-30T13:59:59", "2026-11-30T14:00"),
        (NOON, "2026-11-30T14:00", None),
    ],
)
@pytest.mark.parametrize("own", [None, "America/New_York"])
def test_they_are_from_their_first_minute_until_their_end(
    hours: tuple[int, int], now: str, until: str | None, own: str | None
) -> None:
    zone = ZoneInfo(own or "Asia/Jakarta")

    def at(local: str) -> int:
        return micros(datetime.fromisoformat(local).replace(tzinfo=zone))

    quiet = Quiet(*hours, ZoneInfo("Asia/Jakarta"))
    assert quiet.until(at(now), own) == (None if until is None else at(until))


def test_they_end_by_the_clock_on_the_wall_in_the_night_in_which_it_is_set() -> None:
    quiet = Quiet(*NIGHT, ZoneInfo("Europe/Berlin"))
    before = datetime(2026, 10, 24, 20, 0, tzinfo=UTC)  # 22:00, and at 3:00 it is 2:00 again
    assert quiet.until(micros(before)) == micros(datetime(2026, 10, 25, 7, 0, tzinfo=UTC))
