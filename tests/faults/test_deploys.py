"""Deploys under load: a new process takes over from the old one, and no sender notices."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

import pytest

from tests.faults.deploying import deployed
from tests.faults.harness import Gateways

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SEED: Final = 20261129


async def on_sqlite(folder: Path, deploys: int) -> str:
    async with Gateways(delay_ms=3).listening() as gateways:
        home = gateways.home(folder)
        home.environment["BOT_SLOWEST"] = "0.02"
        return await deployed(home, gateways, random.Random(SEED), deploys)


async def test_twenty_deploys_under_load_go_unnoticed(tmp_path: Path, report: Callable[[str], None]) -> None:
    report(await on_sqlite(tmp_path, 20))


@pytest.mark.soak
async def test_two_hundred_deploys_under_load_go_unnoticed(tmp_path: Path, report: Callable[[str], None]) -> None:
    report(await on_sqlite(tmp_path, 200))
