"""The order bot's till as a test sees it, and a contact who has come as far as its last question."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handlers.orders import Declined, Payments

if TYPE_CHECKING:
    from bridge.testing.contacts import Contact


@dataclass(slots=True)
class Till(Payments):
    """The same till, that also notes how often it was asked, and with which key."""

    asked: list[str] = field(default_factory=list)
    declines: bool = False

    async def pay_back(self, no: int, *, key: str) -> str:
        self.asked.append(key)
        if self.declines:
            raise Declined("it is closed")
        return await Payments.pay_back(self, no, key=key)

    def empty(self) -> None:
        """As it was in the morning: it is outside of the world, so worlds share it."""
        self.asked.clear()
        self.receipts.clear()


@dataclass(slots=True)
class Forgetful(Till):
    """A till that pays whenever it is asked."""

    async def pay_back(self, no: int, *, key: str) -> str:
        return await Till.pay_back(self, no, key=f"{key} {len(self.asked)}")


async def wants_it_back(ann: Contact) -> None:
    """As far as the last question."""
    await ann.says("order 7")
    await ann.clicks("Refund")
    await ann.sees("~went wrong?")
    await ann.says("broken")
    await ann.sees("~pay back")
