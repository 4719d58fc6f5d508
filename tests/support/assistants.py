"""An assistant of a shop, its model, and a till that knows a refund by its key."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from bridge.testing import World
from handlers.assistant import Assistant, tool
from tests.support.priced_model import PRICES, PricedModel, calls, said

if TYPE_CHECKING:
    from bridge import Turn
    from bridge.testing.contacts import Contact
    from handlers.assistant import ModelFailed

STORY: Final = "\n\n".join(f"Paragraph {number} of the **story**, {'and so on, ' * 40}end." for number in range(12))
"""An answer that no channel takes in one message."""


@dataclass(slots=True)
class Till:
    """Pays back, once for each key."""

    receipts: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def refund(self, no: int, *, key: str) -> str:
        """Pay an order back."""
        self.asked.append(key)
        self.receipts.setdefault(key, no)
        await asyncio.sleep(0.5)
        return f"paid back order {no}"


def order_status(no: int) -> dict[str, Any]:
    """Where an order is."""
    if no > 100:
        raise ValueError(f"there is no order {no}")
    if no == 13:
        raise RuntimeError("secret of the shop")
    return {"no": no, "where": "on its way"}


async def whose(turn: Turn[Any]) -> str:
    """The name of the contact."""
    return turn.contact.name


def misprogrammed() -> object:
    """What cannot be kept."""
    return object()


def answered(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """The model's rule: what it calls and says follows from the last message."""
    last = messages[-1]
    if last["role"] == "tool":
        return said(f"Done: {last['content']}")
    words = last["content"].splitlines()[-1]
    verb, _, rest = words.partition(" ")
    match verb:
        case "refund":
            return calls(("refund", f'{{"no": {rest}}}'))
        case "call":
            name, _, arguments = rest.partition(" ")
            return calls((name, arguments))
        case "story":
            return said(STORY)
    return said(f"You said: {words}")


def shop(model: Any = None, till: Till | None = None, **options: Any) -> Assistant:
    """The assistant; `options` are its own."""
    made = PricedModel(answered) if model is None else model
    tools = options.pop("tools", None) or [
        order_status,
        tool((till or Till()).refund, confirm="Refund order {no}?", price="0.0001"),
        whose,
        tool(misprogrammed),
    ]
    return Assistant(**{"model": made, "prices": PRICES, "tools": tools, "instructions": "You sell tea.", **options})


def met(assistant: Assistant, account: str = "konnek", channel: str = "whatsapp") -> tuple[World, Contact]:
    """A contact in a world with it."""
    world = World(assistant.router)
    return world, world.contact(account, channel, "ann")


async def say(world: World, contact: Contact, *words: str) -> list[str]:
    """What the contact sees after it said something."""
    contact.clears()
    await contact.says(*words)
    await world.settle()
    return contact.texts


def failing(*failures: ModelFailed | BaseException | dict[str, Any]) -> PricedModel:
    """A model that fails so often, and then answers."""
    left = list(failures)

    def rule(messages: list[dict[str, Any]]) -> dict[str, Any]:
        if left:
            failure = left.pop(0)
            if isinstance(failure, BaseException):
                raise failure
            return failure
        return answered(messages)

    return PricedModel(rule)
