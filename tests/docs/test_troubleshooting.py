"""Each text that the troubleshooting page quotes is one that the product prints."""

from __future__ import annotations

import ast
import re
from typing import Final

import pytest

from tests.docs.pages import DOCS, ROOT

QUOTED: Final = re.findall(r"^\| `([^`]+)`", (DOCS / "how-to" / "troubleshoot.md").read_text("utf-8"), re.MULTILINE)
OF_THE_SYSTEM: Final = "Permission denied"


@pytest.fixture(scope="module")
def printed() -> str:
    """All text literals of the product, a line each."""
    trees = (
        ast.parse(file.read_text("utf-8")) for room in ("bridge", "storage") for file in (ROOT / room).rglob("*.py")
    )
    nodes = (node for tree in trees for node in ast.walk(tree))
    return "\n".join(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_the_page_quotes_texts() -> None:
    assert len(QUOTED) > 20


@pytest.mark.parametrize("text", QUOTED)
def test_a_quoted_text_stands_in_the_source(text: str, printed: str) -> None:
    pieces = [piece for piece in text.replace(OF_THE_SYSTEM, "").split("…") if piece.strip()]
    assert [piece for piece in pieces if piece not in printed] == []
