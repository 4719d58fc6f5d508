"""Files behind an emulated gateway's links: served for a while, and dead from then on."""

from __future__ import annotations

import random

import aiohttp
import pytest

from bridge.emulation.files import Files
from bridge.emulation.server import EmulatorServer
from bridge.providers.registry import emulator_type
from tests.support.manual_clock import ManualClock


@pytest.mark.parametrize("provider", ["konnek", "relationlabs", "ginalne", "whautochat", "aelyst"])
async def test_the_links_of_every_gateway_give_their_files_until_they_die(provider: str) -> None:
    clock = ManualClock()
    emulator = emulator_type(provider)(clock.now, random.Random(1))
    async with EmulatorServer(emulator) as server, aiohttp.ClientSession() as session:
        server.files = Files(clock.now)
        url = server.file(b"bytes", "image/png", lasts=60)
        async with session.get(url) as answer:
            assert (answer.status, answer.content_type, await answer.read()) == (200, "image/png", b"bytes")
        clock.advance(60)
        async with session.get(url) as answer:
            assert answer.status == 410
        assert server.files.fetches == 2
        assert emulator.requests == []


async def test_a_file_is_handed_in_over_http() -> None:
    emulator = emulator_type("konnek")(ManualClock().now, random.Random(1))
    async with EmulatorServer(emulator) as server, aiohttp.ClientSession() as session:
        async with session.post(f"{server.url}/_emulator/files?lasts=60", data=b"bytes") as answer:
            url = (await answer.json())["url"]
        async with session.get(url) as answer:
            assert await answer.read() == b"bytes"
        async with session.get(f"{url}0") as answer:
            assert answer.status == 404
        async with session.post(f"{server.url}/_emulator/files?lasts=soon", data=b"bytes") as answer:
            assert (answer.status, (await answer.json())["error"][:6]) == (400, "lasts:")
