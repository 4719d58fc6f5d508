"""What both ends of the control socket agree on: its path, and the answers to an unknown id."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_FOUND: Final = "there is no dead letter of that id"
NO_DIALOG: Final = "no dialog waits in a conversation of that id"
NO_THREAD: Final = "there is no conversation of that id"
NO_JOB: Final = "there is no job of that name"
NO_CONTACT: Final = "there is no such contact"
ONE_PERSON: Final = "the two are one person already"
NOT_MERGED: Final = "it is merged into no other contact"
STATUS: Final = "/status"
"""GET: {"pid", "ready", "accounts": {name: why it is paused}, "handlers": {name: why it is paused}}."""
SEND: Final = "/messages"
"""POST {"account", "to", "message", "channel", "at", "key"}; the last three may be null. Answers {"ok", "id"}."""
KEEP: Final = "/housekeeping/{verb}"
"""POST a JSON object to the store's housekeeping; answers with one. See bridge.app.housekeeping."""
BROADCAST: Final = "/broadcasts/{verb}"
"""POST a JSON object to what makes broadcasts; answers with one. See bridge.app.broadcasting."""
_DIGITS: Final = 18
"""A number of more is the id of nothing."""
_LONGEST: Final = 100
"""Bytes a socket's path may have on every system we know (Linux 107, macOS 103)."""


def socket_path(database: Path) -> Path:
    """Where the bridge that owns a database listens: `<database>.sock`."""
    return database.with_name(f"{database.name}.sock")


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A name for `path` that is short enough for a socket's address: deep folders are reached by their descriptor.

    Raises:
        OSError: the folder is not there, or the path is too long for a socket on this system.
    """
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    if not Path("/proc/self/fd").is_dir():
        raise OSError(errno.ENAMETOOLONG, f"longer than the {_LONGEST} bytes a socket's path may have", str(path))
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def number_of(text: str) -> int | None:
    """The id of a thread or a contact as it is typed; None for what can be none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS else None
