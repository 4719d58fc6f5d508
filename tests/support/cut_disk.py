"""A disk whose power can be cut: an ext4 file system in a file, shut down without writing back what it holds."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHUTDOWN, _NO_FLUSH = 0x8004587D, 2
"""EXT4_IOC_SHUTDOWN, and EXT4_GOING_FLAGS_NOLOGFLUSH: the journal is lost, too. See the kernel's fs/ext4/ext4.h."""
_BYTES: Final = 512 * 2**20


class CutDisk:
    """Mounted at `path`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "disk"
        self._image = folder / "image"

    def make(self) -> None:
        """An empty one."""
        self.path.mkdir()
        with self._image.open("wb") as image:
            image.truncate(_BYTES)
        _run("mkfs.ext4", "-q", "-F", str(self._image))
        self._mount()
        self.path.chmod(0o755)

    def cut(self) -> None:
        """From now on every access fails; what was not synced is lost."""
        folder = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, _SHUTDOWN, _NO_FLUSH.to_bytes(4, "little"))
        finally:
            os.close(folder)

    def switch_on(self) -> None:
        """The power is back. Whoever had a file open must be gone."""
        _run("umount", str(self.path))
        self._mount()

    def remove(self) -> None:
        with suppress(subprocess.CalledProcessError):
            _run("umount", "-l", str(self.path))

    def _mount(self) -> None:
        _run("mount", "-o", "loop", str(self._image), str(self.path))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def cut_disk() -> Iterator[CutDisk]:
    """A disk that is gone afterwards; without the right to mount one, the test is skipped."""
    if os.geteuid() or not shutil.which("mkfs.ext4"):
        pytest.skip("only root can mount a disk, and mkfs.ext4 makes it")
    with tempfile.TemporaryDirectory(prefix="tb-disk-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        disk = CutDisk(Path(folder))
        try:
            disk.make()
        except (subprocess.CalledProcessError, OSError) as error:
            pytest.skip(f"no disk can be mounted here: {error}")
        try:
            yield disk
        finally:
            disk.remove()
