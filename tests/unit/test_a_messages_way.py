"""One message on its way through a whole bridge: it enters each stop that the page names once, in order."""

from __future__ import annotations

import re
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

from bridge import Router, Turn
from bridge.app.bridge import Bridge, Outside
from bridge.config.load import as_config
from bridge.providers.konnek.emulator import Emulator
from bridge.testing.loop import START
from tests.support.whole_bridges import body, configuration, konnek_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType

    from bridge.engine.delivery.transport import Leaving
    from bridge.providers.port import Request, Response

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs/explanation/a-message's-way.md"
MOST_STOPS: Final = 12
_STOP: Final = re.compile(r"^\d+\. \[`([\w/]+\.py)`\]\(../../\1\) `(\w+)`:", re.MULTILINE)
_ASKED: Final = re.compile(r"^\| `(\w+)`: (.+?) \|", re.MULTILINE)

Call = tuple[str, str]
"""A file and the name of a function in it."""


class Entries:
    """Functions of the product that were called from another file of the product, or by none of its files."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._frames: dict[int, FrameType] = {}
        """A coroutine that goes on after it waited is the same frame: it was entered once."""

    def profile(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call" or id(frame) in self._frames or (file := _file(frame.f_code)) is None:
            return
        self._frames[id(frame)] = frame
        caller = frame.f_back
        while caller is not None and _file(caller.f_code) is None:
            caller = caller.f_back
        if caller is None or _file(caller.f_code) != file:
            self.calls.append((file, frame.f_code.co_name))


def _file(code: CodeType) -> str | None:
    path = Path(code.co_filename)
    if not path.is_relative_to(ROOT):
        return None
    file = path.relative_to(ROOT).as_posix()
    return file if file.startswith(("bridge/", "storage/")) else None


class AtKonnek:
    """Implements Transport: what is sent arrives at once."""

    def __init__(self) -> None:
        self.emulator = Emulator(now=lambda: START, rng=Random(1))

    async def carry(
        self, base_url: str, request: Request, seconds: float, *, leaving: Leaving | None = None
    ) -> Response:
        del base_url, seconds
        if leaving is not None:
            await leaving()
        return self.emulator.handle(request)

    async def close(self) -> None:
        """Nothing is held open."""


@contextmanager
def noted(entries: Entries) -> Iterator[None]:
    """Note the entries in this thread, and in those that `_followed` started."""
    _NOTING.append(entries)
    sys.setprofile(entries.profile)
    try:
        yield
    finally:
        sys.setprofile(None)
        _NOTING.clear()


_NOTING: Final[list[Entries]] = []


def _note(frame: FrameType, event: str, value: object) -> None:
    for entries in _NOTING:
        entries.profile(frame, event, value)


@contextmanager
def _followed() -> Iterator[None]:
    """Threads that start meanwhile are followed all their life: the store has one of its own."""
    threading.setprofile(_note)
    try:
        yield
    finally:
        threading.setprofile(None)


async def entered(folder: Path) -> list[Call]:
    """What the second message of a contact enters: by then everything is warm."""
    router = Router()

    @router.message(text="hi")
    async def hello(turn: Turn) -> str:
        return f"Hello, {turn.contact.name}."

    config = as_config(configuration(folder))
    entries, konnek = Entries(), AtKonnek()
    bridge = Bridge(config, router=router, outside=Outside(open_transport=lambda: konnek, watched=False))

    async def said(key: str) -> None:
        await bridge.webhooks.accept(config.accounts["shop"], body(konnek_text(key)), "whatsapp")
        await bridge.settle()

    with _followed():
        await bridge.start()
    try:
        await said("m-1")
        with noted(entries):
            await said("m-2")
    finally:
        await bridge.stop()
    assert len(konnek.emulator.seen) == 2
    return entries.calls


async def test_a_message_enters_each_stop_of_the_page_once_and_in_order(tmp_path: Path) -> None:
    page = PAGE.read_text("utf-8")
    stops = _STOP.findall(page)
    calls = await entered(tmp_path)
    assert len(stops) == len({file for file, _ in stops}) <= MOST_STOPS
    assert [call for call in calls if call in stops] == stops
    asked = {(stem, name) for stem, names in _ASKED.findall(page) for name in re.findall(r"`(\w+)`", names)}
    files = {file for file, _ in stops}
    others = {(Path(file).stem, name) for file, name in calls if file in files and (file, name) not in stops}
    assert {call for call in others if not call[1].startswith("<")} == asked
