"""An auto-responder without code: `[handlers] load = ["auto:replies.toml"]` answers as the file says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge import SettingsFile

from .checks import mistakes
from .model import Replies
from .responder import Responder

if TYPE_CHECKING:
    from pathlib import Path

    from bridge import Router

__all__ = ["Replies", "read_router"]


def read_router(path: Path) -> Router:
    """The rules of a file. Raises ConfigError: each mistake with its line."""
    file = SettingsFile.read(path)
    replies = file.load(Replies)
    file.refuse(mistakes(replies))
    return Responder(replies, path.stem).router()
