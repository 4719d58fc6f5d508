"""`threadbridge broadcast` and `broadcasts`: through a running bridge, and without one; files of spreadsheets."""

from __future__ import annotations

import asyncio
import csv
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest
import structlog
from typer.testing import CliRunner

from bridge.app.http import BRIDGE, create_app
from bridge.cli import app
from bridge.routing.router import Router
from bridge.store.opening import open_reader
from bridge.web.server import runner_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from typer.testing import Result

    from bridge.app.bridge import Bridge

PEOPLE: Final = "to,name\nann,Ann\nbob,Bob\neve,Eve\n"


@dataclass
class Shop:
    folder: Path

    def call(self, *arguments: str, command: str = "broadcast") -> Result:
        config = ("-c", str(self.folder / "threadbridge.toml"))
        return CliRunner().invoke(app, [command, *arguments, *config])

    def send(self, people: str | bytes, *options: str, text: str = "Hello {name}") -> Result:
        """A broadcast to a file's recipients."""
        (self.folder / "people.csv").write_bytes(people.encode() if isinstance(people, str) else people)
        (self.folder / "sale.json").write_text(json.dumps({"kind": "text", "text": text}), "utf-8")
        message = ("--message", str(self.folder / "sale.json"))
        return self.call("demo", str(self.folder / "people.csv"), *message, *options)

    async def said(self) -> list[str]:
        """What was said to anybody."""
        store = await open_reader(f"sqlite:///{self.folder}/threadbridge.db")
        try:
            entries = [entry for thread in await store.threads() for entry in await store.history(thread.id)]
            return sorted(json.loads(entry.content)["text"] for entry in entries)
        finally:
            await store.close()

    def listed(self) -> list[dict[str, str]]:
        rows: list[dict[str, str]] = json.loads(self.call("list", "--json", command="broadcasts").stdout)
        return rows


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    (tmp_path / "threadbridge.toml").write_text('[accounts.demo]\nprovider = "playground"\n', "utf-8")
    return Shop(tmp_path)


@pytest.fixture
async def running(shop: Shop) -> AsyncIterator[Bridge]:
    made = create_app(shop.folder / "threadbridge.toml", router=Router())
    runner = runner_of(made)
    await runner.setup()
    with structlog.testing.capture_logs():
        yield made[BRIDGE]
    await runner.cleanup()


@pytest.mark.usefixtures("running")
async def test_a_running_bridge_sends_and_the_command_shows_how_it_ends(shop: Shop) -> None:
    result = await asyncio.to_thread(shop.send, PEOPLE)
    assert (result.exit_code, result.stderr) == (0, "")
    begun, *progress = result.stdout.splitlines()
    assert begun.endswith(": begun")
    assert ": 3 of 3; 3 sent" in progress[-1]
    assert await shop.said() == ["Hello Ann", "Hello Bob", "Hello Eve"]
    (listed,) = await asyncio.to_thread(shop.listed)
    assert (listed["state"], listed["account"]) == ("done", "demo")


async def test_without_a_bridge_it_is_stored_for_the_next_start(shop: Shop) -> None:
    result = await asyncio.to_thread(shop.send, PEOPLE)
    assert result.stdout.endswith(": stored; it begins when the bridge runs\n")
    assert await shop.said() == []
    app_ = create_app(shop.folder / "threadbridge.toml", router=Router())
    runner = runner_of(app_)
    await runner.setup()
    with structlog.testing.capture_logs():
        (listed,) = await asyncio.to_thread(shop.listed)
        watched = await asyncio.to_thread(shop.call, "watch", listed["id"], command="broadcasts")
    await runner.cleanup()
    assert watched.exit_code == 0
    assert len(await shop.said()) == 3


@pytest.mark.parametrize(
    ("file", "line", "reason"),
    [
        ("to,name\nann,Ann\n,Bob\n", 3, "blank"),
        ("to,name\nann,Ann\nbob,\n", 3, "the column name is blank"),
        ("to,name\nann\n", 2, "1 cells"),
        ("to,town\nann,Paris\n", 0, "the columns are to, town"),
        ("+6281234567890,Ann\n", 1, "the first line names the columns"),
        ("to,to\nann,Ann\n", 1, "two columns"),
        ("to,\nann,Ann\n", 1, "each needs a name"),
        ("to,name\n6.28E+12,Ann\n", 2, "rounded"),
        ("to,name\nann,Ann\nbob,Jos\xe9\n".encode("latin-1"), 3, "not UTF-8"),
        ('to,name\nann,"Ann\n', 2, "no CSV"),
        (f"to,name\n{'x' * 600},Ann\n", 2, "512"),
    ],
)
@pytest.mark.usefixtures("running")
async def test_a_flaw_is_named_with_its_line_and_nothing_is_sent(
    shop: Shop, file: str | bytes, line: int, reason: str
) -> None:
    result = await asyncio.to_thread(shop.send, file)
    assert result.exit_code != 0
    assert reason in result.stderr
    assert not line or f"people.csv:{line}: " in result.stderr
    assert await shop.said() == []


