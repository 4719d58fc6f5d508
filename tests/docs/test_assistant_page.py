"""The page of the assistant names every option of it and of a tool."""

from __future__ import annotations

import dataclasses
import inspect
import re

import pytest

from handlers.assistant import Assistant, Limits, tool
from tests.docs.pages import DOCS

PAGE = (DOCS / "how-to" / "assistant.md").read_text("utf-8")


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Assistant)])
def test_every_option_has_a_row(name: str) -> None:
    assert re.search(rf"^\|(?: `\w+`,)*? `{name}`", PAGE, re.MULTILINE)


@pytest.mark.parametrize("name", [*inspect.signature(tool).parameters][1:])
def test_every_option_of_a_tool_is_named(name: str) -> None:
    assert f"{name}=" in PAGE


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Limits)])
def test_every_limit_is_named(name: str) -> None:
    assert f"`{name}`" in PAGE
