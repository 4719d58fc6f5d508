"""The servers under measurement do their work: counted by messages, and by no clock."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bridge.bench.closed_loop import Demand
from bridge.bench.ingest import HELD, PLAIN, SERVERS, open_events
from bridge.bench.processes import BenchError, Process, Subject
from bridge.bench.replies import ECHO
from bridge.bench.slices import Settings, running
from bridge.bench.stages import FILE, TURN

if TYPE_CHECKING:
    from pathlib import Path

MESSAGES = 40

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def test_the_bridge_replies_to_every_webhook_once(tmp_path: Path) -> None:
    stages = tmp_path / "stages.json"
    watched = Subject(name="watched", module=SERVERS, arguments=("watched",), environment={FILE: str(stages)})
    async with running([ECHO, watched], Settings()) as at_work:
        for server in at_work:
            measured = await server.slice(Demand(messages=MESSAGES, in_flight=10, connections=4))
            assert (measured.messages, server.problems) == (MESSAGES, [])
            assert min(measured.rate, measured.micros, measured.p50, measured.load) > 0
            assert server.process.bytes() > 1_000_000
    assert json.loads(stages.read_text())["calls"][TURN] == MESSAGES
    assert _files(tmp_path) == [stages.name]


def _files(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


async def test_where_turns_are_held_every_webhook_waits_in_the_store() -> None:
    async with running([PLAIN, HELD], Settings()) as at_work:
        for server in at_work:
            measured = await server.slice(Demand(messages=MESSAGES, in_flight=10, connections=10))
            assert (measured.messages, server.problems) == (MESSAGES, [])
        assert await open_events(at_work[1]) == MESSAGES


async def test_a_server_that_does_not_start_is_named_with_its_last_words() -> None:
    with pytest.raises(BenchError, match=r"lame does not start.*KeyError: 'lame'"):
        async with running([Subject(name="lame", module=SERVERS, arguments=("lame",))], Settings()):
            pass


def test_a_server_that_has_ended_has_no_figures(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="ended"):
        Process(pid=2**22 + 1, port=1, folder=tmp_path).seconds()
