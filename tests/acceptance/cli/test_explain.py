"""`threadbridge explain`: what a message becomes, in lines, in boxes and as JSON."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from bridge.cli import app
from bridge.messages import MESSAGE_TYPES
from bridge.providers.registry import BUILT_IN, provider_type
from tests.support.warm_python import python

if TYPE_CHECKING:
    from pathlib import Path

ASKED = {
    "kind": "buttons",
    "text": "Which\tone?",
    "buttons": [{"key": "a", "title": "One"}, {"key": "b", "title": "Two"}],
    "footer": "mind the gap",
}
TEXT = {"kind": "text", "text": "hi"}
EVERYWHERE = [(name, channel) for name in sorted(BUILT_IN) for channel in provider_type(name).relays]


def explained(folder: Path, message: object, *arguments: str) -> tuple[int, str, str]:
    file = folder / "message.json"
    file.write_text(message if isinstance(message, str) else json.dumps(message), "utf-8")
    result = CliRunner().invoke(app, ["explain", str(file), *arguments], env={"COLUMNS": "200"})
    return result.exit_code, result.stdout, result.stderr


def test_off_a_terminal_each_channel_has_a_line(tmp_path: Path) -> None:
    code, out, err = explained(tmp_path, ASKED)
    assert (code, err) == (0, "")
    rows = [line.split("\t") for line in out.splitlines()]
    assert [(row[0], row[1]) for row in rows] == EVERYWHERE
    lines = {f"{row[0]}:{row[1]}": row[2:] for row in rows}
    assert lines["konnek:whatsapp"] == [r"buttons: Which\tone? mind the gap [One] [Two]"]
    assert lines["relationlabs:peer"] == [
        r"text: Which\tone?\n\n1. One\n2. Two\n\nmind the gap",
        "typed: 1=a, 2=b",
        (
            "given up: buttons: not carried here, menu: not carried here; shown as numbered text; "
            "footer: folded into the text"
        ),
    ]


@pytest.mark.parametrize(
    ("on", "names"),
    [
        ("konnek:line", ["konnek:line"]),
        ("relationlabs", ["relationlabs:group", "relationlabs:peer"]),
        ("all", [":".join(each) for each in EVERYWHERE]),
    ],
)
def test_json_tells_parts_choices_and_what_was_given_up(tmp_path: Path, on: str, names: list[str]) -> None:
    code, out, _ = explained(tmp_path, ASKED, "--on", on, "--json")
    found: list[dict[str, Any]] = json.loads(out)
    assert code == 0
    assert [f"{each['provider']}:{each['channel']}" for each in found] == names
    for each in found:
        assert each.keys() == {"provider", "channel", "parts", "choices", "given_up", "dropped"}
        assert [choice["key"] for choice in each["choices"]] == ["a", "b"]
        assert each["parts"][-1]["kind"] in {"buttons", "text"}


def test_what_cannot_go_says_why(tmp_path: Path) -> None:
    _, out, _ = explained(tmp_path, {"kind": "template", "name": "order"}, "--on", "ginalne:whatsapp")
    assert out == "ginalne\twhatsapp\tdropped: template: not carried here\n"


def test_a_silent_contact_is_outside_the_window(tmp_path: Path) -> None:
    assert explained(tmp_path, TEXT, "--on", "konnek:whatsapp")[1] == "konnek\twhatsapp\ttext: hi\n"
    out = explained(tmp_path, TEXT, "--on", "konnek:whatsapp", "--heard", "25")[1]
    assert "dropped: window: free text goes only within 24 hours" in out


@pytest.mark.parametrize(
    "message",
    [
        *({"kind": kind, "url": "https://x/a"} for kind in ("image", "video", "audio", "voice", "document")),
        {"kind": "location", "latitude": 1, "longitude": 2},
        {"kind": "menu", "text": "a", "title": "b", "sections": [{"title": "c", "rows": [{"key": "k", "title": "t"}]}]},
        {"kind": "cards", "cards": [{"title": "c", "buttons": [{"key": "k", "title": "t"}]}]},
        {"kind": "raw", "payload": {"a": [1]}},
        {"kind": "template", "name": "order"},
        ASKED,
        TEXT,
    ],
    ids=lambda message: message["kind"],
)
def test_every_kind_can_be_explained_everywhere(tmp_path: Path, message: dict[str, Any]) -> None:
    assert message["kind"] in MESSAGE_TYPES
    code, out, err = explained(tmp_path, message)
    assert (code, err, len(out.splitlines())) == (0, "", len(EVERYWHERE))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--on", "konek"], "konek: no such provider; did you mean konnek?"),
        (["--on", "konnek:pigeon"], "konnek relays whatsapp, telegram, line, messenger, not pigeon"),
        (["--heard", "-1"], "--heard"),
    ],
)
def test_a_wrong_argument_is_usage_and_says_why(tmp_path: Path, arguments: list[str], words: str) -> None:
    code, _, err = explained(tmp_path, TEXT, *arguments)
    assert code == 2
    assert words in err


@pytest.mark.parametrize(
    ("message", "words"),
    [("{", "not a JSON object"), ({"kind": "txt"}, "kind: one of"), ({"kind": "text"}, "text:"), ("\ud83d", "not a")],
)
def test_a_file_without_a_message_says_what_is_wrong_with_it(tmp_path: Path, message: object, words: str) -> None:
    if message == "\ud83d":
        (tmp_path / "message.json").write_bytes(b"\xff\xfe")
        result = CliRunner().invoke(app, ["explain", str(tmp_path / "message.json")])
        code, err = result.exit_code, result.stderr
    else:
        code, _, err = explained(tmp_path, message)
    assert code == 78
    assert err.startswith(f"{tmp_path}/message.json: ")
    assert words in err
    assert err.count("\n") == 1


def test_every_mistake_in_a_message_is_told(tmp_path: Path) -> None:
    _, _, err = explained(tmp_path, {"kind": "menu", "text": "a", "button": "b", "sections": []})
    assert err.startswith(f"{tmp_path}/message.json: ")
    assert {"title: missing", "button: unknown key"} <= set(err.strip().split(".json: ", 1)[1].split("; "))


def test_a_message_is_read_from_a_pipe() -> None:
    result = CliRunner().invoke(app, ["explain", "-", "--on", "konnek:line"], input=json.dumps(TEXT))
    assert (result.exit_code, result.stdout) == (0, "konnek\tline\ttext: hi\n")
    result = CliRunner().invoke(app, ["explain", "-"], input="{")
    assert result.stderr.startswith("standard input: not a JSON object")


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["explain", str(tmp_path / "no.json")])
    assert (result.exit_code, result.stderr) == (78, f"{tmp_path}/no.json: No such file or directory\n")


def test_on_a_terminal_channels_stand_side_by_side_and_cannot_be_steered(tmp_path: Path) -> None:
    file = tmp_path / "message.json"
    file.write_text(json.dumps(ASKED | {"text": "Which\x1b[2J one?"}), "utf-8")
    ours, theirs = pty.openpty()
    command = [python(), "-m", "bridge", "explain", str(file)]
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm", "NO_COLOR": "1"}
    with subprocess.Popen(command, stdout=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
        assert process.wait(10) == 0
    os.close(ours)
    lines = shown.decode().splitlines()
    assert "\x1b[2J" not in shown.decode()
    assert any(re.search(r"│.*aelyst:whatsapp.*│ │.*ginalne:whatsapp.*│", line) for line in lines), shown.decode()
    assert any("konnek:whatsapp" in line for line in lines)
    assert max(map(len, lines)) >= 78


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""
