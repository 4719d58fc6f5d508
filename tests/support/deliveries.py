"""A delivery of whose requests a script says what each comes to."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from bridge.engine.backoff import Backoff
from bridge.engine.delivery.delivery import Delivery
from bridge.engine.delivery.outcomes import DeliveryTools
from bridge.engine.delivery.worker import DeliveryWorker
from bridge.errors import NotSent, SendError
from bridge.messages import Text
from bridge.providers.port import Sent
from bridge.routing.router import Router
from tests.support.turn_engine import turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bridge.clock import Clock
    from bridge.conversation.turn import Turn
    from bridge.engine.delivery.client import Attempt
    from bridge.providers.port import Outbound
    from tests.support.turn_engine import Turns


Outcome = SendError | None
"""What a try comes to; None: sent."""


@dataclass
class Wire:
    """Stands for a Client: by the text of a message, what its tries come to, one after the other; then: sent."""

    clock: Clock
    script: dict[str, list[Outcome]] = field(default_factory=dict)
    tried: list[tuple[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    async def send(self, outbound: Outbound, attempt: Attempt) -> Sent:
        await attempt.leave()
        text = outbound.message.text  # type: ignore[union-attr] # only texts are sent here
        self.tried.append((text, outbound.key))
        self.times.append(self.clock.now() / 1e6)
        outcomes = self.script.get(text)
        if outcomes and (outcome := outcomes.pop(0)):
            raise outcome
        return Sent(message_id=f"id-{outbound.key}")

    @property
    def texts(self) -> list[str]:
        return [text for text, _ in self.tried]


@dataclass
class Out:
    """A bot that says what it hears, word by word, and its delivery over the wire."""

    world: Turns
    wire: Wire
    account: DeliveryWorker

    async def say(self, words: str, key: str = "m-1", who: str = "ann") -> None:
        await self.world.heard(words, key, who)
        await self.world.settle()

    async def wait(self, seconds: float) -> None:
        self.world.clock.advance(seconds)
        await self.world.settle()

    async def states(self, who: str = "ann") -> list[str]:
        return [each.state for each in await self.world.history(who) if each.direction == "out"]


def parrot() -> Router:
    router = Router("parrot")

    @router.message()
    async def say(turn: Turn) -> list[Text]:
        words = turn.event.text.split()  # type: ignore[attr-defined] # a message has a text
        return [Text(each, expires=timedelta(seconds=5) if each == "soon" else None) for each in words]

    return router


@asynccontextmanager
async def out(
    script: dict[str, list[Outcome]], *, attempts: int = 12, give_up_after: float = 172_800.0, **settings: Any
) -> AsyncIterator[Out]:
    async with turns(parrot()) as world:
        found = attached(world, script, Backoff(attempts=attempts, give_up_after=give_up_after), settings)
        await found.account.start()
        yield found
        await found.account.lanes.stop(1)


def attached(world: Turns, script: dict[str, list[Outcome]], backoff: Backoff, settings: dict[str, Any]) -> Out:
    account = world.config.accounts["shop"]
    account = replace(account, settings=account.settings.model_copy(update=settings))
    wire = Wire(world.clock, script)
    tools = DeliveryTools(store=world.store, clock=world.clock, rng=Random(5), backoff=backoff)
    delivery = DeliveryWorker(account, wire, tools, concurrency=8)  # type: ignore[arg-type] # Wire is no Client
    world.delivery = Delivery([delivery])
    return Out(world, wire, delivery)


def later(**more: Any) -> NotSent:
    return NotSent("not now", **more)
