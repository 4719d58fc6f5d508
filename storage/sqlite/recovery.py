"""After a process that did not end cleanly: is all there that it had acknowledged?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from bridge.errors import Broken

from .cache import newest_row
from .connection import connect, execute

if TYPE_CHECKING:
    from pathlib import Path

_LOST: Final = (
    "{path} lacks what the last process had acknowledged: it ends at number {present}, and that process at {newest}. "
    "Was the file, or {path}-wal, deleted, damaged or replaced? Put both back as they were. "
    "To start without what is lost, delete {path}.running"
)


async def refuse_loss(path: Path, newest: int) -> None:
    """Look for the newest row that the last process noted, before anything is written.

    Opening a database for writing ends its log where that makes no sense, and closing it deletes the log.

    Raises:
        Broken: the row is gone.
    """
    if not newest:
        return
    present = 0
    if await asyncio.to_thread(path.exists):
        looking = await connect(str(path), read_only=True)
        try:
            present = await execute(looking, newest_row)
        finally:
            await looking.close()
    if present < newest:
        raise Broken(_LOST.format(path=path, present=present, newest=newest))
