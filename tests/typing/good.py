"""Functions of a bot author that are right: a type checker has nothing to say of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from enum import Enum
from typing import Annotated, assert_type

from pydantic import BaseModel

from bridge import (
    CallNext,
    Depends,
    Dialog,
    Key,
    Match,
    Message,
    NoAnswer,
    Postback,
    Returned,
    Router,
    Status,
    Text,
    Turn,
    debounce,
)

NUMBERS: tuple[int, ...] = (1, 2)

router = Router()


class Track(Key):
    no: int


class Refund(Key, name="r", expires="15min"):
    no: int
    why: str = ""


class Orders:
    pass


async def get_orders(turn: Turn) -> AsyncIterator[Orders]:
    yield Orders()


def get_number(orders: Orders = Depends(get_orders)) -> int:
    return 1


def get_text() -> Iterator[str]:
    yield "a"


@router.message(regex=r"(?P<no>\d+)")
async def order(turn: Turn[Message], no: int, orders: Orders = Depends(get_orders)) -> Text:
    return Text(turn.event.text)


@router.message(text="hi")
@router.postback("hi")
@router.default(overlap=debounce("2s"))
def hello(turn: Turn, number: int = Depends(get_number), text: str = Depends(get_text)) -> list[str] | None:
    return [turn.contact.name]


@router.message(text="rows")
async def rows(turn: Turn) -> str:
    found = await turn.fetch("SELECT no, what FROM orders WHERE no = ?", 1)
    turn.execute("DELETE FROM orders WHERE no = ?", 1).execute("DELETE FROM orders").say("gone")
    number, what = found[0]
    return f"{number} {what} {found[0]['no']} {dict(found[0])}"


@router.message(text="track")
@router.postback(Track)
async def track(turn: Turn, click: Track = Track(no=1)) -> Turn:
    return turn.reply(str(click.no))


@router.postback(Track)
@router.postback(Refund)
async def either(turn: Turn[Postback], click: Track | Refund, orders: Annotated[Orders, Depends(get_orders)]) -> str:
    return f"{click.no} {turn.event.key}"


@router.stale()
async def stale(turn: Turn[Postback], reason: str) -> str:
    return reason


@router.status("read")
async def read(turn: Turn[Status]) -> None:
    pass


@router.error(LookupError)
async def failed(turn: Turn, error: LookupError, orders: Orders = Depends(get_orders)) -> str:
    return str(error)


@router.error(KeyError, ValueError)
async def failed_too(turn: Turn, error: KeyError | ValueError) -> str:
    return str(error)


@router.middleware
async def inner(turn: Turn, call_next: CallNext, match: Match, orders: Orders = Depends(get_orders)) -> str | None:
    await call_next()
    return None


@router.outer_middleware
async def outer(turn: Turn, call_next: CallNext) -> None:
    await call_next()


with router.override(get_orders, Orders):
    pass


class Visits(BaseModel):
    count: int = 0


counted = Router(state=Visits, version=2, migrate=lambda stored, version: stored)


@counted.message()
async def count(turn: Turn[Message, Visits]) -> str:
    turn.state.count += 1
    return f"{turn.state.count}"


@router.message()
async def kept(turn: Turn) -> None:
    turn.state["count"] = turn.state.get("count", 0) + 1


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


async def look_up(words: str) -> Size | None:
    return None


async def pay(no: int, *, key: str) -> str:
    return key


def weigh(no: int) -> float:
    return 1.5


async def give_up(d: Dialog) -> str:
    return "Another time."


@router.dialog(version=2, changed="finish")
async def refund(d: Dialog, no: int, why: str = "") -> str | None:
    assert_type(await d.ask("Why?"), str)
    assert_type(await d.ask("How many?", parse=int, retry="A number.", timeout="1d", on_timeout=give_up), int)
    assert_type(await d.ask("How much?", parse=Decimal), Decimal)
    assert_type(await d.ask("Which size?", parse=Size), Size)
    assert_type(await d.ask("Which one?", parse=look_up), Size | None)
    assert_type(await d.ask("Which?", choices=["tea", "coffee"]), str)
    assert_type(await d.ask("Which?", choices=NUMBERS), int)
    assert_type(await d.ask("Which?", choices=["tea"], parse=int), int | str)
    assert_type(await d.choose("Sure?", yes=True, no=False), bool)
    assert_type(await d.choose("Which?", small=Size.SMALL, large=Size.LARGE, timeout=60), Size)
    assert_type(await d.step(pay, no, key="a"), str)
    assert_type(await d.step(weigh, no), float)
    try:
        await d.say("One", ["two", Text("three")])
    except NoAnswer:
        await d.handoff("no answer")
    return None


@router.dialog()
async def plain(d: Dialog) -> None: ...


async def remind(turn: Turn, no: int) -> str:
    return f"Order {no} waits."


@router.message(text="refund")
async def begin(turn: Turn) -> None:
    await turn.begin(refund, 7)
    await turn.begin(refund, 7, "broken")
    await turn.begin(plain)
    turn.after("2h", remind, unless="replied", name="remind", no=7).cancel("remind").handoff("please")


@router.on(Returned)
async def back(turn: Turn[Returned]) -> str | None:
    return "Back again." if turn.event.missed else None
