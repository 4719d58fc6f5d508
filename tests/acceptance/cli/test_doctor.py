"""`threadbridge doctor`: a line for each finding, what to do, and the exit code."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from aiohttp import web
from typer.testing import CliRunner

from bridge.cli import app, doctor_network, doctor_store
from bridge.cli.looking import looked_at
from bridge.clock import SystemClock
from bridge.providers.whautochat.emulator import Emulator
from bridge.store.opening import open_reader
from bridge.testing.contract.store.desk import Desk, arrival, given_up
from bridge.web.health import add_health
from tests.acceptance.cli.test_emulate import emulating
from tests.support.certificates import Authority
from tests.support.free_ports import free_port

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from bridge.cli.findings import Finding

PLAYGROUND = '[accounts.shop]\nprovider = "playground"\n'
NOW = SystemClock().now()
KEY = Emulator.sample_settings["api_key"].get_secret_value()
CHAT = """
[handlers]
load = ["handlers.menu"]
[accounts.chat]
provider = "whautochat"
base_url = "{url}"
api_key = "env:TEST_KEY"
workspace_id = "w"
inbound = {{auth = "path", secret = "env:TEST_PATH"}}
[accounts.shop]
provider = "ginalne"
base_url = "https://ginalne.example"
username = "bot"
token = "env:TEST_KEY"
token_expires = "{expires}"
"""


class Examined(NamedTuple):
    """What doctor prints, by level and subject, and its exit code."""

    code: int
    rows: list[dict[str, Any]]

    def about(self, level: str, subject: str) -> list[str]:
        return [row["about"] for row in self.rows if (row["level"], row["subject"]) == (level, subject)]


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.cli.check.resolved", lambda _: {})
    monkeypatch.setattr("bridge.cli.check.filesystem", lambda _: "ext4")
    monkeypatch.setenv("TEST_KEY", KEY)
    monkeypatch.setenv("TEST_PATH", "a-secret-9d5e1f77-abcdef")


def examine(folder: Path, text: str = PLAYGROUND, *options: str) -> Examined:
    file = folder / "threadbridge.toml"
    file.write_text(text, "utf-8")
    result = CliRunner().invoke(app, ["doctor", "-c", str(file), "--json", *options])
    return Examined(result.exit_code, json.loads(result.stdout))


def stored(folder: Path, *bodies: dict[str, Any], age: int = 0) -> None:
    """Webhooks of a store that nobody owns, one turn dead among them."""

    async def fill() -> None:
        desk = await Desk(f"sqlite:///{folder / 'threadbridge.db'}").open()
        made = [
            arrival(f"{number}", raw=json.dumps(body).encode(), received_at=SystemClock().now() - age)
            for number, body in enumerate(bodies)
        ]
        await desk.receive(*made)
        await desk.store.settle_turn(given_up(desk.told.events[0]))
        await desk.store.close()

    asyncio.run(fill())


def test_before_the_first_run_nothing_is_wrong_and_what_cannot_be_known_is_told(tmp_path: Path) -> None:
    examined = examine(tmp_path)
    assert examined.code == 0
    assert {row["level"] for row in examined.rows} == {"ok", "not asked"}
    assert [row["subject"] for row in examined.rows if row["level"] == "not asked"] == ["store", "public URL", "clock"]
    assert not (tmp_path / "threadbridge.db").exists()


def test_a_problem_of_the_configuration_ends_the_examination(tmp_path: Path) -> None:
    examined = examine(tmp_path, "[server]\nport = 0\n")
    assert examined.code == 78
    assert [row["level"] for row in examined.rows] == ["problem"]
    assert "server.port" in examined.rows[0]["about"]


def test_off_a_terminal_a_finding_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "threadbridge.toml").write_text(PLAYGROUND, "utf-8")
    result = CliRunner().invoke(app, ["doctor", "-c", str(tmp_path / "threadbridge.toml")])
    assert result.stdout.splitlines()[-1] == "not asked\tclock\tnobody told the time: set [server] public_url\t"


def test_what_waits_long_and_what_died_is_told_with_what_to_do(tmp_path: Path) -> None:
    stored(tmp_path, {"a": 1}, {"a": 2}, age=3600 * 1_000_000)
    examined = examine(tmp_path)
    assert examined.code == 0
    waits, dead = examined.about("warning", "account shop")
    assert waits.startswith("1 events and 0 messages wait, the oldest since 20")
    assert dead == "1 dead letters"
    assert examined.about("warning", "process") == ["no bridge runs"]
    assert all(row["do"] for row in examined.rows if row["level"] == "warning" and row["subject"] != "configuration")


def test_what_waits_for_a_moment_is_fine(tmp_path: Path) -> None:
    stored(tmp_path, {"a": 1}, {"a": 2})
    assert examine(tmp_path).about("ok", "account shop") == ["1 events and 0 messages wait"]


def test_a_field_that_webhooks_have_of_late_is_told_with_its_time(tmp_path: Path) -> None:
    plain = [{"id": f"{number}", "text": "secret words"} for number in range(150)]
    stored(tmp_path, *plain, *({**body, "shiny": {"new": 1}, "key": "press"} for body in plain[:3]))
    examined = examine(tmp_path)
    drift = [about for about in examined.about("warning", "account shop") if "is new since" in about]
    assert [about.partition(" ")[0] for about in drift] == ["shiny", "shiny.new"]  # "key" is documented
    assert drift[0].endswith("in 3 webhooks; 150 before had none")
    assert "secret words" not in json.dumps(examined.rows)


def test_of_a_long_past_samples_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_store, "NEWEST", 20)
    monkeypatch.setattr(doctor_store, "SAMPLES", 10)
    stored(tmp_path, *({"id": number} for number in range(400)))

    async def look() -> list[int]:
        store = await open_reader(f"sqlite:///{tmp_path / 'threadbridge.db'}")
        webhooks = await doctor_store.looked_through(store)
        await store.close()
        return sorted(webhook.id for webhook in webhooks)

    ids = asyncio.run(look())
    assert ids[-20:] == [*range(381, 401)]
    assert len(ids) == 40
    assert ids[0] < 50


@pytest.mark.parametrize(("free", "level"), [(10 << 30, "ok"), (500 << 20, "warning"), (1 << 20, "problem")])
def test_a_disk_that_fills_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: _Usage(free))
    examined = examine(tmp_path)
    assert len(examined.about(level, "disk")) == 1
    assert examined.code == (78 if level == "problem" else 0)


class _Usage(NamedTuple):
    free: int


def test_a_log_that_is_not_written_back_is_told(tmp_path: Path) -> None:
    log = tmp_path / "threadbridge.db-wal"
    log.touch()
    os.truncate(log, doctor_store.WAL_GROWN)
    (finding,) = (one for one in doctor_store._files(tmp_path / "threadbridge.db") if one.subject == "log")
    assert (finding.level, finding.about) == ("warning", "the write-ahead log has 256 MiB")


def test_a_store_of_a_later_version_is_a_problem(tmp_path: Path) -> None:
    stored(tmp_path, {"a": 1})
    (tmp_path / "threadbridge.toml").write_text(PLAYGROUND, "utf-8")
    config = looked_at(tmp_path / "threadbridge.toml")
    with closing(sqlite3.connect(tmp_path / "threadbridge.db")) as db, db:
        db.execute("PRAGMA user_version = 9999")
    findings = asyncio.run(doctor_store.of_store(config, NOW))
    assert [(one.level, one.subject) for one in findings if one.level == "problem"] == [("problem", "store")]
    assert examine(tmp_path).code == 78


def test_a_running_bridge_tells_what_is_paused() -> None:
    status = {"pid": 7, "ready": False, "accounts": {"shop": "HTTP 401"}, "handlers": {"bot:pay": "KeyError"}}
    findings = [*doctor_store._running(status)]
    assert [(one.level, one.subject, one.about) for one in findings] == [
        ("problem", "process", "process 7 takes no webhook"),
        ("problem", "account shop", "paused: HTTP 401"),
        ("problem", "handler bot:pay", "paused: KeyError"),
    ]
    assert all(one.do for one in findings)
    assert [one.level for one in doctor_store._running({**status, "ready": True, "accounts": {}, "handlers": {}})] == [
        "ok"
    ]


def test_a_process_that_has_the_store_and_does_not_listen_is_told(tmp_path: Path) -> None:
    (tmp_path / "s.db.lock").write_text(f"{os.getppid()}\n")
    (finding,) = doctor_store._process(tmp_path / "s.db", [])
    assert finding.about == f"process {os.getppid()} may have the store and does not listen"
    (tmp_path / "s.db.lock").write_text("999999999\n")
    (finding,) = doctor_store._process(tmp_path / "s.db", [])
    assert finding.about == "no bridge runs"


async def served(handler: Any, *, tls: ssl.SSLContext | None = None) -> tuple[web.AppRunner, str]:
    application = web.Application()
    if handler is None:

        async def ready() -> bool:
            return True

        add_health(application, ready)
    else:
        application.router.add_get("/health/live", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "localhost" if tls else "127.0.0.1", port, ssl_context=tls).start()
    return runner, f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"


def network(handler: Any = None, *, tls: ssl.SSLContext | None = None, off: int = 0) -> list[Finding]:
    """What is found of a public URL behind which a server answers; the machine's clock is `off` seconds."""

    async def look() -> list[Finding]:
        runner, url = await served(handler, tls=tls)
        dates: list[tuple[str, str, int]] = []
        clock = _Off(off)
        try:
            findings = [finding async for finding in doctor_network._public(url, clock, dates)]
        finally:
            await runner.cleanup()
        return [*findings, *doctor_network._clock(dates)]

    return asyncio.run(look())


