"""An order bot: the state of an order, a reminder, and a refund that is paid once, whatever fails meanwhile.

The shop and its till are in memory here. Replace them with your own (`orders.payments = MyTill()`), or override
`get_shop` in a test. The till must know a refund by its key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from bridge import Button, Buttons, Depends, Dialog, Key, Message, Postback, Returned, Router, Turn, debounce


class Visit(BaseModel):
    """The state of a conversation."""

    order: int | None = None
    refunded: list[int] = []


router = Router("orders", state=Visit)


class Track(Key):
    """The button for the place of an order."""

    no: int


class Refund(Key, expires="7d"):
    """The button for a refund; it expires a week after the offer."""

    no: int


# The world outside.


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order of the shop; the price is in euros."""

    what: str
    price: int
    where: str


@dataclass(slots=True)
class Shop:
    """The orders."""

    orders: dict[int, Order] = field(
        default_factory=lambda: {
            7: Order(what="3 x Sencha", price=24, where="on its way, and with you tomorrow"),
            8: Order(what="1 x Matcha", price=15, where="at your neighbour's"),
        }
    )

    async def find(self, no: int) -> Order | None:
        """The order with this number; None: it does not exist."""
        return self.orders.get(no)


@dataclass(slots=True)
class Payments:
    """Pays money back, once for each key: the same key gives the same receipt."""

    receipts: dict[str, str] = field(default_factory=dict)

    async def pay_back(self, no: int, *, key: str) -> str:
        """The number of the receipt. Raises Declined."""
        return self.receipts.setdefault(key, f"R{no}-{len(self.receipts) + 1}")


class Declined(Exception):
    """The till refuses a refund for good."""


shop, payments = Shop(), Payments()


async def get_shop() -> Shop:
    """The dependency of the handlers below."""
    return shop


async def pay_back(no: int, *, key: str) -> str:
    """Pay once: `key` is the same for every try."""
    return await payments.pay_back(no, key=key)


# The conversation.


@router.message(regex=r"(?i)^\s*(?:my )?order (?:no\.? ?)?(?P<no>\d{1,9})\b")
async def order(turn: Turn[Message, Visit], no: int, shop: Shop = Depends(get_shop)) -> Buttons | str:
    """Show an order and its buttons; two quiet hours later, remind once."""
    bought = await shop.find(no)
    if bought is None:
        return f"There is no order {no}."
    turn.state.order = no
    turn.after("2h", remind, unless="replied", no=no)
    return Buttons(
        f"Order {no}: {bought.what}, {bought.price} euro. What may I do?",
        [Button(Track(no=no), "Track"), Button(Refund(no=no), "Refund")],
    )


async def remind(_turn: Turn, no: int) -> str:
    """Two hours later, without a message or a press."""
    return f'Is all well with order {no}? Write "person", and somebody will look at it.'


@router.postback(Track, anytime=True)
async def track(_turn: Turn[Postback, Visit], click: Track, shop: Shop = Depends(get_shop)) -> str:
    """The class of the key is the filter; the pressed key arrives as `click`."""
    bought = await shop.find(click.no)
    return f"Order {click.no} is {bought.where}." if bought else f"Order {click.no} is gone from our books."


@router.postback(Refund)
async def ask_back(turn: Turn[Postback, Visit], click: Refund) -> str | None:
    """Begin the dialog below, unless the order is refunded."""
    if click.no in turn.state.refunded:
        return f"Order {click.no} was paid back already."
    await turn.begin(refund, click.no)
    return None


@router.dialog(version=1)
async def refund(d: Dialog, no: int) -> str | None:
    """Ask why, confirm, pay: across restarts, and across days."""
    why = await d.ask("I am sorry. What went wrong?", timeout="1d", on_timeout="Well, another time.")
    if not await d.choose(f"Shall I pay back order {no}?", yes=True, no=False, retry="Yes or no, please?"):
        await d.say("Then somebody will look at it with you.")
        await d.handoff(f"order {no}: {why}")
        return None
    receipt = await d.step(pay_back, no, key=f"refund-{no}")
    d.turn.state.refunded.append(no)
    return f"Done: the money for order {no} is on its way. Your receipt is {receipt}."


@router.message(text=["person", "human", "help"], anytime=True)
async def person(turn: Turn[Message, Visit]) -> str:
    """Hand over to a person at any time, also while the dialog waits for an answer."""
    about = f", last about order {turn.state.order}" if turn.state.order else ""
    turn.handoff(f"asked for a person{about}")
    return "Somebody will be with you shortly."


@router.on(Returned)
async def back(turn: Turn[Returned, Visit]) -> str | None:
    """Speak after a quiet return, if the contact wrote meanwhile."""
    return "Nobody was free, I fear. Write: order 7" if turn.event.quiet and turn.event.missed else None


@router.stale()
async def stale(_turn: Turn[Postback, Visit]) -> str:
    """A stale button."""
    return "That button is out of date. Write: order 7"


@router.default(overlap=debounce("1s"))
async def other(_turn: Turn[Any, Visit]) -> str:
    """Any other event. Several lines in a row get one answer, a second after the last."""
    return "Tell me which order it is about, please. Write: order 7"


@router.error(Declined)
async def declined(turn: Turn[Any, Visit], error: Declined) -> str:
    """Hand over after a refusal. The bridge itself repeats the turn after any other error."""
    turn.handoff(f"the till declined: {error}")
    return "The till does not let me do that. Somebody will look at it."
