"""`threadbridge dialogs`: what waits, and what a change of code would break, without any effect."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import pty
import re
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from bridge.cli import app
from bridge.cli import dialogs as module
from bridge.engine.turns.dry_run import DryRun
from bridge.store.opening import open_store
from tests.support.dialog_bots import asking
from tests.support.turn_engine import turns
from tests.support.warm_python import python

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from bridge import Dialog, Router
    from bridge.engine.turns.dry_run import Break
    from bridge.store.records import ThreadRow

CONFIGURATION = """
[handlers]
load = ["{bot}"]
[accounts.shop]
provider = "konnek"
base_url = "https://konnek.example"
client_id = "c-1"
channels = ["whatsapp"]
username = "env:SHOP_USERNAME"
password = "file:secrets/password"
[accounts.shop.inbound]
auth = "headers"
username = "env:SHOP_USERNAME"
password = "env:SHOP_PASSWORD"
"""
BOT = """
from pathlib import Path

from bridge import Dialog, Router

router = Router()
print("loaded")


def pay(no: int) -> int:
    Path(__file__).with_suffix(".paid").touch()
    return no


@router.dialog(version=1, name="quiz"{declared})
async def quiz(d: Dialog) -> str:
    print("played")
    await d.say("Hello.")
    {question}
    await d.step(pay, 7)
    return "Thanks."
"""


async def quiz(d: Dialog) -> str:
    await d.say("Hello.")
    size = await d.ask("Size?", timeout="1h")
    await d.ask(f"{size}, sure?")
    return "Thanks."


@dataclass
class Project:
    """A folder with a configuration, a store in which dialogs wait, and bots that may rehearse them."""

    folder: Path

    def bot(self, name: str, question: str = 'await d.ask("Size?", timeout="1h")', declared: str = "") -> str:
        """A module in the folder, named so that no other test has it loaded."""
        module_name = f"{name}_{hashlib.sha256(str(self.folder).encode()).hexdigest()[:8]}"
        text = BOT.format(question=question, declared=declared)
        (self.folder / f"{module_name}.py").write_text(text, "utf-8")
        return module_name

    def line_of(self, bot: str, words: str) -> str:
        lines = (self.folder / f"{bot}.py").read_text("utf-8").splitlines()
        number = next(number for number, line in enumerate(lines, 1) if words in line)
        return f"{self.folder}/{bot}.py:{number}"

    def call(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["dialogs", *arguments, "-c", str(self.folder / "threadbridge.toml")])

    def digest(self) -> str:
        """Of everything in the store."""
        return hashlib.sha256((self.folder / "threadbridge.db").read_bytes()).hexdigest()

    async def wait(self, words: dict[str, list[str]], router: Router | None = None) -> None:
        """Contacts who began a dialog and answered with these words."""
        async with turns(router or asking(quiz), url=f"sqlite:///{self.folder}/threadbridge.db") as world:
            for who, said in words.items():
                for number, word in enumerate(("go", *said)):
                    await world.heard(word, f"{who}-{number}", who)
                    await world.settle()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Two contacts are in the middle of a dialog: Ann at its first question, Bob at its second. No secret is there."""
    monkeypatch.setenv("THREADBRIDGE_ACCOUNTS__SHOP__TIMEOUT", "never")
    made = Project(tmp_path)
    bot = made.bot("bot")
    (tmp_path / "threadbridge.toml").write_text(CONFIGURATION.format(bot=bot), "utf-8")
    asyncio.run(made.wait({"ann": [], "bob": ["XL"]}))
    return made


def test_dialogs_that_wait_are_listed_with_their_question_and_times(project: Project) -> None:
    ann, bob = json.loads(project.call("list", "--json").stdout)
    assert (ann["conversation"], ann["dialog"], ann["version"], ann["step"]) == ("ann", "quiz", 1, 2)
    assert (ann["question"], ann["since"][:4], ann["until"] > ann["since"]) == ("Size?", "2025", True)
    assert (bob["conversation"], bob["step"], bob["question"], bob["until"]) == ("bob", 3, "XL, sure?", None)
    lines = project.call("list", "--limit", "1").stdout.splitlines()
    assert [line.split("\t")[3:8] for line in lines] == [["ann", "quiz", "1", "2", "Size?"]]
    assert json.loads(project.call("list", "--account", "other", "--json").stdout) == []