class _Off(SystemClock):
    def __init__(self, off: int) -> None:
        self._off = off

    def now(self) -> int:
        return super().now() + self._off * 1_000_000


def test_a_public_url_that_leads_to_a_bridge_is_fine_and_tells_the_time() -> None:
    assert [(one.level, one.subject) for one in network()] == [("ok", "public URL"), ("ok", "clock")]


@pytest.mark.parametrize(("off", "level"), [(20, "warning"), (-20, "warning"), (3600, "problem")])
def test_a_clock_that_is_wrong_is_told(off: int, level: str) -> None:
    clock = network(off=off)[-1]
    assert (clock.level, clock.subject) == (level, "clock")
    assert ("behind" in clock.about) == (off < 0)


async def _elsewhere(request: web.Request) -> web.Response:
    if request.query:
        return web.json_response({"ok": True})
    return web.Response(status=302, headers={"Location": "/health/live?another=1"})


def test_a_public_url_that_leads_elsewhere_is_a_problem() -> None:
    finding, _ = network(_elsewhere)
    assert (finding.level, finding.subject) == ("problem", "public URL")


def test_a_public_url_behind_which_nobody_listens_is_a_problem() -> None:
    async def look() -> list[Finding]:
        url = f"http://127.0.0.1:{free_port()}"
        return [finding async for finding in doctor_network._public(url, SystemClock(), [])]

    (finding,) = asyncio.run(look())
    assert (finding.level, finding.subject) == ("problem", "public URL")


