"""A small tea shop: a greeting, a list, an order in two steps. Rules are tried from top to bottom."""

from __future__ import annotations

from typing import Any, NamedTuple

from bridge import Button, Buttons, Menu, Router, Row, Section, Turn

router = Router("menu")


class Tea(NamedTuple):
    """One line of the shop's list; the price is in euros a pack."""

    title: str
    taste: str
    price: int


TEAS = {
    "sencha": Tea("Sencha", "green and fresh", 8),
    "matcha": Tea("Matcha", "green and strong", 15),
    "assam": Tea("Assam", "black and malty", 6),
    "earl-grey": Tea("Earl Grey", "black, with bergamot", 7),
}
MOST = 20


# Words that always work, wherever the conversation is.


@router.message(text=["hi", "hello", "hey", "start", "/start", "menu"])
async def greet(turn: Turn) -> Buttons:
    """Say hello and offer two choices."""
    name = f", {turn.contact.name}" if turn.contact.name else ""
    return Buttons(
        f"Hello{name}, and welcome to the tea shop! What would you like?",
        [Button("teas", "See the teas"), Button("help", "Get help")],
    )


@router.message(text=["teas", "tea", "shop"])
@router.postback("teas")
async def show_teas(_turn: Turn) -> Menu:
    """Show the list. A press, a number or a title brings back the row's key."""
    rows = [Row(f"tea:{key}", tea.title, f"{tea.taste}, {tea.price} euro") for key, tea in TEAS.items()]
    return Menu("Which tea shall it be?", "Our teas", [Section("Packs of 100 g", rows)])


@router.message(text=["help", "?"])
@router.postback("help")
async def explain(_turn: Turn) -> str:
    """Name the words that always work."""
    return 'Write "teas" to see our list, "cancel" to drop an order you have begun, "hello" to start again.'


@router.message(text=["cancel", "stop"])
@router.postback("order:no", step="confirm")
async def cancel(turn: Turn) -> str:
    """Forget the order, if there is one."""
    turn.step = None
    order = turn.state.pop("order", None)
    return "All right, nothing was ordered." if order else 'There is no order to cancel. Write "teas" to begin one.'


# The order: which tea, how many, sure? `state` keeps the answers, `step` the next question.


@router.postback("tea:{key}")
async def choose(turn: Turn, key: str) -> str:
    """First step: a row of the list. `{key}` of its key arrives as `key`."""
    if key not in TEAS:
        return 'We no longer have that one. Write "teas" to see what there is.'
    turn.state["order"] = {"tea": key}
    turn.step = "how many"
    return f"{TEAS[key].title}, a good choice. How many packs shall it be, 1 to {MOST}?"


@router.message(regex=r"^\s*(?P<packs>\d+)\b", step="how many")
async def count(turn: Turn, packs: int) -> Buttons | str:
    """Second step: the group `packs` arrives as a number, by its annotation."""
    if not 1 <= packs <= MOST:
        return f"We sell 1 to {MOST} packs at a time. How many shall it be?"
    turn.state["order"]["packs"] = packs
    turn.step = "confirm"
    return question(turn.state["order"])


@router.message(step="how many")
async def count_again(_turn: Turn) -> str:
    """Any other message at this step."""
    return f'Please write a number from 1 to {MOST}, or "cancel". How many packs?'


@router.postback("order:yes", step="confirm")
async def order(turn: Turn) -> str:
    """Last step: thank, sum up, and clear the order."""
    turn.step = None
    ordered = turn.state.pop("order")
    number = turn.state["orders"] = turn.state.get("orders", 0) + 1
    return f"Thank you! Your order no. {number}: {summary(ordered)}. It leaves our shop today."


@router.message(step="confirm")
async def ask_again(turn: Turn) -> Buttons:
    """Neither yes nor no."""
    return question(turn.state["order"])


@router.default()
async def not_understood(_turn: Turn) -> str:
    """Any event that no rule above takes, an old button among them."""
    return 'Sorry, I did not understand that. Write "teas" to see our list, or "help".'


def question(ordered: dict[str, Any]) -> Buttons:
    """The question before an order."""
    return Buttons(f"{summary(ordered)}. Shall I order it?", [Button("order:yes", "Yes"), Button("order:no", "No")])


def summary(ordered: dict[str, Any]) -> str:
    """An order in words: 3 x Sencha, 24 euro."""
    tea = TEAS[ordered["tea"]]
    return f"{ordered['packs']} x {tea.title}, {ordered['packs'] * tea.price} euro"
