"""The console's page, made when it is first opened, and its static files, read once at start."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Template

_HERE: Final = Path(__file__).parent
_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def console_page(account: str, latest: str, below: str, *, has_inbox: bool) -> str:
    """The page; `latest` is the conversation it opens when its address names none ("": a new one).

    `has_inbox`: beside it is the operator's console.

    `below` leads from the page's address to what is below it: the same behind any prefix and any proxy.
    """
    return _template().render(account=account, latest=latest, below=below, has_inbox=has_inbox)


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - for who opens the console

    templates = Environment(loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined)
    return templates.get_template("console.html")


def static_files() -> dict[str, tuple[bytes, str]]:
    """Every static file by name: its bytes and its content type."""
    return {path.name: (path.read_bytes(), _TYPES[path.suffix]) for path in (_HERE / "static").iterdir()}
