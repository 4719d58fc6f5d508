"""Standard output as a shell hands it over: another encoding, closed, full, or a pipe whose reader is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import pytest

from tests.support.free_ports import free_port
from tests.support.warm_python import python

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIGURED: Final = '[handlers]\nload = ["handlers.menu"]\n[accounts.shop]\nprovider = "playground"\n'
SHORT: Final = '{"kind": "buttons", "text": "Größe? 🍵", "buttons": [{"key": "s", "title": "小"}]}'
COMMANDS: Final = (["--help"], ["check"], ["status"], ["urls"], ["explain", "message.json"])
NO_ITEMS: Final = (["threads"], ["dead", "list"])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "threadbridge.toml").write_text(CONFIGURED)
    (tmp_path / "message.json").write_text(SHORT, encoding="utf-8")
    return tmp_path


def program_for(arguments: Sequence[str]) -> str:
    """The shortest commands are of a new Python, for each thing that may happen to its output."""
    return sys.executable if "--help" in arguments or "run" in arguments else python()


def called(
    folder: Path, arguments: Sequence[str], output: int | IO[bytes], *, redirect: str = "", **environment: str
) -> tuple[int, bytes, str]:
    command = [program_for(arguments), "-m", "bridge", *arguments]
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirect}', "sh", *command] if redirect else command,
        cwd=folder,
        env=os.environ | {"PYTHONUNBUFFERED": ""} | environment,
        stdout=output,
        stderr=subprocess.PIPE,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout or b"", done.stderr.decode()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [(["--help"], "demo"), (["threads"], ""), (["explain", "message.json"], "Größe? \\U0001f375")],
)
def test_letters_of_the_encoding_stay_and_others_are_escaped(project: Path, arguments: list[str], part: str) -> None:
    code, out, err = called(project, arguments, subprocess.PIPE, PYTHONIOENCODING="cp1252", PYTHONUTF8="0")
    assert (code, "Traceback" in err) == (0, False), err
    assert part in out.decode("cp1252")


@pytest.mark.parametrize("arguments", [*COMMANDS, *NO_ITEMS], ids=" ".join)
def test_a_closed_output_leads_nowhere(project: Path, arguments: list[str]) -> None:
    code, _, err = called(project, arguments, subprocess.DEVNULL, redirect=">&-")
    assert (code, "Traceback" in err) == (0, False), err


@pytest.mark.parametrize(("arguments", "unbuffered"), [*((command, "") for command in COMMANDS), (["check"], "1")])
def test_a_full_output_ends_with_one_line(project: Path, arguments: list[str], unbuffered: str) -> None:
    with Path("/dev/full").open("wb") as full:
        code, _, err = called(project, arguments, full, PYTHONUNBUFFERED=unbuffered)
    lines = [line for line in err.splitlines() if not line.startswith("no store yet")]
    assert (code, lines) == (74, ["standard output cannot be written: No space left on device"])


@pytest.mark.parametrize(("arguments", "unbuffered"), [*((command, "") for command in COMMANDS), (["check"], "1")])
def test_a_reader_that_is_gone_ends_a_command_without_a_word(
    project: Path, arguments: list[str], unbuffered: str
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        code, _, err = called(project, arguments, writer, PYTHONUNBUFFERED=unbuffered)
    finally:
        os.close(writer)
    assert (code, [line for line in err.splitlines() if not line.startswith("no store yet")]) == (141, [])


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("errors", [">&-", ">/dev/full"])
def test_a_complaint_that_cannot_be_written_leaves_the_exit_code(project: Path, errors: str, unbuffered: str) -> None:
    arguments = ["status", "-c", "none.toml"]
    code, _, _ = called(project, arguments, subprocess.PIPE, redirect=f"2{errors}", PYTHONUNBUFFERED=unbuffered)
    assert code == 78


@pytest.mark.parametrize(("command", "output"), [("run", ">&-"), ("demo", ">/dev/full")])
def test_a_bridge_serves_without_its_output(project: Path, command: str, output: str) -> None:
    (project / "threadbridge.toml").write_text(f"[server]\nport = {free_port()}\n{CONFIGURED}")
    arguments = [command, "--port", str(free_port())] if command == "demo" else [command]
    process = subprocess.Popen(
        ["/bin/sh", "-c", f'exec "$@" {output}', "sh", program_for(arguments), "-m", "bridge", *arguments],
        cwd=project,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "serving" in line:
                process.send_signal(signal.SIGTERM)
    assert (process.returncode, "Traceback" in "".join(lines)) == (0, False), lines
