"""Each emulator under the path of its gateway's documented base URL, and without it."""

from __future__ import annotations

from random import Random
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import pytest

from bridge.clock import SystemClock
from bridge.emulation.server import EmulatorServer
from bridge.providers.registry import emulator_type

DOCUMENTED: Final = {
    "aelyst": ("https://api.aelyst.ai/v1", "/contact/id:1/message"),
    "ginalne": ("https://main.ginalne.com/raven/xapi/v1", "/message:send"),
    "konnek": ("https://konnek.example", "/whatsapp/send/c-1"),
    "relationlabs": ("https://api.relationlabs.ai", "/api/v1/message/send"),
    "whautochat": ("https://api.whauto.chat", "/v1/messages/whatsapp/sendtext"),
}
"""The base URL of each gateway's documents, and the path of a request below it."""


@pytest.mark.parametrize("provider", DOCUMENTED)
async def test_an_emulator_knows_its_gateways_base_path(provider: str) -> None:
    base_url, path = DOCUMENTED[provider]
    base = urlsplit(base_url).path
    server = EmulatorServer(emulator_type(provider)(SystemClock().now, Random(1)), port=0)
    async with server, aiohttp.ClientSession() as session:
        statuses = []
        for url in (f"{server.url}{base}{path}", f"{server.url}{path}"):
            async with session.post(url, json={}) as answer:
                statuses.append(answer.status)
    assert [request.path for request, _ in server.emulator.requests] == [path, path]
    assert len({*statuses}) == 1
    assert 404 not in statuses
