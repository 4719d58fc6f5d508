"""Which rows are being worked on in this very moment: a note that outlives the process, at no disk wait.

A small file mapped into memory. When the process dies (kill -9, a crash in C), the kernel still holds what was
written, so the next process knows the suspects. A power cut may lose the note; no event causes a power cut.
"""

from __future__ import annotations

import mmap
import struct
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

SLOTS: Final = 2048
_CELL: Final = struct.Struct("<q")
_KINDS: Final = ("in", "out")


class Suspects(Protocol):
    """Which rows are being worked on, and which were when the last process died."""

    suspects: dict[str, frozenset[int]]

    def keep(self, kind: str, rows: Collection[int]) -> None:
        """Suspect none but `rows` any more."""
        ...

    def mark(self, kind: str, row_id: int, *, running: bool) -> None:
        """Begin or end work on a row."""
        ...

    def close(self) -> None:
        """A clean end."""
        ...


class SuspectsFile:
    """The note of one store: `SLOTS` cells for events ("in"), as many for messages ("out"); 0 is an empty cell."""

    def __init__(self, path: Path) -> None:
        """Read what the last process left behind. Its suspects stay noted until they are marked, or not kept.

        So a process that dies again before it came to them leaves them to the next one.
        """
        size = SLOTS * _CELL.size * len(_KINDS)
        old = path.read_bytes() if path.exists() else b""
        self.suspects: dict[str, frozenset[int]] = {}
        for index, kind in enumerate(_KINDS):
            part = old[index * SLOTS * _CELL.size : (index + 1) * SLOTS * _CELL.size]
            whole = part[: len(part) // _CELL.size * _CELL.size]
            self.suspects[kind] = frozenset(row for (row,) in _CELL.iter_unpack(whole) if row)
        self._path = path
        self._free = {kind: list(range(index * SLOTS, (index + 1) * SLOTS)) for index, kind in enumerate(_KINDS)}
        self._cells: dict[tuple[str, int], int] = {}
        fresh = path.with_name(f"{path.name}.new")
        fresh.touch(mode=0o600)
        with fresh.open("r+b") as file:
            file.truncate(0)
            file.truncate(size)
            self._map = mmap.mmap(file.fileno(), size)
        for kind, rows in self.suspects.items():
            for row in rows:
                self.mark(kind, row, running=True)
        fresh.replace(path)  # whole, or not at all: a kill in here loses no suspect

    def keep(self, kind: str, rows: Collection[int]) -> None:
        """Suspect none but `rows` any more: the others came to their end."""
        for row in self.suspects[kind].difference(rows):
            self.mark(kind, row, running=False)
        self.suspects[kind] = self.suspects[kind].intersection(rows)

    def mark(self, kind: str, row_id: int, *, running: bool) -> None:
        """Begin or end work on a row. More rows than cells: the surplus goes unnoted."""
        if running:
            if self._free[kind] and (kind, row_id) not in self._cells:
                cell = self._cells[kind, row_id] = self._free[kind].pop()
                _CELL.pack_into(self._map, cell * _CELL.size, row_id)
            return
        cell = self._cells.pop((kind, row_id), -1)
        if cell >= 0:
            _CELL.pack_into(self._map, cell * _CELL.size, 0)
            self._free[kind].append(cell)

    def close(self) -> None:
        """A clean end: nobody is a suspect but rows still marked, like a handler that would not stop."""
        left = bool(self._cells)
        self._map.close()
        if not left:
            self._path.unlink(missing_ok=True)
