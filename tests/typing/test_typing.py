"""What a type checker says of a bot author's functions: nothing of good ones, and something of each mistake."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.docs.code_of_pages import write_code

if TYPE_CHECKING:
    import pytest

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[1]
GOOD, WRONG = HERE / "good.py", HERE / "wrong.py"
_ERROR: Final = re.compile(r"^(.+?):(\d+): error: .*\[([a-z-]+)\]$", re.MULTILINE)
_WANTED: Final = re.compile(r"# E: ([a-z|-]+)$")


def test_good_functions_are_silent_and_each_mistake_is_an_error_in_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run of mypy, for it takes seconds; good are the bot of the tutorial and its test too.

    With an option that `make check` does not give, mypy would look at everything anew.
    In this process it would unfreeze what `tests/conftest.py` keeps from the collector.
    """
    write_code(tmp_path)
    tutorial = tmp_path / "docs-tutorial"
    monkeypatch.setenv("MYPYPATH", str(tutorial))
    good = [GOOD, tutorial / "bakery.py", tutorial / "test_bakery.py"]
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml")]
    command += ["--cache-dir", str(ROOT / ".mypy_cache"), *map(str, good), str(WRONG)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    output = checked.stdout
    assert checked.stderr == ""
    errors = {(Path(file).name, int(line), code) for file, line, code in _ERROR.findall(output)}
    expected = {("wrong.py", line, code) for line, code in mistakes().items()}
    missed = [mistake for mistake in expected if not any(_is(mistake, error) for error in errors)]
    surplus = [error for error in errors if not any(_is(mistake, error) for mistake in expected)]
    assert (missed, surplus) == ([], []), output


def test_pyright_agrees(tmp_path: Path) -> None:
    settings = {"typeCheckingMode": "standard", "include": [str(GOOD), str(WRONG)], "extraPaths": [str(ROOT)]}
    project = tmp_path / "pyrightconfig.json"
    project.write_text(json.dumps(settings), "utf-8")
    command = [str(Path(sys.executable).with_name("basedpyright")), "--outputjson", "--project", str(project)]
    command += ["--pythonpath", sys.executable]
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    problems = json.loads(output)["generalDiagnostics"]
    errors = {(Path(problem["file"]).name, problem["range"]["start"]["line"] + 1) for problem in problems}
    assert errors == {("wrong.py", line) for line in mistakes()}, output


def mistakes() -> dict[int, str]:
    """The lines of `wrong.py` that are wrong, and mypy's code for each."""
    lines = enumerate(WRONG.read_text("utf-8").splitlines(), 1)
    return {number: match[1] for number, line in lines if (match := _WANTED.search(line))}


def _is(mistake: tuple[str, int, str], error: tuple[str, int, str]) -> bool:
    return mistake[:2] == error[:2] and error[2] in mistake[2].split("|")
