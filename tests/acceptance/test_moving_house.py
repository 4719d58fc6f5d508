"""A bot stops on one database and goes on in another: whoever talks with it notices nothing."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from bridge.app.bridge import Bridge, Outside
from bridge.cli import app
from bridge.config.load import as_config
from bridge.providers.konnek.emulator import Emulator
from storage.postgres import process
from tests.support.manual_clock import START, ManualClock
from tests.support.moving_bots import router
from tests.support.postgres import empty_store, plain
from tests.support.whole_bridges import configuration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from bridge.engine.delivery.transport import Leaving
    from bridge.providers.port import Hook, Request, Response


class Gateway:
    """Implements Transport: what is sent arrives at once, unless the gateway is away."""

    def __init__(self, clock: ManualClock) -> None:
        self.emulator = Emulator(now=clock.now, rng=Random(1))

    async def carry(
        self, base_url: str, request: Request, seconds: float, *, leaving: Leaving | None = None
    ) -> Response:
        del base_url, seconds
        if leaving is not None:
            await leaving()
        return self.emulator.handle(request)

    async def close(self) -> None:
        """Nothing is held open."""

    def texts(self, contact: str) -> list[str]:
        """What a contact got."""
        return [seen.text for seen in self.emulator.seen if seen.conversation_id == contact]


class Bot:
    """The bot in one database after the other; the gateway, the contacts and the time go on."""

    def __init__(self, folder: Path, account: str = "shop") -> None:
        self.account = account
        self.clock = ManualClock(START)
        self.gateway = Gateway(self.clock)
        self._folder = folder

    def live(self, url: str, do: Callable[[Bot], Awaitable[None]]) -> None:
        """One life of the bridge on the store at `url`."""
        storage = {"url": plain(url)} | ({"durability": "relaxed"} if url.startswith("postgres") else {})
        config = as_config(configuration(self._folder, storage=storage))

        async def life() -> None:
            self.bridge = Bridge(
                config,
                router=router,
                clock=self.clock,
                outside=Outside(open_transport=lambda: self.gateway, watched=False),
            )
            await self.bridge.start()
            try:
                await do(self)
            finally:
                await self.bridge.stop()

        asyncio.run(life())

    async def hears(self, hook: Hook) -> None:
        await self.bridge.webhooks.accept(self.bridge.config.accounts[self.account], hook.body, "whatsapp")
        await self.bridge.settle()

    async def says(self, contact: str, text: str) -> None:
        await self.hears(self.gateway.emulator.says("whatsapp", contact, text))


ANN, BOB = "6281234500001", "6281234500002"


async def begins(bot: Bot) -> None:
    await bot.says(ANN, "book")
    await bot.says(BOB, "offer")


async def answers(bot: Bot) -> None:
    await bot.says(ANN, "Ann")
    button = next(seen.choices[0] for seen in bot.gateway.emulator.seen if seen.choices)
    await bot.hears(bot.gateway.emulator.presses("whatsapp", BOB, button))


async def ends(bot: Bot) -> None:
    await bot.says(ANN, "yes")
    bot.clock.advance(3601)
    await bot.bridge.settle()


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(process, "PATIENCE", 0.0)


def moved(source: str, target: str, *options: str) -> str:
    result = CliRunner().invoke(app, ["copy", "--from", source, "--to", target, *options])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_conversations_go_on_in_postgresql_and_back_on_sqlite(tmp_path: Path) -> None:
    first, house, last = f"sqlite:///{tmp_path}/first.db", empty_store(), f"sqlite:///{tmp_path}/last.db"
    bot = Bot(tmp_path)
    bot.live(first, begins)
    assert bot.gateway.texts(ANN) == ["Your name?"]
    moved(first, house)
    bot.live(house, answers)
    moved(house, last)
    bot.live(last, ends)
    assert [text.partition("?")[0] for text in bot.gateway.texts(ANN)] == ["Your name", "Ann, sure", "Booked for Ann."]
    assert bot.gateway.texts(BOB) == ["Tea or coffee?", "Tea with 2 sugar, cup 1.", "Still thinking about the offer?"]


def test_the_conversations_of_one_account_go_on_beside_those_of_another(tmp_path: Path) -> None:
    first, house = f"sqlite:///{tmp_path}/first.db", empty_store()
    neighbour = Bot(tmp_path, account="desk")
    neighbour.live(house, lambda bot: bot.says("6281234500009", "book"))
    bot = Bot(tmp_path)
    bot.live(first, begins)
    said = moved(first, house, "--account", "shop", "--remove")
    assert "serve the account shop from postgresql://" in said
    assert "where none of its rows is left" in said
    bot.live(house, answers)
    bot.live(house, ends)
    assert bot.gateway.texts(BOB) == ["Tea or coffee?", "Tea with 2 sugar, cup 1.", "Still thinking about the offer?"]
    assert bot.gateway.texts(ANN)[-1] == "Booked for Ann."
