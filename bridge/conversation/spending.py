"""What a step may cost, and the budgets that it is taken from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bridge.errors import HandlerError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

T = TypeVar("T")

_LONGEST_NAME: Final = 200
_MOST: Final = 2**62
"""A database holds a little more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What an account may spend on steps under a name: at most `limit` in a day or a month of the time zone `zone`.

    `limit` is a whole number of the smallest unit that you count in, such as millionths of a euro.

    Raises:
        HandlerError: a part of it is none.
    """

    name: str
    limit: int
    per: Literal["day", "month"] = "day"
    zone: str = "UTC"

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= _LONGEST_NAME:
            raise HandlerError(f"a budget's name is a text of 1 to {_LONGEST_NAME} characters")
        _want_amount(self.limit, "a budget's limit")
        if self.per not in {"day", "month"}:
            raise HandlerError(f'a budget is per "day" or "month", not {self.per!r}')
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise HandlerError("a budget's zone is a name like Asia/Jakarta") from None

    def period(self, now: datetime) -> str:
        """The day or the month, so that a later one compares as greater."""
        local = now.astimezone(ZoneInfo(self.zone))
        return local.strftime("%Y-%m-%d" if self.per == "day" else "%Y-%m")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What a step costs at most, and the budgets it is taken from: `d.step(ask, spending=Spending(...))`.

    It is taken from all of them in the commit that notes the step, before it begins, or the step raises BudgetSpent.
    A step that returns `Paid` is charged that in its place; one whose end is not known stays charged with the most.
    """

    most: int
    budgets: Sequence[Budget]

    def __post_init__(self) -> None:
        _want_amount(self.most, "what a step costs")


@dataclass(frozen=True, slots=True)
class Paid(Generic[T]):
    """What a step returns, and what it cost: the dialog gets the value alone."""

    value: T
    cost: int

    def __post_init__(self) -> None:
        _want_amount(self.cost, "what a step cost")


def _want_amount(amount: object, what: str) -> None:
    if not isinstance(amount, int) or isinstance(amount, bool) or not 0 <= amount <= _MOST:
        raise HandlerError(f"{what} is a whole number of the smallest unit, not {amount!r}")
