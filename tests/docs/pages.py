"""The project's pages as lists of their code blocks, each with its language and line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
DOCS: Final = ROOT / "docs"
PAGES: Final = (*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")))

_FENCED: Final = re.compile(
    r"^(?P<indent> *)```(?P<language>[^\n]*)\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_FILE: Final = re.compile(r"(?:#|--) (?P<name>(?:[a-z_]+/)*[a-z0-9_]+\.(?:py|toml|sql|txt))(?P<more>, continued)?\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One code block. `file` is the name its first line gives it, `# shop.py` or `-- tables/0001_a.sql`; or None.

    `# shop.py, continued` goes on in the file of an earlier block.
    """

    page: Path
    line: int
    language: str
    code: str

    @property
    def file(self) -> str | None:
        name = _FILE.match(self.code)
        return name["name"] if name else None

    @property
    def continues(self) -> bool:
        """Whether it is to be written behind what its file has already."""
        name = _FILE.match(self.code)
        return name is not None and name["more"] is not None

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def name_of(page: Path) -> str:
    """The page's path from the root: what a test is called by."""
    return str(page.relative_to(ROOT))


def blocks_of(page: Path, *languages: str) -> list[Block]:
    """The blocks of a page in one of `languages` (none: all), in order."""
    text = page.read_text("utf-8")
    blocks = [
        Block(
            page=page,
            line=text.count("\n", 0, match.start()) + 2,
            language=match["language"].strip(),
            code=match["code"],
        )
        for match in _FENCED.finditer(text)
    ]
    return [block for block in blocks if not languages or block.language in languages]


def write_file(block: Block, folder: Path) -> None:
    """Write a block into its file, or behind what is there; each line has the number that it has on the page."""
    assert block.file is not None
    path = folder / block.file
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text("utf-8") if block.continues else ""
    path.write_text(before + "\n" * (block.line - 1 - before.count("\n")) + block.code, "utf-8")


def section(page: Path, heading: str) -> str:
    """The text under a heading, down to the next one of its level or above."""
    text = re.sub(r"```.*?```", lambda code: code[0].replace("\n#", "\n "), page.read_text("utf-8"), flags=re.DOTALL)
    level = heading.split(" ", maxsplit=1)[0]
    under = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{len(level)}}} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert under, f"{name_of(page)} has no heading {heading!r}"
    return under[1]


def keys_documented(heading: str, page: str = "configuration.md") -> set[str]:
    """The keys in the first column of the tables under a heading of a page of the reference."""
    text = section(DOCS / "reference" / page, heading)
    return set(re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE))
