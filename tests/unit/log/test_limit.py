"""A flood of log lines is a line a minute for each kind."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.log import limit as log_limit
from bridge.log.limit import LogLimit


class _Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> _Time:
    return _Time()


@pytest.fixture
def limit(time: _Time) -> LogLimit:
    return LogLimit(time)


def line(account: str = "shop", action: str = "request_refused", **fields: Any) -> dict[str, Any]:
    return {"action": action, "account": account, "status": 401, "reason": "wrong credentials", **fields}


def test_the_first_of_a_kind_is_written_and_the_others_are_counted(limit: LogLimit, time: _Time) -> None:
    assert [limit.admits(line(peer=f"192.0.2.{number}")) for number in range(40)] == [True] + [False] * 39
    time.now = 59.0
    assert (limit.due(), limit.seconds()) == ([], 1.0)
    time.now = 60.0
    assert limit.due() == [line(peer="192.0.2.39", count=39)]
    assert limit.due() == []


@pytest.mark.slow
def test_a_flood_is_a_line_a_minute_for_as_long_as_it_lasts(limit: LogLimit, time: _Time) -> None:
    written = []
    for second in range(181):
        time.now = float(second)
        written += [1 for _ in range(1000) if limit.admits(line())] + [due["count"] for due in limit.due()]
    assert written == [1, 60_999, 60_000, 60_000]


def test_a_kind_that_has_stopped_is_forgotten(limit: LogLimit, time: _Time) -> None:
    assert limit.admits(line())
    time.now = 60.0
    assert (limit.due(), limit.seconds()) == ([], None)
    assert limit.admits(line())


def test_each_kind_has_its_own_line(limit: LogLimit) -> None:
    kinds = [line(), line("desk"), line(status=404), line(reason="no bearer"), line(action="webhook_not_stored")]
    assert [limit.admits(kind) for kind in kinds] == [True] * 5


def test_a_line_that_comes_once_for_what_it_names_is_never_held_back(limit: LogLimit) -> None:
    assert all(limit.admits(line(action="event_dead")) for _ in range(10))
    assert limit.seconds() is None


def test_at_the_end_every_count_is_told(limit: LogLimit) -> None:
    for _ in range(3):
        limit.admits(line())
    assert limit.due(all_of_them=True) == [line(count=2)]
    assert limit.due(all_of_them=True) == []


def test_kinds_without_end_share_a_line(limit: LogLimit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_limit, "_KINDS", 10)
    assert sum(limit.admits(line(reason=str(number))) for number in range(100)) == 11
    assert [due["count"] for due in limit.due(all_of_them=True)] == [89]
