"""Which store of contents `[media] store` means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge.engine.media.contents import Folder
from bridge.errors import ConfigError, Problem

if TYPE_CHECKING:
    from bridge.engine.media.contents import Contents

S3: Final = "s3://"


def open_contents(store: str) -> Contents:
    """The contents in a folder, or in the bucket of an s3:// URL. Raises ConfigError."""
    if not store.startswith(S3):
        return Folder(Path(store))
    try:
        from bridge.engine.media.bucket import Bucket  # noqa: PLC0415 - its library is optional
    except ModuleNotFoundError:
        reason = "an s3:// URL needs obstore: pip install 'threadbridge[media-s3]'"
        raise ConfigError([Problem("media", "media.store", reason)]) from None
    return Bucket.of(store)
