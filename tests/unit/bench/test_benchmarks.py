"""Benchmarks with an arithmetic of their own: what they report adds up, whatever the figures are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.bench import growth, startup, sweeping
from bridge.bench.closed_loop import Demand
from bridge.bench.memory import memory
from bridge.bench.processes import BenchError
from bridge.bench.servers import database
from bridge.bench.shares import stages
from bridge.bench.slices import Settings, running
from bridge.bench.stages import TURN
from bridge.store.admission import place_of
from bridge.store.opening import open_reader

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("warm_servers")]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def test_memory_is_told_at_every_fifth_of_the_way_for_messages_and_for_events() -> None:
    told: list[str] = []
    report = await memory(Settings(messages=23, tell=told.append))
    assert report.problems == []
    for what in ("messages", "queued events"):
        rows = [row for row in report.rows if row.measure.endswith(f" {what}")]
        places = [f"memory after {done} {what}" for done in (4, 9, 13, 18, 23)]
        assert [row.measure for row in rows] == [f"memory at the start, before {what}", *places]
        assert min(row.spread.median for row in rows) > 10
        assert f"{what}: 23 of 23" in told


async def test_stages_are_told_for_each_message() -> None:
    report = await stages(Settings(seconds=0.1, rounds=1))
    milliseconds = {row.measure: row.spread.median for row in report.rows if row.unit == "ms"}
    assert report.problems == []
    assert [stage.partition(" ")[0] for stage in milliseconds] == ["1", "2", "3", "4", "5", "6"]
    assert milliseconds[TURN] > milliseconds["3 of it: wait for the commit"] > 0


async def test_growth_measures_both_shapes_of_a_past_beside_an_empty_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "MILLION", 4_000)
    told: list[str] = []
    report = await growth.growth(Settings(seconds=0.1, rounds=1, tell=told.append))
    assert report.problems == []
    names = ["4,000 messages in 1,000 conversations", "4,000 messages in 400 conversations"]
    assert [row.subject for row in report.rows if row.unit == "ratio"] == names
    assert [text for text in told if text.startswith("write")] == [f"write {name}: 4,000" for name in names]


async def places_of(url: str, thread_id: int) -> set[str]:
    """The beginnings of the event keys of a thread."""
    store = await open_reader(url)
    try:
        said = await store.history(thread_id)
    finally:
        await store.close()
    return {entry.key.partition("/")[0] for entry in said if entry.direction == "in"}


async def test_new_keys_of_a_past_lie_among_those_of_their_conversation() -> None:
    past = growth._with_past(300, 10, Settings())
    async with running([past], Settings()) as (server,):
        await server.slice(Demand(messages=20, in_flight=4, connections=2))
        places = await places_of(database(str(server.process.folder)), thread_id=2)
    assert places == {place_of("whatsapp", "62812000000001")}


async def test_retention_removes_old_rows_while_it_is_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "MILLION", 2_000)
    report = await sweeping.retention(Settings(seconds=0.3, rounds=1))
    assert report.problems == []
    medians = {(row.subject, row.measure): row.spread.median for row in report.rows}
    assert 0 < medians["old rows go", "rows removed"] <= 2_000
    assert medians["old rows go", "file after"] >= medians["old rows go", "file before"] > 0
    assert {"answer p99", "reply p99"} <= {measure for subject, measure in medians if subject == "old rows stay"}


async def test_start_up_names_the_heaviest_imports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    heavy = "import time\nuntil = time.perf_counter() + 0.3\nwhile time.perf_counter() < until: pass\n"
    (tmp_path / "heavy.py").write_text(heavy, "utf-8")
    for name in startup.COMMANDS:
        monkeypatch.setitem(
            startup.COMMANDS, name, ("-c", f"import sys; sys.path.append({str(tmp_path)!r}); import heavy")
        )
    report = await startup.startup(Settings(rounds=1))
    measures = {row.measure for row in report.rows if row.subject == "import bridge"}
    assert {"processor time", "import of heavy"} <= measures
    assert report.notes == ["goal of threadbridge --help: 0.4 s", "goal of import bridge: 0.25 s"]


async def test_a_command_that_fails_has_no_start_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(startup.COMMANDS, "threadbridge --help", ("-c", "raise SystemExit(3)"))
    with pytest.raises(BenchError, match="ended with 3"):
        await startup.startup(Settings(rounds=1))
