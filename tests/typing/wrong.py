"""Functions of a bot author that are wrong: each line that ends in `# E: code` is an error to a type checker."""

from __future__ import annotations

from pydantic import BaseModel

from bridge import CallNext, Depends, Dialog, Key, Message, Postback, Returned, Router, Status, Turn

router = Router()


class Track(Key):
    no: int


class Refund(Key):
    no: int


class Orders:
    pass


async def get_orders() -> Orders:
    return Orders()


Track(no="7")  # E: arg-type
Track(7)  # E: call-arg|misc


@router.message()  # E: type-var
async def a(turn: Turn[Postback]) -> None: ...


@router.status()  # E: type-var
async def b(turn: Turn[Message]) -> None: ...


@router.message()  # E: type-var
async def c(turn: Turn) -> dict[str, str]:
    return {}


@router.message()  # E: type-var
async def d(no: int) -> None: ...


@router.default()  # E: type-var
async def e(turn: Turn[Message]) -> None: ...


@router.postback("yes")  # E: type-var
async def e2(turn: Turn[Message]) -> None: ...


@router.postback(Track)  # E: arg-type
async def f(turn: Turn, click: Refund) -> None: ...


@router.postback(Track)  # E: arg-type
async def g(turn: Turn) -> None: ...


@router.message()
async def h(turn: Turn, orders: str = Depends(get_orders)) -> None: ...  # E: assignment


@router.error(LookupError)  # E: arg-type
async def i(turn: Turn, error: ValueError) -> None: ...


@router.middleware  # E: type-var
async def j(turn: Turn) -> None: ...


@router.middleware  # E: type-var
def k(turn: Turn, call_next: CallNext) -> None: ...


@router.message()
async def event(turn: Turn[Message]) -> None:
    turn.say(turn.event.key)  # E: attr-defined


@router.on(Returned)  # E: arg-type
async def other_event(turn: Turn[Status]) -> None: ...


class Visits(BaseModel):
    count: int = 0


counted = Router(state=Visits)
Router(state=dict)  # E: arg-type


@counted.message()
async def field(turn: Turn[Message, Visits]) -> None:
    turn.state.total += 1  # E: attr-defined


@counted.message()
async def value(turn: Turn[Message, Visits]) -> None:
    turn.state.count = "many"  # E: assignment


@counted.message()
async def no_model(turn: Turn[Message]) -> None:
    turn.state.count += 1  # E: attr-defined


@router.dialog(version=1)  # E: type-var
async def of_a_turn(turn: Turn) -> None: ...


@router.dialog(version=1)  # E: type-var
def not_async(d: Dialog) -> None: ...


@router.dialog(version=1)  # E: type-var
async def says_a_number(d: Dialog) -> int:
    return 1


@router.dialog(changed="again")  # E: arg-type
async def unknown_policy(d: Dialog) -> None: ...


@router.dialog()
async def refund(d: Dialog, no: int) -> None:
    number: int = await d.ask("How many?")  # E: assignment
    words: str = await d.ask("How many?", parse=int)  # E: arg-type
    await d.ask("How many?", rety="A number.")  # E: call-overload
    await d.ask("How many?", parse=7)  # E: call-overload
    listed: int = await d.ask("Which?", choices=["tea", "coffee"])  # E: arg-type|list-item
    chosen: str = await d.choose("Sure?", yes=True, no=False)  # E: arg-type
    result: int = await d.step(get_orders)  # E: arg-type
    await d.say(number, words, listed, chosen, result)  # E: arg-type


@router.message(text="refund")
async def begins(turn: Turn) -> None:
    await turn.begin(refund)  # E: arg-type
    await turn.begin(refund, "seven")  # E: arg-type
    await turn.begin(get_orders)  # E: arg-type
    turn.after([2], refund)  # E: arg-type
    turn.handoff(7)  # E: arg-type
