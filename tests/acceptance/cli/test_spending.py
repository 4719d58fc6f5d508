"""`threadbridge spending`: what was spent of each budget."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from typer.testing import CliRunner

from bridge.cli import app
from bridge.testing.contract.store.desk import Desk
from bridge.testing.contract.store.spending import charge, step

if TYPE_CHECKING:
    from pathlib import Path


def spending(folder: Path, *options: str) -> str:
    result = CliRunner().invoke(app, ["spending", "-c", str(folder / "threadbridge.toml"), *options])
    assert result.exit_code == 0, result.output
    return result.stdout


async def spend(url: str) -> None:
    desk = await Desk(url).open()
    (row,) = await desk.hear("1")
    await desk.store.start_step(step(row, 0, charge(7), charge(7, "ann")))
    await desk.store.close()


def test_what_was_spent_is_a_line_for_each_budget(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/shop.db"
    (tmp_path / "threadbridge.toml").write_text(f'[storage]\nurl = "{url}"\n', "utf-8")
    assert json.loads(spending(tmp_path, "--json")) == []
    asyncio.run(spend(url))
    lines = sorted(line.split("\t") for line in spending(tmp_path).splitlines())
    assert lines == [["shop", "all", "2026-11-29", "7"], ["shop", "ann", "2026-11-29", "7"]]
    assert len(json.loads(spending(tmp_path, "--json", "--limit", "1"))) == 1
    assert json.loads(spending(tmp_path, "--json", "--account", "other")) == []