def test_a_change_that_breaks_nothing_is_ok(project: Project) -> None:
    asyncio.run(drop(project, "bob"))
    before = project.digest()
    result = project.call("check")
    assert (result.exit_code, result.stdout) == (0, "ok: 1 waiting dialog can continue\n")
    assert project.digest() == before
    assert [*project.folder.glob("*.paid")] == []


async def drop(project: Project, who: str) -> None:
    """Let a contact's dialog come to its end."""
    async with turns(asking(quiz), url=f"sqlite:///{project.folder}/threadbridge.db") as world:
        await world.heard("yes", "last", who)
        await world.settle()


@pytest.mark.parametrize(
    ("declared", "action"), [("", "restart"), (', changed="finish"', "finish"), (', changed="handoff"', "handoff")]
)
def test_dialogs_that_a_change_breaks_are_a_line_each(project: Project, declared: str, action: str) -> None:
    changed = project.bot("changed", 'await d.ask("Which size?")', declared)
    before = project.digest()
    result = project.call("check", "--handlers", changed)
    assert result.exit_code == 1
    place = ["shop", "whatsapp", "ann", "quiz", "1", "2", action]
    ann, bob = (line.split("\t")[1:] for line in result.stdout.splitlines())
    assert ann == [*place, "step 2 was ask 'Size?' and is ask 'Which size?' now"]
    assert bob == [*place[:2], "bob", *place[3:], "step 2 was ask 'Size?' and is ask 'Which size?' now"]
    assert result.stderr.splitlines()[-1] == "2 of 2 waiting dialogs cannot continue"
    assert project.digest() == before


def test_only_those_that_came_as_far_as_the_change_break(project: Project) -> None:
    result = project.call("check", "--json")
    (bob,) = json.loads(result.stdout)
    assert (result.exit_code, bob["conversation"], bob["step"], bob["action"]) == (1, "bob", 3, "restart")
    assert bob["reason"] == f"step 3 was ask 'XL, sure?' and is step '{project.bot('bot')}:pay' now"
    assert [*project.folder.glob("*.paid")] == []


