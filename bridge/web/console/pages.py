"""The console's page and its static files, read once at start."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import jinja2

if TYPE_CHECKING:
    from collections.abc import Mapping

_HERE: Final = Path(__file__).parent
_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=jinja2.StrictUndefined
)


def console_page(account: str, latest: str, below: str) -> str:
    """The page; `latest` is the conversation it opens when its address names none ("": a new one).

    `below` leads from the page's address to what is below it: the same behind any prefix and any proxy.
    """
    return _TEMPLATES.get_template("console.html").render(account=account, latest=latest, below=below)


def static_files() -> dict[str, tuple[bytes, str]]:
    """Every static file by name: its bytes and its content type."""
    return {path.name: (path.read_bytes(), _TYPES[path.suffix]) for path in (_HERE / "static").iterdir()}
