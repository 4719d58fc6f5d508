"""/health/ready tells whether events are stored right now, and finds out by itself when they are again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from bridge.errors import StoreError, Unavailable
from bridge.web import intake as module
from tests.support.webhook_door import Door, opened
from tests.support.whole_bridges import SHOP_HOOK, body, konnek_text

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_aiohttp import AiohttpClient

GOOD = body(konnek_text())


@pytest.fixture
async def door(tmp_path: Path, aiohttp_client: AiohttpClient) -> Door:
    return await opened(tmp_path, aiohttp_client)


async def ready(door: Door) -> int:
    return int((await door.client.get("/health/ready")).status)


class _Disk:
    """A store that commits nothing while it is full."""

    def __init__(self, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = True
        self.hangs = False
        self.attempts = 0
        writer = door.bridge.store._writer  # type: ignore[attr-defined]
        run = writer._run

        async def commit(units: Any) -> Any:
            self.attempts += sum(unit.kind == "advance" for unit in units)
            if self.hangs:
                await asyncio.sleep(0.2)
            if self.is_full:
                raise Unavailable("SQLite: database or disk is full")
            return await run(units)

        monkeypatch.setattr(writer, "_run", commit)


async def test_a_bridge_on_a_full_disk_is_not_ready_until_there_is_room(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN", 0.0)
    assert await ready(door) == 200
    disk = _Disk(door, monkeypatch)
    assert await door.status(SHOP_HOOK, GOOD) == 503
    assert [await ready(door) for _ in range(3)] == [503] * 3
    disk.is_full = False
    assert await ready(door) == 200, "no webhook came meanwhile"
    assert await door.status(SHOP_HOOK, GOOD) == 200


async def test_a_bridge_that_hears_nothing_notices_the_full_disk_too(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FRESH", 0.0)
    assert await ready(door) == 200
    _Disk(door, monkeypatch)
    assert await ready(door) == 503


async def test_a_commit_that_hangs_is_no_proof(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """As under a lock that another program holds."""
    monkeypatch.setattr(module, "_COMMIT_SECONDS", 0.01)
    disk = _Disk(door, monkeypatch)
    disk.is_full, disk.hangs = False, True
    assert await ready(door) == 503


async def test_asking_often_writes_little(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = _Disk(door, monkeypatch)
    assert await asyncio.gather(*(ready(door) for _ in range(50))) == [503] * 50
    disk.is_full = False
    assert (await ready(door), disk.attempts) == (503, 1)


async def test_webhooks_prove_it_without_a_commit_of_its_own(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await door.status(SHOP_HOOK, GOOD) == 200
    disk = _Disk(door, monkeypatch)
    assert (await ready(door), disk.attempts) == (200, 0)


async def test_an_event_that_cannot_be_stored_says_nothing_about_the_others(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await ready(door) == 200

    async def receive(_: object) -> None:
        raise StoreError("SQLite: a constraint failed")

    monkeypatch.setattr(door.bridge.store, "receive", receive)
    assert await door.status(SHOP_HOOK, GOOD) == 503
    assert await ready(door) == 200
