"""A bot with something in flight of every sort: a dialog, open buttons, a timer, a message that waits."""

from __future__ import annotations

from typing import Any

from bridge import Button, Buttons, Dialog, Key, Router, Turn

router = Router("moving")


class Tea(Key):
    """A key that is signed with the store's secret."""

    sugar: int


@router.message(text="book")
async def book(turn: Turn[Any]) -> None:
    await turn.begin(booking)


@router.dialog(version=1)
async def booking(d: Dialog) -> str:
    name = await d.ask("Your name?", timeout="1d", on_timeout="Too late.")
    sure = await d.choose(f"{name}, sure?", yes=True, no=False)
    return f"Booked for {name}." if sure else "Another time, then."


@router.message(text="offer")
async def offer(turn: Turn[Any]) -> Buttons:
    turn.after("1h", remind, what="offer")
    return Buttons("Tea or coffee?", [Button(Tea(sugar=2), "Tea"), Button("coffee", "Coffee")])


@router.postback(Tea)
async def tea(turn: Turn[Any], key: Tea) -> str:
    turn.state["cups"] = turn.state.get("cups", 0) + 1
    return f"Tea with {key.sugar} sugar, cup {turn.state['cups']}."


async def remind(turn: Turn[Any], what: str) -> str:
    turn.state["reminded"] = True
    return f"Still thinking about the {what}?"
