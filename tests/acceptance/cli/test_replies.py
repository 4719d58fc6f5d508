"""`threadbridge test-replies`, `demo --auto` and `check` with an auto-responder's file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from bridge.cli import app
from bridge.cli.serve import demo_config
from bridge.routing.loading import load_routers

if TYPE_CHECKING:
    from pathlib import Path

REPLIES = """
[replies.menu]
words = ["menu"]
text = "What now?"
buttons = ["price", "person"]
[replies.price]
title = "Price"
text = "10 euro"
[replies.person]
title = "Person"
text = "One moment."
handoff = "a person"
"""
GOOD = """
= the price
ann: Menu
bot: What now? [Price] [Person]
ann: [Price]
bot: 10 euro

= a person
ann: menu
bot: ...
ann: [Person]
bot: ~moment
handoff: a person
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "replies.toml").write_text(REPLIES, "utf-8")
    (tmp_path / "good.txt").write_text(GOOD, "utf-8")
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["test-replies", *arguments])
    return result.exit_code, result.output


def test_conversations_that_go_as_written_are_counted(folder: Path) -> None:
    assert run("good.txt", "--auto", "replies.toml") == (0, "ok: 2 conversations\n")
    assert run("good.txt", "--auto", "replies.toml", "--on", "all") == (0, "ok: 10 conversations\n")
    assert run(str(folder / "good.txt"), "--auto", "replies.toml", "--on", "konnek:line")[0] == 0


def test_a_difference_is_shown_in_its_place(folder: Path) -> None:
    (folder / "bad.txt").write_text(
        "= one\nann: menu\nbot: What next? [Price]\nbot: Bye\nann: [Nothing]\nann: [Price]\nbot: 10 euro\nhandoff: x\n",
        "utf-8",
    )
    code, output = run("bad.txt", "good.txt", "--auto", "replies.toml")
    assert code == 1
    assert output.splitlines() == [
        "bad.txt:1: one (konnek whatsapp)",
        "  ann: menu",
        "- bot: What next? [Price]",
        "- bot: Bye",
        "+ bot: What now? [Price] [Person]",
        "  ann: [Nothing]",
        "+ ann sees nothing like 'Nothing' to press.",
        "  ann: [Price]",
        "  bot: 10 euro",
        "- handoff: x",
        "+ handoff: (none)",
        "",
        "1 of 3 conversations differ",
    ]


def test_what_came_as_expected_stands_beside_what_came_too(folder: Path) -> None:
    (folder / "replies.toml").write_text(
        REPLIES.replace('text = "10 euro"', 'text = "10 euro"\nthen = "menu"'), "utf-8"
    )
    (folder / "bad.txt").write_text("ann: price\nbot: What now? [Price] [Person]\n", "utf-8")
    code, output = run("bad.txt", "--auto", "replies.toml")
    assert code == 1
    assert output.splitlines()[1:4] == ["  ann: price", "+ bot: 10 euro", "  bot: What now? [Price] [Person]"]


@pytest.mark.parametrize("on", ["konnek", "ginalne"])
@pytest.mark.parametrize("buttons", ["[Price] [People]", "[Person] [Price]", "[Price]", ""])
def test_other_buttons_are_a_difference(folder: Path, on: str, buttons: str) -> None:
    (folder / "bad.txt").write_text(f"ann: menu\nbot: What now? {buttons}\n", "utf-8")
    code, output = run("bad.txt", "--auto", "replies.toml", "--on", on)
    assert (code, "+ bot: What now? [Price] [Person]" in output) == ((0, False) if not buttons else (1, True))


def test_it_talks_to_the_handlers_of_the_configuration(folder: Path) -> None:
    (folder / "bot").mkdir()
    (folder / "bot" / "threadbridge.toml").write_text(
        '[handlers]\nload = ["auto:replies.toml"]\n[consent]\nstop = ["stop"]\nconfirm = "Bye"\n'
        '[accounts.r]\nprovider = "ginalne"\nbase_url = "https://r.example"\ntoken = "env:NOT_SET"\n',
        "utf-8",
    )
    (folder / "bot" / "replies.toml").write_text('[replies.hi]\nwords = "hi"\ntext = "Hi from the bot"\n', "utf-8")
    (folder / "talk.txt").write_text("ann: hi\nbot: Hi from the bot\nann: stop\nbot: Bye\n", "utf-8")
    assert run("talk.txt", "-c", "bot/threadbridge.toml") == (0, "ok: 1 conversation\n")


