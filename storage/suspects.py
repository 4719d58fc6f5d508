"""What a process that dies leaves behind: which rows it worked on, and the newest row that it committed.

A small file mapped into memory. When the process dies (kill -9, a crash in C), the kernel still holds what was
written, so the next process knows the suspects. A power cut may lose the note; no event causes a power cut.

Behind the cells, a byte for each: at how many deaths its row was running, and whether it waits for its next run.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from bridge.log import log

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

SLOTS: Final = 2048
_CELL: Final = struct.Struct("<q")
_CELL_BYTES: Final = _CELL.size
_write: Final = _CELL.pack_into
_KINDS: Final = ("in", "out")
_CELLS: Final = SLOTS * len(_KINDS)
_TAIL: Final = _CELLS * _CELL_BYTES
"""Where the bytes begin; the note of an older release ends here."""
_NEWEST: Final = _TAIL + _CELLS
_SIZE: Final = _NEWEST + _CELL_BYTES
_WAITS: Final = 0x80
_MOST_DEATHS: Final = 0x7F


_Slots: TypeAlias = "dict[str, tuple[dict[int, int], list[int]]]"
"""Of each kind the cell of each row that is marked, and the cells that are free."""


class Marks(Protocol):
    """Which rows are being worked on, and which were when the last process died."""

    suspects: dict[str, frozenset[int]]

    def deaths(self, kind: str, row_id: int) -> int:
        """At how many deaths of a process the row was running."""
        ...

    def mark(self, slot: str, row_id: int, *, running: bool) -> None:
        """Begin or end work on a row."""
        ...


class Suspects(Marks, Protocol):
    """Marks that outlive the process, and beside them the newest row that it committed."""

    newest: int

    def keep(self, kind: str, rows: Collection[int]) -> None:
        """Suspect none but `rows` any more."""
        ...

    def reach(self, number: int) -> None:
        """Note the number of the newest row that is committed."""
        ...

    def close(self, *, clean: bool) -> None:
        """The end; when it is `clean`, all that was committed is in the database itself."""
        ...


class SuspectsFile:
    """The note of one store: `SLOTS` cells for events ("in"), as many for messages ("out"), one for the newest row.

    0 is an empty cell.
    """

    def __init__(self, path: Path) -> None:
        """Go on with the note that the last process left, in place: a kill in here loses no suspect.

        Its suspects stay noted until they are marked, or not kept. So a process that dies again before it came to
        them leaves them to the next one, and counts no death for them.
        """
        self._path = path
        self._note = _opened(path)
        self._slots: _Slots = {kind: ({}, []) for kind in _KINDS}
        self._deaths: dict[tuple[str, int], int] = {}
        (self.newest,) = _CELL.unpack_from(self._note, _NEWEST)
        noted = self._note[:_TAIL]
        if not noted.strip(b"\0"):  # as after a clean end, and in a new note
            self._slots = {kind: ({}, [*range(at * SLOTS, (at + 1) * SLOTS)]) for at, kind in enumerate(_KINDS)}
            noted = b""
        for cell, (row_id,) in enumerate(_CELL.iter_unpack(noted)):
            kind = _KINDS[cell // SLOTS]
            cells, free = self._slots[kind]
            if row_id and row_id not in cells:
                cells[row_id] = cell
                deaths = self._deaths[kind, row_id] = _deaths(self._note[_TAIL + cell])
                self._note[_TAIL + cell] = _WAITS | deaths
            else:
                if row_id:  # noted twice
                    _write(self._note, cell * _CELL_BYTES, 0)
                free.append(cell)
        self.suspects: dict[str, frozenset[int]] = {kind: frozenset(cells) for kind, (cells, _) in self._slots.items()}

    def keep(self, kind: str, rows: Collection[int]) -> None:
        """Suspect none but `rows` any more: the others came to their end."""
        for row in self.suspects[kind].difference(rows):
            self.mark(kind, row, running=False)
        self.suspects[kind] = self.suspects[kind].intersection(rows)

    def deaths(self, kind: str, row_id: int) -> int:
        """At how many deaths of a process the row was running."""
        return self._deaths.get((kind, row_id), 0)

    def mark(self, slot: str, row_id: int, *, running: bool) -> None:
        """Begin or end work on a row. More rows than cells: the surplus goes unnoted."""
        cells, free = self._slots[slot]
        if not running:
            cell = cells.pop(row_id, None)
            if cell is not None:
                _write(self._note, cell * _CELL_BYTES, 0)
                free.append(cell)
        elif row_id in cells:
            self._note[_TAIL + cells[row_id]] = self.deaths(slot, row_id)
        elif free:
            cell = cells[row_id] = free.pop()
            self._note[_TAIL + cell] = self.deaths(slot, row_id) if self._deaths else 0  # first: no row has another's
            _write(self._note, cell * _CELL_BYTES, row_id)

    def reach(self, number: int) -> None:
        """Note the number of the newest row that is committed."""
        _write(self._note, _NEWEST, number)

    def close(self, *, clean: bool) -> None:
        """After a `clean` end nobody is a suspect but rows still marked, like a handler that would not stop."""
        if clean:
            self.reach(0)
        (newest,) = _CELL.unpack_from(self._note, _NEWEST)
        if isinstance(self._note, mmap.mmap):
            self._note.close()
        if not newest and not any(cells for cells, _ in self._slots.values()):
            self._path.unlink(missing_ok=True)
        self._slots = {kind: ({}, []) for kind in _KINDS}  # for a handler that outlived its bridge


def _deaths(byte: int) -> int:
    """Of a row that the last process left behind: its death counts unless the row waited."""
    return byte & _MOST_DEATHS if byte & _WAITS else min(byte + 1, _MOST_DEATHS)


def _opened(path: Path) -> mmap.mmap | bytearray:
    """The note as the last process left it: mapped, or in memory alone where the disk has no room for it.

    Each byte of the file is written once: a page of a sparse file that finds the disk full is a SIGBUS.
    """
    left = b""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            left = os.pread(file, _SIZE, 0)
            left = left[: len(left) // _CELL_BYTES * _CELL_BYTES]
            if os.pwrite(file, left.ljust(_SIZE, b"\0"), 0) < _SIZE:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.ftruncate(file, _SIZE)
            return mmap.mmap(file, _SIZE)
        finally:
            os.close(file)
    except OSError as error:
        log.warning("crash_note_unavailable", file=str(path), reason=error.strerror)
    return bytearray(left.ljust(_SIZE, b"\0"))
