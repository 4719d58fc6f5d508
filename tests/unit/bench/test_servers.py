"""The servers under measurement do their work: counted by messages, and by no clock."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bridge.bench.checkout import from_checkout
from bridge.bench.closed_loop import Demand
from bridge.bench.ingest import HELD, PLAIN, SERVERS, open_events
from bridge.bench.processes import BenchError, Process, Subject
from bridge.bench.replies import ECHO, FOLLOWED
from bridge.bench.slices import Settings, running
from bridge.bench.stages import FILE, TURN
from tests.bench import peers

if TYPE_CHECKING:
    from pathlib import Path

MESSAGES = 40

pytestmark = pytest.mark.slow
warm = pytest.mark.usefixtures("warm_servers")


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


@warm
async def test_a_bridge_with_a_follower_replies_to_every_webhook_once_and_tells_of_each() -> None:
    async with running([FOLLOWED], Settings()) as (server,):
        measured = await server.slice(Demand(messages=MESSAGES, in_flight=10, connections=4))
        assert (measured.messages, server.problems) == (MESSAGES, [])
        with closing(sqlite3.connect(server.process.folder / "bench.db")) as db:
            told = db.execute("SELECT count(*) FROM outbox WHERE account = ':events:127.0.0.1'").fetchone()
        assert told[0] >= MESSAGES


@warm
async def test_the_bare_pipeline_keeps_the_promises_that_it_is_a_yardstick_of() -> None:
    async with running(from_checkout("bare"), Settings()) as at_work:
        for server in at_work:
            measured = await server.slice(Demand(messages=MESSAGES, in_flight=10, connections=4))
            assert (measured.messages, server.problems) == (MESSAGES, [])
            with closing(sqlite3.connect(server.process.folder / "bare.db")) as db:
                assert db.execute("SELECT count(*), sum(done) FROM inbox").fetchone() == (MESSAGES, MESSAGES)
                assert db.execute("SELECT count(DISTINCT event) FROM outbox").fetchone() == (MESSAGES,)


@warm
async def test_the_bare_pipeline_stores_each_webhook_where_it_answers_none() -> None:
    async with running(from_checkout("bare", "storing"), Settings()) as (server,):
        measured = await server.slice(Demand(messages=MESSAGES, in_flight=10, connections=4))
        assert (measured.messages, server.problems) == (MESSAGES, [])
        with closing(sqlite3.connect(server.process.folder / "bare.db")) as db:
            assert db.execute("SELECT count(*), sum(done) FROM inbox").fetchone() == (MESSAGES, 0)
            assert db.execute("SELECT count(*) FROM outbox").fetchone() == (0,)


def test_peers_that_are_not_installed_are_named_with_the_command_that_installs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "PYTHON", tmp_path / "python")
    with pytest.raises(BenchError, match="make peers"):
        from_checkout("peers")


def _files(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


@warm
async def test_where_turns_are_held_every_webhook_waits_in_the_store() -> None:
    async with running([*PLAIN, HELD], Settings()) as at_work:
        for server in at_work:
            measured = await server.slice(Demand(messages=MESSAGES, in_flight=10, connections=10))
            assert (measured.messages, server.problems) == (MESSAGES, [])
        assert await open_events(at_work[-1]) == MESSAGES


@warm
async def test_a_server_that_does_not_start_is_named_with_its_last_words() -> None:
    with pytest.raises(BenchError, match=r"lame does not start.*KeyError: 'lame'"):
        async with running([Subject(name="lame", module=SERVERS, arguments=("lame",))], Settings()):
            pass


def test_a_server_that_has_ended_has_no_figures(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="ended"):
        Process(pids=(2**22 + 1,), ports=(1,), folder=tmp_path).seconds()
