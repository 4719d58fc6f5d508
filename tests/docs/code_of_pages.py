"""python -m tests.docs.code_of_pages FOLDER: write the Python of the pages there, a folder for each page."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tests.docs.pages import PAGES, ROOT, blocks_of, write_file


def write_code(folder: Path) -> None:
    """Named blocks become files of that name, all others `page.py`; each line keeps its number."""
    shutil.rmtree(folder, ignore_errors=True)
    for page in PAGES:
        place = folder / str(page.relative_to(ROOT).with_suffix("")).replace("/", "-")
        nameless = ""
        for block in blocks_of(page, "python"):
            place.mkdir(parents=True, exist_ok=True)
            if block.file is None:
                nameless += "\n" * (block.line - 1 - nameless.count("\n")) + block.code
            else:
                write_file(block, place)
        if nameless:
            (place / "page.py").write_text(nameless, "utf-8")


if __name__ == "__main__":
    write_code(Path(sys.argv[1]))
