"""Budgets and what a step may cost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bridge import Budget, HandlerError, Paid, Spending


@pytest.mark.parametrize(
    ("per", "zone", "period"),
    [
        ("day", "UTC", "2026-01-31"),
        ("month", "UTC", "2026-01"),
        ("day", "Asia/Jakarta", "2026-02-01"),
        ("month", "Asia/Jakarta", "2026-02"),
        ("day", "America/Lima", "2026-01-31"),
    ],
)
def test_a_period_is_that_of_the_time_zone(per: Any, zone: str, period: str) -> None:
    budget = Budget(name="all", limit=1, per=per, zone=zone)
    assert budget.period(datetime(2026, 1, 31, 23, 30, tzinfo=UTC)) == period


def test_a_later_period_compares_as_greater() -> None:
    for per, days in (("day", [(2026, 9, 30), (2026, 10, 1), (2027, 1, 1)]), ("month", [(2026, 9, 1), (2026, 10, 1)])):
        budget = Budget(name="all", limit=1, per="day" if per == "day" else "month")
        periods = [budget.period(datetime(*day, tzinfo=UTC)) for day in days]
        assert periods == sorted(periods)


@pytest.mark.parametrize("amount", [-1, 0.5, "1", True, None, 2**63])
def test_an_amount_is_a_whole_number(amount: Any) -> None:
    budget = Budget(name="all", limit=1)
    for made in (
        lambda: Budget(name="all", limit=amount),
        lambda: Spending(most=amount, budgets=[budget]),
        lambda: Paid("x", cost=amount),
    ):
        with pytest.raises(HandlerError, match="whole number of the smallest unit"):
            made()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": ""}, "1 to 200 characters"),
        ({"name": "x" * 201}, "1 to 200 characters"),
        ({"per": "week"}, 'per "day" or "month"'),
        ({"zone": "Mars/Olympus"}, "Asia/Jakarta"),
        ({"zone": "../etc"}, "Asia/Jakarta"),
    ],
)
def test_a_budget_that_is_none_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(HandlerError, match=problem):
        Budget(**{"name": "all", "limit": 1, **changes})
