"""The console's static files, read once; their addresses change with their bytes, so browsers may keep them."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_HERE: Final = Path(__file__).parent
_FOLDERS: Final = (_HERE / "static", _HERE / "vendor")
_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Asset(NamedTuple):
    """A static file; `version` is what its address ends with."""

    content: bytes
    content_type: str
    version: str


@cache
def assets() -> Mapping[str, Asset]:
    """Every static file by name."""
    files = [file for folder in _FOLDERS for file in folder.iterdir() if file.suffix in _TYPES]
    contents = {file.name: (file.read_bytes(), _TYPES[file.suffix]) for file in files}
    return {name: Asset(content, kind, sha256(content).hexdigest()[:12]) for name, (content, kind) in contents.items()}
