"""`threadbridge bench`: what it prints, draws and says when it cannot measure."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from bridge.bench import benchmarks, checkout
from bridge.bench.processes import BenchError
from bridge.bench.report import Report
from bridge.cli import app

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.bench.slices import Settings


async def _e2e(settings: Settings) -> Report:
    report = Report("e2e", problems=["threadbridge: 1 of 9 webhooks had no reply"] if settings.rounds == 1 else [])
    report.add("threadbridge", "replies", "/s", [settings.seconds])
    return report


async def _impossible(_: Settings) -> Report:
    raise BenchError("a server does not start")


@pytest.fixture(autouse=True)
def _no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is measured comes at once."""
    for name in benchmarks.BENCHMARKS:
        monkeypatch.setitem(benchmarks.BENCHMARKS, name, _impossible)
    monkeypatch.setitem(benchmarks.BENCHMARKS, "e2e", _e2e)


def _run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["bench", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_the_figures_are_printed_with_the_machine_they_belong_to(tmp_path: Path) -> None:
    code, printed, _ = _run("e2e", "--seconds", "2.5", "--json", "--plot", str(tmp_path / "e2e.svg"))
    shown = json.loads(printed)
    assert code == 0
    assert shown["reports"][0]["rows"][0]["median"] == 2.5
    assert "machine" in shown["surroundings"]
    assert (tmp_path / "e2e.svg").read_text().startswith("<svg")


@pytest.mark.parametrize(("options", "line"), [((), "threadbridge"), (("--markdown",), "| e2e | threadbridge |")])
def test_text_and_tables_name_the_subject(options: tuple[str, ...], line: str) -> None:
    _, printed, _ = _run("e2e", *options)
    assert any(shown.strip().startswith(line) for shown in printed.splitlines())


def test_a_lost_message_is_named_and_ends_with_1() -> None:
    code, printed, errors = _run("e2e", "--rounds", "1")
    assert (code, errors) == (1, "threadbridge: 1 of 9 webhooks had no reply\n")
    assert "replies" in printed


def test_an_unknown_benchmark_is_refused_with_a_list() -> None:
    code, _, errors = _run("speed")
    assert code == 2
    assert "ingest, e2e" in errors


def test_what_cannot_be_measured_ends_with_one_line() -> None:
    assert _run("ingest") == (1, "", "a server does not start\n")


@pytest.mark.parametrize(("core", "notes"), [({3}, 1), ({1, 3}, 0)])
def test_a_machine_with_one_core_is_told_of(core: set[int], notes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: core)
    _, printed, _ = _run("e2e")
    assert printed.count("this machine has one core") == notes


def test_peers_need_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    code, _, errors = _run("peers")
    assert code == 1
    assert "needs a checkout of the project" in errors
