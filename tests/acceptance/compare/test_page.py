"""docs/explanation/compare.md is what the code says, and the bots it counts are bots."""

from __future__ import annotations

import ast
import tomllib
from typing import TYPE_CHECKING

import pytest

from bridge.config.load import Config
from tests.acceptance.compare.conversations import BOTS
from tests.acceptance.compare.count import HERE, PAGE, code_lines, page
from tests.acceptance.compare.facts import CELLS, COLUMNS, FACTS, FRAMEWORKS, VERSIONS
from tests.docs.made_up_secrets import give_secrets
from tests.docs.pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = '''
"""A docstring
of two lines."""

from somewhere import (
    one,
    other,
)

# a comment
NAMES = [
    "one",  # a comment beside it
    """a text
    of two lines""",
]


class One:
    """Said of it."""

    def two(self):
        import another

        return """no docstring
        but a text"""
'''


def test_lines_that_hold_code_are_counted_and_no_others() -> None:
    assert code_lines(SAMPLE) == 5 + 2 + 2


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m tests.acceptance.compare.count"


def test_every_cell_is_filled() -> None:
    assert tuple(CELLS) == BOTS
    assert tuple(FACTS) == COLUMNS
    for bot, cells in CELLS.items():
        assert [len(each) for each in cells.split()] == [len(FRAMEWORKS)] * len(COLUMNS), bot
        assert set(cells) <= set("●◐○-? "), bot


def test_every_fact_can_be_looked_up() -> None:
    for column, (_, facts) in FACTS.items():
        assert tuple(each.framework for each in facts) == FRAMEWORKS
        for fact in facts:
            assert fact.test or fact.line, (column, fact.framework)
            assert bool(fact.line) == bool(fact.reads)
            assert not fact.line or fact.line.partition("/")[0] in VERSIONS
            if fact.test:
                path, _, name = fact.test.partition("::")
                assert f"def {name}(" in (ROOT / path).read_text("utf-8"), fact.test


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_each_framework_has_the_same_bots_and_they_compile(framework: str) -> None:
    found = {each.stem: each for each in (HERE / framework).glob("*.py") if each.stem not in {"test_bots", "start"}}
    assert set(found) == set(BOTS)
    for path in (HERE / framework).glob("*.py"):
        compile(path.read_text("utf-8"), str(path), "exec")


@pytest.mark.parametrize("bot", BOTS)
def test_ours_need_nothing_of_this_project_but_bridge(bot: str) -> None:
    tree = ast.parse((HERE / "threadbridge" / f"{bot}.py").read_text("utf-8"))
    found = {each.module for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)}
    assert found <= {"__future__", "bridge", "datetime"}


def test_the_configuration_that_starts_ours_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (HERE / "threadbridge" / "threadbridge.toml").read_text("utf-8")
    give_secrets(text, tmp_path, monkeypatch)
    assert list(Config.from_dict(tomllib.loads(text), HERE / "threadbridge").accounts) == ["shop"]
