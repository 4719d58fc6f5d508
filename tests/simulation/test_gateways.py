"""One handler on every provider and every channel: the same order, whatever became of its buttons on the way."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest
from pydantic import SecretStr

from bridge import Event, Message, Postback, Router, Turn
from bridge.clock import SystemClock
from bridge.emulation.server import EmulatorServer
from bridge.emulation.signing import signer_for
from bridge.events import ThreadRef
from bridge.providers.registry import BUILT_IN, emulator_type, provider_type
from bridge.providers.signatures import INBOUND
from handlers.menu import router as menu
from tests.support.free_ports import free_port
from tests.support.whole_bridges import SECRET, served

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bridge.app.bridge import Bridge
    from bridge.providers.port import Hook, Seen

DOORS: Final[Mapping[str, Mapping[str, Any]]] = {
    "aelyst": {"auth": "hmac", "keys": [SecretStr(SECRET)]},
    "ginalne": {"auth": "bearer", "secret": SecretStr(SECRET)},
    "konnek": {"auth": "headers", "username": SecretStr("konnek"), "password": SecretStr(SECRET)},
    "relationlabs": {"auth": "bearer", "secret": SecretStr(SECRET)},
    "whautochat": {"auth": "path", "secret": SecretStr(SECRET)},
}
"""Each provider's default way in."""

LISTENS_ONLY: Final = {("ginalne", "mass")}
"""A channel without a way back: nobody converses in it."""

CHANNELS: Final = [
    (provider, channel)
    for provider in sorted(BUILT_IN.keys() - {"playground"})
    for channel in provider_type(provider).relays
    if (provider, channel) not in LISTENS_ONLY
]

NUMBERED: Final[Mapping[str, Callable[[str, str], str]]] = {
    "its number": lambda number, _: number,
    "its number in another script": lambda number, _: chr(0xFF10 + int(number)),
    "its number with a full stop": lambda number, _: f" {number}. ",
    "its line": lambda number, title: f"{number}. {title}",
}
TITLED: Final[Mapping[str, Callable[[str], str]]] = {
    "its title": lambda title: title,
    "its title in capitals": lambda title: f" {title.upper()}! ",
    "its title, misspelt": lambda title: title.replace("teas", "taes").replace("Matcha", "Macha"),
}


class Watched(Router):
    """The menu, with everything written down that it is asked."""

    def __init__(self) -> None:
        super().__init__("watched")
        self.asked: list[Event] = []
        self.on(Event, self._passes)(never)
        self.include(menu)

    def _passes(self, event: Event) -> bool:
        self.asked.append(event)
        return False


def never(_turn: Turn) -> None: ...


@dataclass(kw_only=True)
class Visit:
    """A contact at one emulator, and what came back."""

    bridge: Bridge
    server: EmulatorServer
    channel: str
    contact: str
    phone: list[Seen] = field(default_factory=list)

    async def says(self, text: str) -> None:
        await self._posts(self.server.emulator.says(self.channel, self.contact, text))

    async def chooses(self, title: str, way: str) -> None:
        """Press the button, if there is one; else type the choice in this way."""
        last = self.phone[-1]
        pressable = [each for each in last.choices if each.title == title]
        if way in TITLED:
            assert title in (each.title for each in last.choices) or title in last.text
            await self.says(TITLED[way](title))
        elif pressable:
            await self._posts(self.server.emulator.presses(self.channel, self.contact, pressable[0]))
        else:
            line = re.search(rf"^(\d)\. {re.escape(title)}\b", last.text, re.MULTILINE)
            assert line, f"{title} is neither a button nor a line of {last.text!r}"
            await self.says(NUMBERED[way](line[1], title))

    async def _posts(self, hook: Hook) -> None:
        before = len(self.server.emulator.seen)
        assert await self.server.post(hook) == 200
        await self.bridge.settle()
        self.phone += self.server.emulator.seen[before:]


def configuration(folder: Path, provider: str, base_url: str) -> dict[str, Any]:
    account = {
        "provider": provider,
        "base_url": base_url,
        **emulator_type(provider).sample_settings,
        "inbound": DOORS[provider],
    }
    return {"storage": {"url": f"sqlite:///{folder}/test.db"}, "accounts": {"shop": account}}


async def order(visit: Visit, way: str) -> None:
    """Three packs of matcha, from hello to yes."""
    await visit.says("Hello")
    await visit.chooses("See the teas", way)
    await visit.chooses("Matcha", way)
    await visit.says("3")
    await visit.chooses("Yes", way)


TOLD: Final = (
    "welcome to the tea shop! What would you like?",
    "Which tea shall it be?",
    "Matcha, a good choice. How many packs shall it be, 1 to 20?",
    "3 x Matcha, 45 euro. Shall I order it?",
    "Thank you! Your order no. 1: 3 x Matcha, 45 euro. It leaves our shop today.",
)
ASKED: Final = (
    (Message, "Hello"),
    (Postback, "teas", "See the teas"),
    (Postback, "tea:matcha", "Matcha"),
    (Message, "3"),
    (Postback, "order:yes", "Yes"),
)


def in_short(event: Event) -> tuple[object, ...]:
    if isinstance(event, Postback):
        return Postback, event.key, event.title
    assert isinstance(event, Message)
    return Message, event.text


@pytest.mark.parametrize(("provider", "channel"), CHANNELS, ids=map(":".join, CHANNELS))
async def test_the_same_handler_takes_the_same_order(provider: str, channel: str, tmp_path: Path) -> None:
    port, watched = free_port(), Watched()
    inbound = INBOUND.validate_python(DOORS[provider])
    emulator = emulator_type(provider)(SystemClock().now, Random(5))
    secret = f"/{SECRET}" if provider == "whautochat" else ""
    async with (
        served(configuration(tmp_path, provider, f"http://127.0.0.1:{port}"), watched) as here,
        EmulatorServer(
            emulator,
            port=port,
            webhook=f"http://127.0.0.1:{here.port}/webhooks/shop{secret}",
            sign=signer_for(inbound, SystemClock().now, Random(5)),
        ) as server,
    ):
        for at, way in enumerate((*NUMBERED, *TITLED)):
            watched.asked.clear()
            visit = Visit(bridge=here.bridge, server=server, channel=channel, contact=f"+62812000{at:05}")
            await order(visit, way)
            assert [in_short(event) for event in watched.asked] == list(ASKED), way
            assert len(visit.phone) == len(TOLD), way
            for seen, told in zip(visit.phone, TOLD, strict=True):
                assert told in seen.text, way
                assert seen.channel == channel
            assert len({seen.conversation_id for seen in visit.phone}) == 1
            await assert_done(here.bridge, ThreadRef("shop", provider, channel, visit.phone[0].conversation_id))


async def assert_done(bridge: Bridge, ref: ThreadRef) -> None:
    """The order is counted, no step is open, and nothing waits or is dead."""
    thread_id = await bridge.store.find_thread(ref)
    assert thread_id is not None
    thread = await bridge.store.thread(thread_id)
    assert (orjson.loads(thread.state), thread.step, tuple(thread.choices)) == ({"orders": 1}, None, ())
    (summary,) = [each for each in await bridge.store.threads() if each.id == thread_id]
    assert (summary.open_events, summary.open_messages) == (0, 0)
    assert await bridge.store.dead_letters() == []


def test_every_provider_has_channels_to_talk_on() -> None:
    assert {provider for provider, _ in CHANNELS} == BUILT_IN.keys() - {"playground"}
    assert all(provider_type(name).auth[0] == door["auth"] for name, door in DOORS.items())
