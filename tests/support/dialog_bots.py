"""Bots with dialogs that tests share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bridge import Dialog, Router, Turn
from bridge.testing.world import World

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Payments:
    """The world outside: what was refunded, by key; how often it was asked."""

    by_key: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def refund(self, no: int, *, key: str) -> str:
        self.asked.append(key)
        self.by_key.setdefault(key, no)
        return f"ref-{no}"


def refunds(payments: Payments) -> Router:
    """The bot of the sketch: a question, a choice, a step, and an end."""
    router = Router("shop")

    @router.message(regex=r"^order (?P<no>\d+)$")
    async def order(turn: Turn[Any], no: int) -> None:
        turn.state["orders"] = turn.state.get("orders", 0) + 1
        await turn.begin(refund, no)

    @router.message(text="help", anytime=True)
    async def help_(turn: Turn[Any]) -> str:
        turn.state["helped"] = turn.state.get("helped", 0) + 1
        return "We are here."

    @router.default()
    async def other(turn: Turn[Any]) -> str:
        return f"other: {turn.event.text}"

    @router.dialog(version=3)
    async def refund(d: Dialog, no: int) -> str | None:
        d.turn.state["begun"] = d.turn.state.get("begun", 0) + 1
        await d.say(f"About order {no}.")
        why = await d.ask("What went wrong?", timeout="1d", on_timeout="Another time, then.")
        d.turn.state["reasons"] = [*d.turn.state.get("reasons", []), why]
        if not await d.choose("Refund it?", yes=True, no=False):
            await d.handoff(f"{no}: {why}")
            return None
        ref = await d.step(payments.refund, no, key=f"refund-{no}")
        many = await d.ask("How many stars?", parse=int, retry="A number, please.")
        d.turn.state["stars"] = d.turn.state.get("stars", 0) + many
        return f"Done: {ref}, {many} stars, because {why}."

    return router


def asking(script: Callable[..., Any], version: int = 1, name: str = "quiz", changed: Any = "restart") -> Router:
    """A bot that begins one dialog at "go", and tells everything else back."""
    router = Router("quiz")
    router.dialog(version, name=name, changed=changed)(script)

    @router.message(text="go")
    async def go(turn: Turn[Any]) -> None:
        await turn.begin(script)

    @router.default()
    async def other(turn: Turn[Any]) -> str:
        return f"other: {turn.event.text}"

    return router


async def play(
    script: Callable[..., Any], *words: str, channel: tuple[str, str] = ("konnek", "whatsapp"), **options: Any
) -> list[str]:
    """What a dialog says to somebody who says "go" and these words, with a crash after each of them."""
    with World(asking(script, **options)) as world:
        ann = world.contact(*channel, "ann")
        for word in ("go", *words):
            await ann.says(word)
            await world.settle()
            await world.crash()
        await world.settle()
        return ann.texts


async def quiz(d: Dialog) -> str:
    await d.say("Hello.")
    size = await d.ask("Size?")
    colour = await d.ask("Colour?", choices=["Red", "Blue"])
    return f"{size} {colour}"


async def other_words(d: Dialog) -> str:
    await d.say("Hello.")
    return str(await d.ask("Which size?"))


async def shorter(d: Dialog) -> None:
    await d.say("Hello.")
