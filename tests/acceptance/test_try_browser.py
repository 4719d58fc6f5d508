"""Trying a bot in a real browser: a contact of an emulated gateway, its choices, the wire, and what goes wrong."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, Page, expect
from pydantic import SecretStr

from bridge.app.http import runner_for
from bridge.app.shards import bridge_of
from bridge.clock import SystemClock
from bridge.config.load import as_config
from bridge.emulation.server import EmulatorServer
from bridge.events import Postback
from bridge.messages import Button, Buttons
from bridge.providers.konnek.emulator import Emulator as Konnek
from bridge.providers.whautochat.emulator import Emulator as WhautoChat
from bridge.routing.router import Router
from tests.support.browsers import BROWSING, no_serious_fault, page_of
from tests.support.free_ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bridge import Turn
    from bridge.providers.port import EmulatorType

pytestmark = BROWSING
SECRET: Final = "a-secret-of-24-bytes-or-more"
GATEWAYS: Final[dict[str, tuple[EmulatorType, dict[str, Any]]]] = {
    "shop": (Konnek, {"provider": "konnek"}),
    "desk": (WhautoChat, {"provider": "whautochat"}),
}


def shop() -> Router:
    """A bot with two buttons."""
    router = Router("shop")

    @router.on(Postback)
    async def pressed(turn: Turn[Postback]) -> str:
        return f"You pressed {turn.event.key}."

    @router.message()
    async def menu(_: Turn[Any]) -> Buttons:
        return Buttons("What would you like?", [Button("tea", "See the teas"), Button("open", "Opening hours")])

    return router


@pytest_asyncio.fixture(loop_scope="session")
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """The console of a bridge with two emulated gateways, as `dev` serves it."""
    port, servers, accounts = free_port(), [], {}
    for name, (emulator, settings) in GATEWAYS.items():
        hook = f"http://127.0.0.1:{port}/webhooks/{name}/{SECRET}"
        server = EmulatorServer(emulator(SystemClock().now, Random(7)), webhook=hook)
        await server.start()
        servers.append(server)
        inbound = {"auth": "path", "secret": SecretStr(SECRET)}
        accounts[name] = {**settings, "base_url": server.url, **emulator.sample_settings, "inbound": inbound}
    values = {"server": {"port": port}, "storage": {"url": f"sqlite:///{tmp_path}/test.db"}, "accounts": accounts}
    runner = runner_for(bridge_of(replace(as_config(values), console_is_open=True), router=shop()))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}/console"
    await runner.cleanup()
    for server in servers:
        await server.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    async with page_of(browser) as page:
        yield page


async def test_a_contact_presses_a_button_on_one_gateway_and_answers_by_number_on_another(page: Page, url: str) -> None:
    await page.goto(f"{url}/try")
    await expect(page.locator("#account")).to_have_value("desk")  # the first by name: it has no buttons
    await page.fill("#words", "hello")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".said.bot .bubble")).to_contain_text(["1. See the teas"])
    await page.fill("#words", "2")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".said.bot .bubble")).to_contain_text(["1. See the teas", "You pressed open."])
    await page.select_option("#account", "shop")
    await page.wait_for_url("**account=shop**")
    await page.fill("#words", "hello")
    await page.keyboard.press("Control+Enter")
    await page.get_by_role("button", name="See the teas").click()
    await expect(page.locator(".said.bot .bubble")).to_contain_text(["What would you like?", "You pressed tea."])
    await expect(page.locator("#wire")).to_contain_text("/send/")
    await expect(page.locator("#wire")).to_contain_text("You pressed tea.")
    await no_serious_fault(page)


async def test_what_goes_wrong_is_chosen_and_shown(page: Page, url: str) -> None:
    await page.goto(f"{url}/try?account=shop&contact=bob")
    await page.fill("#fail", "503")
    await page.get_by_role("button", name="Let it go wrong").click()
    await expect(page.locator("#fail")).to_have_value("503")
    await page.fill("#words", "hello")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".said.bot .state")).to_have_text(["to be sent"])
    await expect(page.locator("#wire")).to_contain_text('"status": 503')
    await page.fill("#fail", "99")
    await page.get_by_role("button", name="Let it go wrong").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Unprocessable Content")


async def test_an_account_without_an_emulator_says_so(page: Page, tmp_path: Path) -> None:
    port = free_port()
    nowhere = {"provider": "konnek", "base_url": "http://127.0.0.1:9", **Konnek.sample_settings}
    inbound = {"auth": "path", "secret": SecretStr(SECRET)}
    values = {
        "server": {"port": port},
        "storage": {"url": f"sqlite:///{tmp_path}/test.db"},
        "accounts": {"shop": {**nowhere, "inbound": inbound}},
    }
    runner = runner_for(bridge_of(replace(as_config(values), console_is_open=True), router=shop()))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await page.goto(f"http://127.0.0.1:{port}/console/try")
    await expect(page.locator("aside")).to_contain_text("no emulator answers at the address of the gateway")
    await runner.cleanup()
