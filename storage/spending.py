"""What was spent of budgets, for those who look in."""

from __future__ import annotations

from typing import ClassVar

from bridge.store.spending import Spent, SpentBudget

from .fetching import Fetching


class Spending(Fetching):
    """Both readers' methods for budgets."""

    SPENT: ClassVar[str]
    """Period and amount of an account's budget, by its name."""
    SPENDING: ClassVar[str]
    """The budgets of an account (None: of all), so many; as SpentBudget has them."""

    async def spent(self, account: str, budget: str) -> Spent | None:
        """What was spent of a budget, or None."""
        rows = await self._fetch(self.SPENT, account, budget)
        return Spent(*rows[0]) if rows else None

    async def spending(self, *, account: str | None = None, limit: int = 1000) -> list[SpentBudget]:
        """What was spent of budgets, the one last charged first."""
        return [SpentBudget(*row) for row in await self._fetch(self.SPENDING, account, limit)]
