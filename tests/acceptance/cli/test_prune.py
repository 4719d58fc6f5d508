"""`threadbridge prune`: counts and removes, through the running bridge and without one."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from typer.testing import CliRunner

from bridge.app.http import create_app
from bridge.cli import app
from bridge.testing.contract.store.desk import Desk, news, refused, sent
from bridge.web.server import runner_of

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

AGES = (
    '[accounts.demo]\nprovider = "playground"\n[retention]\nmessages = "1d"\nexchanges = "1d"\ndead_letters = "30d"\n'
)
OLD = {"events": 2, "messages": 1, "dead messages": 1}
"""Of what `past` makes, what is old enough and not the newest; the newest is emptied."""
EMPTIED = {"event contents": 2, "message contents": 2, "exchanges": 2}
"""What a dry run counts of contents."""


@dataclass
class Shop:
    folder: Path

    def call(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["prune", *arguments, "-c", str(self.folder / "threadbridge.toml")])

    def counts(self, *arguments: str) -> dict[str, Any]:
        result = self.call("--json", *arguments)
        assert result.exit_code == 0, result.stderr
        return {row["kind"]: row["rows"] for row in json.loads(result.stdout) if row["rows"]}

    async def past(self) -> None:
        """What was said on the first day of the year."""
        desk = await Desk(f"sqlite:///{self.folder}/threadbridge.db").open()
        first, second = await desk.said("a", "b")
        await desk.store.settle_delivery(sent(first, "m", exchange=b"{}"))
        await desk.store.settle_delivery(refused(second, "no"))
        (third,) = await desk.said("c")
        await desk.store.settle_delivery(sent(third, exchange=b"{}"))
        await desk.receive(news("m", "read"))
        await desk.store.close()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    (tmp_path / "threadbridge.toml").write_text(AGES, "utf-8")
    asyncio.run(Shop(tmp_path).past())
    return Shop(tmp_path)


def test_a_dry_run_counts_what_is_removed_after_it(shop: Shop) -> None:
    assert shop.counts("--dry-run") == OLD | EMPTIED
    assert shop.counts("--dry-run") == OLD | EMPTIED
    assert shop.counts() == OLD | {"message contents": 1, "exchanges": 1}
    assert shop.counts() == {}


async def test_a_running_bridge_removes_when_it_is_asked(shop: Shop) -> None:
    runner = runner_of(create_app(shop.folder / "threadbridge.toml"))
    await runner.setup()
    with structlog.testing.capture_logs():
        removed = await asyncio.to_thread(shop.counts)
    assert removed["events"] == OLD["events"]
    assert await asyncio.to_thread(shop.counts, "--dry-run") == {}
    await runner.cleanup()


def test_without_an_age_it_says_that_nothing_goes(shop: Shop) -> None:
    (shop.folder / "threadbridge.toml").write_text('[accounts.demo]\nprovider = "playground"\n', "utf-8")
    result = shop.call()
    assert (result.exit_code, result.stderr) == (1, "[retention] is empty: everything is kept for good\n")


def test_an_age_of_less_than_an_hour_is_refused(shop: Shop) -> None:
    (shop.folder / "threadbridge.toml").write_text(AGES.replace('"1d"', '"5min"'), "utf-8")
    result = shop.call()
    assert result.exit_code == 78
    assert "retention.messages" in result.stderr
