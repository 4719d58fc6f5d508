"""Each text that the troubleshooting page quotes is one that the product prints."""

from __future__ import annotations

import re
from importlib.machinery import SourceFileLoader
from types import CodeType
from typing import TYPE_CHECKING, Final

import pytest

from tests.docs.pages import DOCS, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

QUOTED: Final = re.findall(r"^\| `([^`]+)`", (DOCS / "how-to" / "troubleshoot.md").read_text("utf-8"), re.MULTILINE)
OF_THE_SYSTEM: Final = "Permission denied"


@pytest.fixture(scope="module")
def printed() -> str:
    """All text literals of the product, a line each."""
    modules = (
        SourceFileLoader(file.stem, str(file)).get_code(file.stem)  # as Python keeps it: to parse all takes long
        for room in ("bridge", "storage")
        for file in (ROOT / room).rglob("*.py")
    )
    return "\n".join(text for module in modules for text in texts(module))


def texts(constant: object) -> Iterator[str]:
    """All texts in what a compiler keeps."""
    if isinstance(constant, CodeType):
        constant = constant.co_consts
    if isinstance(constant, str):
        yield constant
    elif isinstance(constant, (tuple, frozenset)):
        for inner in constant:
            yield from texts(inner)


def test_the_page_quotes_texts() -> None:
    assert len(QUOTED) > 20


@pytest.mark.parametrize("text", QUOTED)
def test_a_quoted_text_stands_in_the_source(text: str, printed: str) -> None:
    pieces = [piece for piece in text.replace(OF_THE_SYSTEM, "").split("…") if piece.strip()]
    assert [piece for piece in pieces if piece not in printed] == []
