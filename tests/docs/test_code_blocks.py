"""The code on the pages runs, its configurations load, and its commands exist."""

from __future__ import annotations

import importlib
import json
import re
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from typer.exceptions import TyperException
from typer.testing import CliRunner

from bridge.cli import app
from bridge.config.load import Config
from bridge.messages import decode_message
from handlers.autoresponder import read_router
from tests.docs.made_up_secrets import give_secrets
from tests.docs.pages import PAGES, Block, blocks_of, name_of, write_file
from tests.docs.shell import check_command, commands_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIGURATION = "threadbridge.toml"
LANGUAGES = {"python", "toml", "sql", "json", "sh", "yaml", "text", "nginx", "caddyfile", "mermaid", "dockerfile"}

NAMELESS = [[block for block in blocks_of(page, "python") if block.file is None] for page in PAGES]

every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to follow a page in; the modules that the page writes there are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@every_page
def test_the_code_of_a_page_runs_from_top_to_bottom(
    page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    text = page.read_text("utf-8")
    if ".calls(" in text:
        request.getfixturevalue("counted")
    give_secrets(text, folder, monkeypatch)
    monkeypatch.setattr("bridge.cli.check.resolved", lambda _: {})  # a test asks no network
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks_of(page, "python", "toml", "sql"):
        if block.file is not None:
            write_file(block, folder)
        if block.language == "sql":
            assert block.file is not None
        elif block.language == "toml":
            read_settings(block, folder)
        elif block.file is not None:
            import_anew(block.file)
        else:
            exec(compile("\n" * (block.line - 1) + block.code, str(page), "exec"), namespace)  # noqa: S102 - our own pages
    commands = [["check"], ["urls"]] if (folder / CONFIGURATION).exists() else []
    for block in blocks_of(page, "text"):
        if block.file is not None:  # conversations with the handlers of the page
            write_file(block, folder)
            commands.append(["test-replies", block.file])
    for command in commands:
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, f"{name_of(page)}: {command}: {result.output}"


def read_settings(block: Block, folder: Path) -> None:
    """Read a block as what it is; a file of another name is read by `check`."""
    values = tomllib.loads(block.code)
    if block.file is None and "replies" in values:
        (folder / "shown.toml").write_text(block.code, "utf-8")
        read_router(folder / "shown.toml")
    elif (block.file or CONFIGURATION) == CONFIGURATION:
        Config.from_dict(values, folder)


def import_anew(file: str) -> None:
    importlib.invalidate_caches()
    module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    sys.modules.pop(module, None)  # a page may write a file again
    importlib.import_module(module)


@pytest.mark.parametrize("block", [block for blocks in NAMELESS for block in blocks[1:]], ids=lambda block: block.where)
def test_a_block_runs_when_it_is_copied_by_itself(block: Block, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the blocks above only those that are files are there; a block that is a file is a module in every test."""
    give_secrets(block.page.read_text("utf-8"), folder, monkeypatch)
    for other in blocks_of(block.page, "python", "toml", "sql"):
        if other.file is not None and other.line < block.line:
            write_file(other, folder)
    exec(compile("\n" * (block.line - 1) + block.code, str(block.page), "exec"), {"__name__": "__main__"})  # noqa: S102 - our own pages


@every_page
def test_a_page_names_the_language_of_its_blocks(page: Path) -> None:
    assert [block.where for block in blocks_of(page) if block.language not in LANGUAGES] == []


@every_page
def test_the_json_of_a_page_is_json(page: Path) -> None:
    for block in blocks_of(page, "json"):
        if "kind" in json.loads(block.code):
            decode_message(block.code.encode())


@every_page
def test_the_commands_of_a_page_exist(page: Path) -> None:
    for block in blocks_of(page, "sh"):
        for line in block.code.replace("\\\n", " ").splitlines():
            for words in commands_of(line):
                check_command(words, f"{block.where}: {line}")


@every_page
def test_a_workflow_runs_commands_that_exist(page: Path) -> None:
    for block in blocks_of(page, "yaml"):
        lines = re.findall(r"^ *- run: (.+)$", block.code, re.MULTILINE)
        assert lines
        for line in lines:
            for words in commands_of(line):
                check_command(words, f"{block.where}: {line}")


@pytest.mark.parametrize(
    "line",
    ["threadbridge rum", "threadbridge run --prot 80", "threadbridge dead show", "frobnicate", "make coffee"],
)
def test_a_command_that_does_not_exist_is_noticed(line: str) -> None:
    with pytest.raises((AssertionError, TyperException)):
        check_command(next(commands_of(line)), line)
