"""The note of what is being worked on: it outlives a process that dies, and no other."""

from __future__ import annotations

import errno
import os
import struct
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from storage.suspects import SLOTS, SuspectsFile

if TYPE_CHECKING:
    from pathlib import Path


SIZE = 18 * SLOTS + 8


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db.running"


def suspects(path: Path) -> dict[str, frozenset[int]]:
    """What the next process finds, the last one having died without a word."""
    return SuspectsFile(path).suspects


def test_a_first_process_suspects_nothing(path: Path) -> None:
    assert suspects(path) == {"in": frozenset(), "out": frozenset()}


def test_what_was_running_when_the_process_died_is_suspected(path: Path) -> None:
    note = SuspectsFile(path)
    for kind, row_id in (("in", 1), ("in", 2), ("in", 3), ("out", 1), ("out", 1 << 62)):
        note.mark(kind, row_id, running=True)
    note.mark("in", 2, running=False)
    note.mark("out", 9, running=False)
    assert suspects(path) == {"in": {1, 3}, "out": {1, 1 << 62}}


def test_a_clean_end_leaves_no_suspects_and_no_file(path: Path) -> None:
    note = SuspectsFile(path)
    note.mark("in", 1, running=True)
    note.mark("in", 1, running=False)
    note.close(clean=True)
    assert not path.exists()


def test_what_would_not_stop_is_suspected_after_a_clean_end_too(path: Path) -> None:
    note = SuspectsFile(path)
    note.mark("in", 1, running=True)
    note.close(clean=True)
    assert suspects(path)["in"] == {1}


def test_more_rows_than_there_are_cells_go_unnoted_and_cells_are_used_again(path: Path) -> None:
    note = SuspectsFile(path)
    for row_id in range(1, SLOTS + 10):
        note.mark("in", row_id, running=True)
    for row_id in range(1, SLOTS + 10):
        note.mark("in", row_id, running=False)
    for row_id in range(1, SLOTS + 1):
        note.mark("in", row_id + 5000, running=True)
    assert suspects(path)["in"] == set(range(5001, 5001 + SLOTS))


def test_the_two_kinds_have_cells_of_their_own(path: Path) -> None:
    note = SuspectsFile(path)
    for row_id in range(1, SLOTS + 10):
        note.mark("in", row_id, running=True)
    note.mark("out", 7, running=True)
    assert suspects(path)["out"] == {7}


@pytest.mark.parametrize(
    "size", [0, 1, 7, 8, 11, 8 * SLOTS - 3, 8 * SLOTS + 5, 16 * SLOTS, 16 * SLOTS + 100, 18 * SLOTS, SIZE + 100]
)
def test_a_file_of_any_size_is_read_as_far_as_it_goes(path: Path, size: int) -> None:
    path.write_bytes((struct.pack("<q", 42) * 2 * SLOTS + b"more" * 50)[:size])
    found = suspects(path)
    assert found["in"] == ({42} if size >= 8 else set())
    assert found["out"] == ({42} if size >= 8 * SLOTS + 8 else set())
    assert path.stat().st_size == SIZE


def test_a_death_counts_for_what_ran_and_for_no_suspect_that_waited(path: Path) -> None:
    note = SuspectsFile(path)
    for row_id in (1, 2):
        note.mark("in", row_id, running=True)
    note = SuspectsFile(path)
    assert (note.deaths("in", 1), note.deaths("in", 2), note.deaths("in", 3)) == (1, 1, 0)
    note.mark("in", 1, running=True)
    note.mark("in", 3, running=True)
    note = SuspectsFile(path)
    assert [note.deaths("in", row_id) for row_id in (1, 2, 3)] == [2, 1, 1]


def test_a_suspect_that_comes_to_its_end_leaves_its_deaths_to_no_other(path: Path) -> None:
    for _ in range(200):
        SuspectsFile(path).mark("in", 1, running=True)
    note = SuspectsFile(path)
    assert note.deaths("in", 1) == 127
    note.mark("in", 1, running=True)
    note.mark("in", 1, running=False)
    note.mark("in", 2, running=True)
    note = SuspectsFile(path)
    assert (note.deaths("in", 1), note.deaths("in", 2)) == (0, 1)


def test_the_note_of_an_older_release_names_the_suspects_of_one_death(path: Path) -> None:
    path.write_bytes(struct.pack("<q", 7).ljust(16 * SLOTS, b"\0"))
    note = SuspectsFile(path)
    assert note.suspects["in"] == {7}
    assert note.deaths("in", 7) == 1


def test_garbage_in_the_file_harms_nobody(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 40)
    note = SuspectsFile(path)
    note.mark("in", 1, running=True)
    assert suspects(path)["in"] >= {1}


def test_the_disk_has_room_for_all_of_the_note_from_the_start(path: Path) -> None:
    """A page of a sparse file that finds the disk full is a SIGBUS."""
    path.write_bytes(b"")
    os.truncate(path, SIZE)
    note = SuspectsFile(path)
    assert path.stat().st_blocks * 512 >= path.stat().st_size == SIZE
    note.close(clean=True)


@pytest.mark.parametrize("written", [None, 4096])
def test_without_room_the_note_is_kept_in_memory_and_the_last_one_stays(
    path: Path, monkeypatch: pytest.MonkeyPatch, written: int | None
) -> None:
    path.write_bytes(struct.pack("<q", 42))

    def full(*_: object) -> int:
        if written is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        return written

    monkeypatch.setattr(os, "pwrite", full)
    with capture_logs() as lines:
        note = SuspectsFile(path)
    assert [line["event"] for line in lines] == ["crash_note_unavailable"]
    assert note.suspects == {"in": {42}, "out": frozenset()}
    note.mark("in", 7, running=True)
    note.mark("in", 7, running=False)
    note.close(clean=True)
    monkeypatch.undo()
    assert suspects(path)["in"] == {42}


def test_the_newest_row_is_known_after_a_death_and_forgotten_after_a_clean_end(path: Path) -> None:
    SuspectsFile(path).reach(41)
    note = SuspectsFile(path)
    assert note.newest == 41
    note.reach(42)
    note.close(clean=False)
    last = SuspectsFile(path)
    assert last.newest == 42
    last.close(clean=True)
    assert SuspectsFile(path).newest == 0


def test_the_note_goes_through_no_link(path: Path) -> None:
    elsewhere = path.with_name("elsewhere")
    elsewhere.write_bytes(b"somebody else's")
    path.symlink_to(elsewhere)
    SuspectsFile(path).mark("in", 1, running=True)
    assert elsewhere.read_bytes() == b"somebody else's"


def test_the_note_is_for_our_eyes_only(path: Path) -> None:
    SuspectsFile(path)
    assert path.stat().st_mode & 0o777 == 0o600
