"""The pages hang together: links lead somewhere, named tests exist, generated pages are fresh, the README is quick."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from bridge.providers.registry import BUILT_IN
from tests.docs.generated import GENERATED
from tests.docs.pages import DOCS, PAGES, ROOT, name_of

if TYPE_CHECKING:
    from pathlib import Path

FOUND_BY_NAME = {"README.md", "CONTRIBUTING.md", "SECURITY.md", "AGENTS.md"}

every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@every_page
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if not re.match(r"https?:", target):
            assert (page.parent / target).exists(), f"{name_of(page)}: {target}"


@every_page
def test_the_anchors_of_a_page_are_headings(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:\s]*)#([^)\s]+)\)", page.read_text("utf-8")):
        headings = re.findall(r"^#+ (.+)$", (page.parent / (target or page.name)).read_text("utf-8"), re.MULTILINE)
        assert anchor in [anchor_of(heading) for heading in headings], f"{name_of(page)}: {target}#{anchor}"


def anchor_of(heading: str) -> str:
    """The name that GitHub gives a heading in links."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_page_is_linked_from_another() -> None:
    linked = {
        (page.parent / target).resolve()
        for page in PAGES
        for target in re.findall(r"\]\(([^)#\s]+\.md)", page.read_text("utf-8"))
    }
    assert [name_of(page) for page in PAGES if page.resolve() not in linked and page.name not in FOUND_BY_NAME] == []


@pytest.mark.parametrize("page", GENERATED, ids=name_of)
def test_a_generated_page_is_up_to_date(page: Path) -> None:
    assert page.read_text("utf-8") == GENERATED[page](), "run: python -m tests.docs.generated"


def test_the_tests_that_the_guarantees_name_exist() -> None:
    page = (DOCS / "explanation" / "guarantees.md").read_text("utf-8")
    named = re.findall(r"\[((?:tests|bridge/testing)/[\w/]+\.py)\]\([^)]*\) \| `(\w+)`", page)
    assert named
    assert [(file, test) for file, test in named if f"def {test}(" not in (ROOT / file).read_text("utf-8")] == []


def test_every_provider_has_a_page() -> None:
    assert {path.stem for path in (DOCS / "providers").glob("*.md")} == set(BUILT_IN) | {"matrix"}


def test_the_readme_shows_working_code_early() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert "make demo" in "\n".join(lines[:25])
    assert any(line.startswith("```python") for line in lines[:25])
