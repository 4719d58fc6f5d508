"""What steps spend of budgets that all threads of an account share: taken before a step, settled after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.errors import BudgetSpent
from bridge.frozen import dataclass
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

KEPT: Final = 40 * 24 * 3600 * SECOND
"""A budget that nothing was taken of for so long is in a later period in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What a step costs at most, out of one budget of its account.

    `period` is the one that the step is taken in, like 2026-11-29 or 2026-11, and `limit` what may be spent in it.
    """

    account: str
    budget: str
    period: str
    amount: int
    limit: int

    @property
    def place(self) -> Place:
        """What names the budget."""
        return self.account, self.budget


Place = tuple[str, str]
"""An account, and a budget of it."""


class Spent(NamedTuple):
    """What was spent of a budget in the latest period that something was taken in."""

    period: str
    amount: int


class SpentBudget(NamedTuple):
    """What was spent of a budget, for people. `period` is its latest one."""

    account: str
    budget: str
    period: str
    amount: int


class Purse:
    """The budgets that steps of one transaction touch, as they stand in it."""

    def __init__(self, spent: dict[Place, Spent], now: int) -> None:
        """`spent` is what stands there; `now` is in microseconds."""
        self._spent = spent
        self.now = now
        """When the steps are taken, in microseconds."""
        self.changed: set[Place] = set()
        self.began = False
        """Whether a period began: older rows may be forgotten."""

    def take(self, charges: Sequence[Charge]) -> None:
        """Take what a step may cost from all its budgets, or from none.

        A clock that is behind another process's charges the later period, so that none begins twice.

        Raises:
            BudgetSpent: one of them has not so much left.
        """
        after: dict[Place, Spent] = {}
        for charge in charges:
            known = self._spent.get(charge.place)
            period = max(charge.period, known.period) if known is not None else charge.period
            before = known.amount if known is not None and known.period == period else 0
            if before + charge.amount > charge.limit:
                raise BudgetSpent(charge.budget)
            after[charge.place] = Spent(period, before + charge.amount)
        periods = {place: spent.period for place, spent in self._spent.items()}
        self.began |= any(spent.period != periods.get(place) for place, spent in after.items())
        self._put(after)

    def settle(self, charges: Sequence[Charge], cost: int) -> None:
        """Set what a step did cost in the place of what it might have; a period that is over stays as it is."""
        after = {}
        for charge in charges:
            known = self._spent.get(charge.place)
            if known is not None and known.period == charge.period:
                after[charge.place] = Spent(known.period, max(0, known.amount - charge.amount + cost))
        self._put(after)

    def _put(self, after: dict[Place, Spent]) -> None:
        self._spent.update(after)
        self.changed.update(after)

    @property
    def rows(self) -> list[tuple[str, str, str, int, int]]:
        """Account, name, period, amount and time of the budgets that changed, in the order of their places."""
        return [(*place, *self._spent[place], self.now) for place in sorted(self.changed)]


def places(charges: Sequence[Sequence[Charge]]) -> list[Place]:
    """The budgets of several steps, in the order in which all processes lock them."""
    return sorted({charge.place for of_step in charges for charge in of_step})
