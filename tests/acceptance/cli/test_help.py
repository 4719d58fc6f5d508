"""What `--help` shows: no types of Python, and the exit codes that there are."""

from __future__ import annotations

import re
from typing import Any

import pytest
from typer.testing import CliRunner

from bridge.cli import COMMANDS, app, output, streams
from tests.support.command_tree import command_tree


def _every(command: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    children = getattr(command, "commands", {})
    return [path, *(each for name, child in children.items() for each in _every(child, (*path, name)))]


@pytest.mark.parametrize("path", _every(command_tree()), ids=" ".join)
def test_help_shows_values_by_what_they_mean_and_flags_without_any(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "80", "TERM": "dumb"})
    assert result.exit_code == 0
    assert not re.search(r"<\w+|\.{6}|None", result.stdout), result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_the_exit_codes_in_help_are_those_of_the_commands() -> None:
    said = " ".join(CliRunner().invoke(app, ["--help"], env={"COLUMNS": "300"}).stdout.split())
    found = re.search(r"Exit codes: ([^.]*)\.", said)
    assert found
    own = {output.PROVIDER_FAILED, output.STORE_BROKEN, output.NO_ADDRESS, output.STORE_IN_USE, output.CONFIGURATION}
    own |= {streams.OUTPUT_LOST, streams.NO_READER}
    assert {int(code) for code in re.findall(r"\d+", found[1])} == {0, 1, 2} | own


def test_the_list_says_of_a_command_what_its_help_begins_with() -> None:
    tree = command_tree().commands
    listed = {entry.name: entry.help for entries in COMMANDS.values() for entry in entries}
    assert listed == {name: command.help.partition("\n")[0] for name, command in tree.items()}
    assert {name for name, command in tree.items() if command.name != name} == set()