@pytest.mark.parametrize(("days", "level"), [(60, "ok"), (5, "warning"), (-1, "problem")])
def test_a_certificate_that_ends_soon_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, level: str
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    findings = network(tls=authority.server("localhost", "localhost", days=days))
    (certificate,) = (one for one in findings if one.subject == "certificate")
    assert certificate.level == level
    assert next(one for one in findings if one.subject == "public URL").level == ("problem" if days < 0 else "ok")


def test_a_credential_is_tried_where_the_gateway_documents_a_harmless_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expires = time.strftime("%Y-%m-%d", time.gmtime(NOW / 1e6 + 3 * 86_400))
    with emulating("whautochat") as (url, _):
        text = CHAT.format(url=url, expires=expires)
        examined = examine(tmp_path, text)
        assert examined.about("ok", "account chat") == ["whautochat accepts the credential"]
        assert len(examined.about("not asked", "account shop")) == 1
        assert any("expires on" in about for about in examined.about("warning", "configuration"))
        assert examined.about("ok", "clock") == ["it agrees with 127.0.0.1"]
        monkeypatch.setenv("TEST_KEY", "another-key-that-is-long-enough")
        refused = examine(tmp_path, text)
    assert refused.code == 78
    assert len(refused.about("problem", "account chat")) == 1
    assert len(examine(tmp_path, text).about("warning", "account chat")) == 1