@pytest.mark.parametrize(
    "file",
    [
        "\ufeffto;name\r\nann;Ann\r\n\r\nbob;Bob\r\n",
        "sep=;\r\nto;name\r\nann;Ann\r\nbob;Bob\r\n",
        "Name\tTo\nAnn\tann\nBob\tbob\n".replace("Name", "name"),
        'to,name\nann,"Ann"\nbob,Bob\nann,Again\n',
        "to,name\nann,Ann\nbob,Bob\n".encode("utf-16"),
    ],
    ids=["bom and semicolons", "separator", "tabs", "a contact twice", "utf-16"],
)
@pytest.mark.usefixtures("running")
async def test_files_are_read_as_spreadsheets_write_them(shop: Shop, file: str | bytes) -> None:
    result = await asyncio.to_thread(shop.send, file)
    assert result.exit_code == 0, result.output
    assert await shop.said() == ["Hello Ann", "Hello Bob"]
    assert ("people.csv:4: the contact is in the list before; left out" in result.stderr) == ("Again" in str(file))


@pytest.mark.usefixtures("running")
async def test_recipients_with_a_flaw_are_left_out_if_that_is_asked_for(shop: Shop) -> None:
    result = await asyncio.to_thread(shop.send, "to,name\nann,Ann\nbob,\n", "--skip")
    assert (result.exit_code, "people.csv:3: " in result.stderr) == (0, True)
    assert await shop.said() == ["Hello Ann"]


def test_a_dry_run_tells_recipients_and_requests_and_stores_nothing(shop: Shop) -> None:
    result = shop.send(PEOPLE, "--dry-run", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == [{"channel": "console", "recipients": 3, "requests": 3, "notes": None}]
    assert not (shop.folder / "threadbridge.db").exists()


def test_one_that_waits_is_paused_resumed_cancelled_and_reported(shop: Shop, tmp_path: Path) -> None:
    shop.send(PEOPLE, "--at", "2099-01-01T00:00+00:00")
    (listed,) = shop.listed()

    def act(verb: str, *options: str) -> Result:
        return shop.call(verb, listed["id"], *options, command="broadcasts")

    assert act("pause").stdout == f"{listed['id']}: paused\n"
    again = act("pause")
    assert (again.exit_code, again.stderr) == (1, f"{listed['id']}: it is paused, so it cannot be paused\n")
    assert act("resume").stdout == f"{listed['id']}: it goes on when the bridge runs\n"
    assert act("cancel").exit_code == 0
    report = json.loads(act("report", "--json", "--csv", str(tmp_path / "out.csv")).stdout)
    assert (report["state"], report["states"], report["reasons"]) == ("cancelled", {"waiting": 3}, {})
    rows = [*csv.DictReader((tmp_path / "out.csv").read_text("utf-8").splitlines())]
    assert next((row["number"], row["to"], row["state"]) for row in rows) == ("2", "ann", "waiting")
    assert act("watch").exit_code == 1
    unknown = shop.call("report", "nothing", command="broadcasts")
    assert (unknown.exit_code, "there is no broadcast" in unknown.stderr) == (1, True)


async def test_a_command_that_was_interrupted_goes_on_with_the_draft(shop: Shop, running: Bridge) -> None:
    draft = await running.parts.composer.begin("demo", {"kind": "text", "text": "Hello {name}"})
    result = await asyncio.to_thread(shop.send, PEOPLE, "--resume", draft)
    assert result.exit_code == 0
    again = await asyncio.to_thread(shop.send, PEOPLE, "--resume", draft)
    assert again.exit_code == 0
    assert await shop.said() == ["Hello Ann", "Hello Bob", "Hello Eve"]
    assert [line["id"] for line in await asyncio.to_thread(shop.listed)] == [draft]


def test_recipients_are_a_file_or_known_contacts(shop: Shop) -> None:
    both = shop.call("demo", "x.csv", "--contacts", "--message", "x.json")
    assert both.exit_code == 2
