"""Bodies in gzip: inflated in vain for few forgeries, and whole also where somebody else's server takes them."""

from __future__ import annotations

import gzip
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import pytest
from aiohttp import web
from pydantic import SecretStr

from bridge.app.http import BRIDGE, create_app
from bridge.errors import WebhookError
from bridge.units import SECOND
from bridge.web import forgeries, limits
from bridge.web.forgeries import AT_ONCE, Forgeries
from tests.support.manual_clock import ManualClock
from tests.support.signed_posts import mac
from tests.support.webhook_door import Door, opened
from tests.support.whole_bridges import (
    DESK_HOOK,
    SECRET,
    SHOP_HOOK,
    Served,
    accounts,
    body,
    configuration,
    http,
    konnek_text,
    silent,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pytest_aiohttp import AiohttpClient

GOOD: Final = body(konnek_text())
PACKED: Final = gzip.compress(GOOD)
FORGED: Final = gzip.compress(body(konnek_text(text="a" * 50_000)))
SIGNED_HOOK: Final = "/webhooks/signed/whatsapp"


@pytest.fixture
async def door(tmp_path: Path, aiohttp_client: AiohttpClient, monkeypatch: pytest.MonkeyPatch) -> Door:
    """No allowance comes back while a test lasts, however slow its machine is."""
    monkeypatch.setattr(forgeries, "_INTERVAL", 3600 * SECOND)
    inbound = {"auth": "hmac", "keys": SecretStr(SECRET)}
    signed = {**accounts()["shop"], "inbound": inbound}
    return await opened(tmp_path, aiohttp_client, accounts={**accounts(), "signed": signed})


@pytest.fixture
def inflations(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each body that is inflated from now on."""
    counted: list[int] = []
    inflate = limits.inflate

    def counting(data: bytes, limit: int) -> bytes:
        counted.append(len(data))
        return inflate(data, limit)

    monkeypatch.setattr(limits, "inflate", counting)
    return counted


async def post(door: Door, content: bytes, signature: str, coding: str = "gzip") -> int:
    return await door.status(SIGNED_HOOK, content, Content_Encoding=coding, X_Webhook_Signature=signature)


async def test_forged_signatures_cost_few_inflations(door: Door, inflations: list[int]) -> None:
    statuses = [await post(door, FORGED, mac("x")) for _ in range(AT_ONCE * 4)]
    assert statuses[:AT_ONCE] == [401] * AT_ONCE
    assert statuses[-1] == 503
    assert len(inflations) < AT_ONCE * 2
    assert await door.threads() == 0


async def test_a_signature_of_what_came_needs_no_allowance(door: Door, inflations: list[int]) -> None:
    assert [await post(door, FORGED, mac("x")) for _ in range(AT_ONCE * 4)][-1] == 503
    inflations.clear()
    assert await post(door, PACKED, mac(SECRET, PACKED)) == 200
    assert await post(door, GOOD, mac(SECRET, GOOD), coding="") == 200
    assert await door.status(SHOP_HOOK, PACKED, Content_Encoding="gzip") == 200
    assert len(inflations) == 2


async def test_a_signature_of_what_was_compressed_costs_no_allowance(door: Door) -> None:
    for _ in range(AT_ONCE * 2):
        assert await post(door, PACKED, mac(SECRET, GOOD)) == 200
    assert await door.threads() == 1


async def test_an_uncompressed_forgery_says_401_however_often(door: Door) -> None:
    assert {await post(door, GOOD, mac("x"), coding="") for _ in range(AT_ONCE * 2)} == {401}


@pytest.mark.parametrize(
    ("content", "status"),
    [(PACKED[:-9], 400), (b"not gzip", 400), (GOOD, 400), (gzip.compress(bytes(300_000)), 413)],
    ids=["cut", "none", "JSON", "too large"],
)
@pytest.mark.parametrize("signs", ["what came", "something else"])
@pytest.mark.slow
async def test_what_cannot_be_inflated_is_refused_as_ever(door: Door, content: bytes, status: int, signs: str) -> None:
    signature = mac(SECRET, content if signs == "what came" else b"something else")
    assert await post(door, content, signature) == status


def test_an_allowance_comes_back_with_time_and_is_each_accounts_own() -> None:
    clock = ManualClock()
    forgeries = Forgeries(clock)
    assert spend(forgeries, "shop", AT_ONCE * 2) == AT_ONCE
    assert spend(forgeries, "desk", 1) == 1
    clock.advance(0.5)
    assert spend(forgeries, "shop", AT_ONCE) == 5
    clock.advance(3600)
    assert spend(forgeries, "shop", AT_ONCE * 2) == AT_ONCE
    clock.advance(-3600)
    assert spend(forgeries, "shop", 1) == 0
    clock.advance(0.1)
    assert spend(forgeries, "shop", 1) == 1


def spend(forgeries: Forgeries, account: str, times: int) -> int:
    """How many of so many forgeries are looked at."""
    looked_at = 0
    for _ in range(times):
        with suppress(WebhookError), forgeries.doubted(account):
            looked_at += 1
            raise WebhookError(401, "wrong signature")
    return looked_at


@asynccontextmanager
async def hosted(folder: Path, **server: Any) -> AsyncIterator[Served]:
    """The bridge at /bot of an application and a server that are not ours, on a real socket."""
    bot = create_app(configuration(folder), router=silent())
    site = web.Application()
    site.add_subapp("/bot", bot)
    runner = web.AppRunner(site, **server)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield Served(bot[BRIDGE], runner.addresses[0][1], bot)
    finally:
        await runner.cleanup()


BROKEN: Final = {
    "none": b"not gzip",
    "JSON": GOOD,
    "empty": b"",
    "cut in its head": PACKED[:5],
    "cut": PACKED[:-20],
    "junk behind": PACKED + b"junk",
    "wrong sum": PACKED[:-8] + bytes(8),
}


@pytest.mark.parametrize("server", [{}, {"auto_decompress": False}], ids=["as it is", "leaves it to the bridge"])
async def test_a_hosts_own_server_lets_no_broken_gzip_in(tmp_path: Path, server: dict[str, Any]) -> None:
    async with hosted(tmp_path, **server) as door:
        for hook in (SHOP_HOOK, DESK_HOOK):
            for name, content in BROKEN.items():
                (answer,) = await door.send(http(content, "/bot" + hook, "Content-Encoding: gzip"))
                assert (name, answer.status) == (name, 400)
        assert await door.kept() == 0
        (answer,) = await door.send(http(PACKED, "/bot" + SHOP_HOOK, "Content-Encoding: gzip"))
        assert answer.status == 200
        assert await door.kept() == 1


async def test_gzip_cut_in_its_trailer_is_refused_where_the_bridge_inflates(tmp_path: Path) -> None:
    """aiohttp's own server does not tell of it; all of the JSON is there."""
    async with hosted(tmp_path, auto_decompress=False) as door:
        for kept in range(len(PACKED) - 9, len(PACKED)):
            (answer,) = await door.send(http(PACKED[:kept], "/bot" + SHOP_HOOK, "Content-Encoding: gzip"))
            assert answer.status == 400
        assert await door.kept() == 0