@pytest.mark.parametrize(
    ("question", "reason", "action"),
    [
        ("import time; time.sleep(3)", "it does not come to its question within 0.5 s: it is at {}", "unknown"),
        ("import asyncio; await asyncio.sleep(60)", "it awaits something else than its dialog ({})", "unknown"),
        ("raise OSError(d.turn.event.text)", "it raises OSError: go ({})", "fail"),
    ],
)
def test_a_script_that_cannot_be_rehearsed_is_named_by_its_line(
    project: Project, monkeypatch: pytest.MonkeyPatch, question: str, reason: str, action: str
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    odd = project.bot("odd", question)
    result = project.call("check", "--handlers", odd, "--json")
    ann, _ = json.loads(result.stdout)
    assert (result.exit_code, ann["step"], ann["action"]) == (1, 2, action)
    assert ann["reason"] == reason.format(project.line_of(odd, question))


def test_a_copy_of_the_store_is_checked_where_the_environment_says_so(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = project.folder / "copy.db"
    (project.folder / "threadbridge.db").rename(copy)
    result = project.call("check")
    assert (result.exit_code, "no store yet" in result.stderr) == (0, True)
    monkeypatch.setenv("THREADBRIDGE_STORAGE__URL", f"sqlite:///{copy}")
    assert project.call("check").exit_code == 1


def test_a_dialog_is_ended_and_its_conversation_goes_on_with_the_rules(project: Project) -> None:
    ended, again = project.call("end", "1"), project.call("end", "1")
    assert (ended.exit_code, ended.stdout) == (0, "1: its dialog is over\n")
    assert (again.exit_code, again.stderr) == (1, "1: no dialog waits in a conversation of that id\n")
    assert project.call("end", "4711").exit_code == 1
    (left,) = json.loads(project.call("list", "--json").stdout)
    assert left["conversation"] == "bob"

    async def goes_on() -> list[str]:
        async with turns(asking(quiz), url=f"sqlite:///{project.folder}/threadbridge.db") as world:
            await world.heard("L", "last", "ann")
            await world.settle()
            return await world.said("ann")

    assert asyncio.run(goes_on())[-1] == "other: L"


async def test_dialogs_are_looked_at_beside_a_running_bridge(project: Project) -> None:
    store = await open_store(f"sqlite:///{project.folder}/threadbridge.db")
    try:
        result = await asyncio.to_thread(project.call, "check")
        assert (result.exit_code, len(result.stdout.splitlines())) == (1, 1)
    finally:
        await store.close()


def test_more_dialogs_than_fit_a_page_are_all_rehearsed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    pages: list[int] = []

    class Counting(DryRun):
        async def of(self, thread: ThreadRow) -> Break | None:
            pages.append(thread.id)
            return await super().of(thread)

    monkeypatch.setattr(module, "_PAGE", 4)
    monkeypatch.setattr(module, "DryRun", Counting)
    asyncio.run(project.wait({f"c{number}": [] for number in range(11)}))
    changed = project.bot("changed", 'await d.ask("Which size?")')
    assert len(json.loads(project.call("check", "--handlers", changed, "--json").stdout)) == 13
    assert len(pages) == len(set(pages)) == 13


def test_what_this_version_cannot_read_is_told_and_stops_nothing(project: Project) -> None:
    with closing(sqlite3.connect(project.folder / "threadbridge.db")) as db, db:
        db.execute("UPDATE threads SET dialog = CAST('{\"of\": \"later\"}' AS BLOB) WHERE conversation = 'ann'")
    ann, bob = json.loads(project.call("check", "--json").stdout)
    assert (ann["dialog"], ann["reason"], bob["dialog"]) == (None, "it cannot be read: KeyError", "quiz")


def test_a_store_of_an_older_version_says_what_brings_it_up_to_date(project: Project) -> None:
    with closing(sqlite3.connect(project.folder / "threadbridge.db")) as db:
        db.execute("ALTER TABLE threads RENAME COLUMN dialog TO not_there_yet")
        db.execute("PRAGMA user_version = 1")
    result = project.call("check")
    assert result.exit_code == 70
    assert "older than this threadbridge: `threadbridge migrate`" in result.stderr


def test_handlers_that_cannot_be_loaded_are_a_problem_of_the_configuration(project: Project) -> None:
    result = project.call("check", "--handlers", "nowhere")
    assert result.exit_code == 78
    assert "there is no module nowhere" in result.stderr


def test_on_a_terminal_it_says_how_far_it_is(project: Project) -> None:
    ours, theirs = pty.openpty()
    command = [python(), "-m", "bridge", "dialogs", "check", "-c", str(project.folder / "threadbridge.toml")]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen(command, stderr=theirs, stdout=subprocess.PIPE, env=environment) as process:
        assert process.wait(20) == 1
    os.close(theirs)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert re.search(r"rehearsed 2", shown), shown


MISTAKES = [
    ("async def quiz() -> str:", "a handler takes the dialog as its first parameter"),
    (
        "def quiz(d: Dialog) -> str: ...\nasync def rest(d: Dialog) -> str:",
        "a dialog is an async def: it awaits its answers",
    ),
    ("async def quiz(turn: Turn) -> str:", "a dialog takes a Dialog first, but 'turn' is a turn: that is d.turn"),
    ("async def quiz(d: int) -> str:", "a dialog takes a Dialog first, but 'd' is annotated int"),
    ("async def quiz(d: Dialog, *, no: int) -> str:", "its parameter 'no' has no source"),
    (
        "async def quiz(d: Dialog, p: int = Depends(lambda: 1)) -> str:",
        "nothing is injected into a dialog, as its parameter 'p'",
    ),
]


@pytest.mark.parametrize(("signature", "reason"), MISTAKES)
def test_a_mistake_in_a_dialogs_signature_is_told_with_its_name_and_line(
    project: Project, monkeypatch: pytest.MonkeyPatch, signature: str, reason: str
) -> None:
    bot = project.bot("wrong")
    file = project.folder / f"{bot}.py"
    text = file.read_text("utf-8").replace("async def quiz(d: Dialog) -> str:", signature)
    file.write_text(text.replace("Dialog, Router", "Depends, Dialog, Router, Turn"), "utf-8")
    monkeypatch.delenv("THREADBRIDGE_ACCOUNTS__SHOP__TIMEOUT")
    (project.folder / "threadbridge.toml").write_text(
        f'[handlers]\nload = ["{bot}"]\n[accounts.demo]\nprovider = "playground"\n', "utf-8"
    )
    result = CliRunner().invoke(app, ["check", "-c", str(project.folder / "threadbridge.toml")])
    assert result.exit_code == 78
    line = project.line_of(bot, "@router.dialog")
    assert f"handlers.load[0]: {line}: {bot}:quiz: {reason}" in result.stdout