def test_a_bot_with_tables_of_its_own_has_them(folder: Path) -> None:
    (folder / "tables").mkdir()
    (folder / "tables" / "0001_notes.sql").write_text("CREATE TABLE notes (word TEXT NOT NULL)", "utf-8")
    (folder / "noting_bot.py").write_text(
        "from bridge import Router\nrouter = Router()\n\n"
        "@router.message()\nasync def note(turn):\n"
        "    turn.execute('INSERT INTO notes VALUES (?)', turn.event.text)\n"
        "    rows = await turn.fetch('SELECT word FROM notes')\n"
        "    return f'{len(rows)} before'\n",
        "utf-8",
    )
    (folder / "threadbridge.toml").write_text(
        '[handlers]\nload = ["noting_bot"]\n[storage]\nurl = "sqlite:///x.db"\nmigrations = "tables"\n', "utf-8"
    )
    (folder / "talk.txt").write_text("ann: a\nbot: 0 before\nann: b\nbot: 1 before\n", "utf-8")
    assert run("talk.txt") == (0, "ok: 1 conversation\n")
    assert not (folder / "x.db").exists()


def test_a_turn_that_fails_is_a_difference(folder: Path) -> None:
    (folder / "broken_bot.py").write_text(
        "from bridge import Router\nrouter = Router()\n\n"
        "@router.message()\nasync def fails(turn):\n    raise RuntimeError('no such tea')\n",
        "utf-8",
    )
    (folder / "threadbridge.toml").write_text('[handlers]\nload = ["broken_bot"]\nattempts = 1\n', "utf-8")
    (folder / "talk.txt").write_text("ann: hi\n", "utf-8")
    code, output = run("talk.txt")
    assert code == 1
    assert "+ a turn failed: RuntimeError: no such tea" in output


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ann hello\n", 'line 1: want "name: words", "bot: words", or "= title"'),
        ("= x\nbot: hi\n", "line 2: a contact speaks first"),
        ("ann: hi\nbot:\n", "line 2: bot says nothing"),
        ("ann: hi\nwait: soon\n", "line 2: 'soon' is no span of time"),
        ("at: noon\nann: hi\n", 'line 1: want a time like "at: 2026-11-30 09:00 Asia/Jakarta"'),
        ("ann: hi\nat: 2026-11-30 09:00\n", 'line 2: "at" is the first line of a conversation'),
        ("# nothing\n", "holds no conversation: write one like ann: hello"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_with_its_line(folder: Path, text: str, reason: str) -> None:
    (folder / "bad.txt").write_text(text, "utf-8")
    code, output = run("bad.txt", "--auto", "replies.toml")
    assert code == 78
    assert output.startswith(f"bad.txt: {reason}")


def test_a_wrong_place_is_a_usage_error(folder: Path) -> None:
    del folder
    assert run("good.txt", "--auto", "replies.toml", "--on", "fax")[0] == 2
    assert run("good.txt", "--auto", "replies.toml", "--on", "konnek:fax")[0] == 2
    assert run()[0] == 2


def test_check_tells_each_mistake_of_the_file_with_its_line(folder: Path) -> None:
    (folder / "threadbridge.toml").write_text(
        '[handlers]\nload = ["auto:replies.toml", "no_such_bot"]\n[accounts.demo]\nprovider = "playground"\n', "utf-8"
    )
    (folder / "replies.toml").write_text(REPLIES.replace('"price", "person"', '"prices", "persons"'), "utf-8")
    result = CliRunner().invoke(app, ["check"])
    assert result.exit_code == 78
    assert result.stdout.splitlines()[:3] == [
        f"{folder}/replies.toml:5: replies.menu.buttons[0]: no reply is named prices; did you mean price?",
        f"{folder}/replies.toml:5: replies.menu.buttons[1]: no reply is named persons; did you mean person?",
        "threadbridge.toml: handlers.load[1]: there is no module no_such_bot; looked in " + str(folder),
    ]
    (folder / "replies.toml").unlink()
    result = CliRunner().invoke(app, ["check"])
    assert f"{folder}/replies.toml: there is no such file" in result.stdout


def test_the_demo_talks_as_the_file_says(folder: Path) -> None:
    config = demo_config(8080, None, folder / "replies.toml")
    (router,) = load_routers(config.handlers_to_load(), config.folder)
    assert router.name == "replies"
