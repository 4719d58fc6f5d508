"""What a type checker says of a bot author's functions: nothing of good ones, and something of each mistake."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from mypy import api

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[1]
_ERROR: Final = re.compile(r"^(.+?):(\d+): error: .*\[([a-z-]+)\]$", re.MULTILINE)
_WANTED: Final = re.compile(r"# E: ([a-z|-]+)$")


def test_good_functions_are_silent_and_each_mistake_is_an_error_in_its_line() -> None:
    """One run of mypy, for it takes seconds."""
    good, wrong = HERE / "good.py", HERE / "wrong.py"
    options = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache")]
    told, trouble, _ = api.run([*options, "--follow-imports", "silent", str(good), str(wrong)])
    assert trouble == ""
    found = {(Path(file).name, int(line), code) for file, line, code in _ERROR.findall(told)}
    lines = enumerate(wrong.read_text("utf-8").splitlines(), 1)
    wanted = {("wrong.py", number, match[1]) for number, line in lines if (match := _WANTED.search(line))}
    missed = [each for each in wanted if not any(_is(each, error) for error in found)]
    surplus = [error for error in found if not any(_is(each, error) for each in wanted)]
    assert (missed, surplus) == ([], []), told


def _is(wanted: tuple[str, int, str], error: tuple[str, int, str]) -> bool:
    return wanted[:2] == error[:2] and error[2] in wanted[2].split("|")
