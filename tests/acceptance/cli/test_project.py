"""`threadbridge init` and `schema`, and what a shell completes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Final

import pytest
from typer.testing import CliRunner

from bridge.cli import app, check
from bridge.config.json_schema import file_schema
from tests.docs.pages import ROOT
from tests.support.child_pytest import command as pytest_command
from tests.support.child_pytest import environment

if TYPE_CHECKING:
    from pathlib import Path

PROJECT: Final = {
    ".gitignore",
    "bot.py",
    "pytest.ini",
    "test_bot.py",
    "threadbridge.schema.json",
    "threadbridge.toml",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that `init` began, below a folder that is not there yet."""
    folder = tmp_path / "bots" / "tea shop"
    result = CliRunner().invoke(app, ["init", str(folder)])
    assert result.exit_code == 0, result.output
    assert f"cd '{folder}'" in result.stdout
    return folder


@pytest.mark.slow
def test_the_test_of_a_new_project_passes(project: Path) -> None:
    ran = subprocess.run(
        pytest_command(), cwd=project, env=environment(ROOT), capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout


def test_a_new_project_has_no_problem(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(check, "filesystem", lambda _: "ext4")  # wherever this machine has its temporary files
    result = CliRunner().invoke(app, ["check"])
    sys.modules.pop("bot", None)
    assert (result.exit_code, result.output) == (0, "ok: 1 account, 4 handlers\n")


def test_a_new_project_is_these_files_and_the_code_is_tidy(project: Path) -> None:
    assert {path.name for path in project.iterdir()} == PROJECT
    settings = ["--isolated", "--line-length", "120"]
    for command in (["format", "--check"], ["check", "--select", "E,F,I,UP,B,ANN,SIM,RET"]):
        ran = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", *settings, str(project)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_real_account_of_a_new_project_is_a_configuration(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (project / "threadbridge.toml").read_text("utf-8").splitlines()
    begins = lines.index("# [server]")
    lines[begins:] = [line.removeprefix("#").removeprefix(" ") for line in lines[begins:]]
    (project / "threadbridge.toml").write_text("\n".join(lines), "utf-8")
    (project / "secrets").mkdir(mode=0o700)
    for name in ("whautochat-key", "whautochat-inbound"):
        (project / "secrets" / name).write_text("s3cr3t-of-at-least-24-bytes", "utf-8")
        (project / "secrets" / name).chmod(0o400)
    monkeypatch.chdir(project)
    result = CliRunner().invoke(app, ["urls"])
    assert result.exit_code == 0, result.output
    assert "https://bot.example.org/webhooks/shop/****" in result.stdout


@pytest.mark.parametrize("there", ["a file", "a folder", "a folder with a file"])
def test_init_leaves_what_is_there_as_it_is(there: str, tmp_path: Path) -> None:
    target = tmp_path / "shop"
    if there == "a file":
        target.write_text("mine", "utf-8")
    else:
        target.mkdir()
    if there == "a folder with a file":
        (target / ".env").write_text("mine", "utf-8")
    result = CliRunner().invoke(app, ["init", str(target)])
    if there == "a folder":
        assert result.exit_code == 0
        return
    assert result.exit_code == 1
    assert result.stderr == f"{target}: not empty; name a new folder, or an empty one\n"
    assert [path.read_text("utf-8") for path in tmp_path.rglob("*") if path.is_file()] == ["mine"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = CliRunner().invoke(app, ["init", str(tmp_path / "file" / "shop")])
    assert result.exit_code == 78
    assert str(tmp_path / "file") in result.stderr


def test_the_schema_is_printed_and_is_that_of_the_project(project: Path) -> None:
    printed = CliRunner().invoke(app, ["schema"]).stdout
    assert json.loads(printed) == file_schema()
    text = (project / "threadbridge.toml").read_text("utf-8")
    assert tomllib.loads(text)
    named = text.partition("\n")[0].removeprefix("#:schema ./")
    assert (project / named).read_text("utf-8") == printed


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("threadbridge de", {"demo", "deploy", "dev", "dead"}),
        ("threadbridge dead ", {"list", "show", "replay", "drop"}),
        ("threadbridge dead list --js", {"--json"}),
        ("threadbridge run --work", {"--workers"}),
    ],
)
def test_a_shell_completes_commands_that_are_imported_late(
    shell: str, line: str, completed: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = line.split(" ")
    asked = {
        "bash": {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    monkeypatch.setattr(sys, "argv", ["threadbridge"])
    result = CliRunner().invoke(
        app, env={"_THREADBRIDGE_COMPLETE": f"complete_{shell}", **asked}, prog_name="threadbridge"
    )
    pattern = r'"([^"]+)":"' if shell == "zsh" else r"(?m)^([^\t\n]+)"
    assert set(re.findall(pattern, result.stdout)) == completed, result.stdout
