"""Single rows, looked up by their ids."""

from __future__ import annotations

from typing import Final

from ..records import INBOX, OUTBOX, THREAD

ONE_THREAD: Final = f"SELECT {THREAD} FROM threads t WHERE t.id = $1"
ONE_EVENT: Final = f"SELECT {INBOX} FROM inbox i JOIN threads t ON t.id = i.thread_id WHERE i.id = $1"
ONE_MESSAGE: Final = f"SELECT {OUTBOX} FROM outbox o JOIN threads t ON t.id = o.thread_id WHERE o.id = $1"
