"""Where the bytes of media are: each content once, under its hash. A folder; or memory, for simulations."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from bridge.engine.media.sniffing import HEAD, mime_type_of
from bridge.store.media import KeptMedium

if TYPE_CHECKING:
    from typing import IO

_CHUNK: Final = 1 << 20
_FOLDER_MODE: Final = 0o700
_ABANDONED: Final = 3600.0
"""Seconds after which a draft that nobody kept is that of a process that died."""


class NoContent(Exception):
    """No bytes are kept under that hash."""


class Draft:
    """Bytes on their way into a store of contents: written to a file, and hashed meanwhile."""

    def __init__(self, file: IO[bytes], path: Path | None = None) -> None:
        """`path` is the file's, where it has one."""
        self.file = file
        self.path = path
        self.size = 0
        self._hash = hashlib.sha256()
        self._head = b""
        self._waiting: list[bytes] = []
        self._waits = 0

    async def write(self, chunk: bytes) -> None:
        """Append bytes."""
        self._hash.update(chunk)
        self.size += len(chunk)
        if len(self._head) < HEAD:
            self._head = (self._head + chunk)[:HEAD]
        self._waiting.append(chunk)
        self._waits += len(chunk)
        if self._waits >= _CHUNK:
            await self.flush()

    async def copy(self, source: Path, limit: int) -> None:
        """Append a file, as far as `limit` and a byte more. Raises OSError."""

        def read() -> bytes:
            with source.open("rb") as file:
                return file.read(limit + 1)

        await self.write(read() if self.path is None else await asyncio.to_thread(read))

    async def flush(self) -> None:
        """Have all bytes in the file."""
        data, self._waiting, self._waits = b"".join(self._waiting), [], 0
        if data and self.path is not None:
            await asyncio.to_thread(self.file.write, data)
        elif data:
            self.file.write(data)

    @property
    def medium(self) -> KeptMedium:
        """What was written."""
        return KeptMedium(sha256=self._hash.hexdigest(), size=self.size, mime_type=mime_type_of(self._head))


class Contents(Protocol):
    """A store of contents."""

    async def begin(self) -> Draft:
        """Begin to write."""
        ...

    async def keep(self, draft: Draft) -> None:
        """Keep what was written under its hash, durably; a content that is there already is the same one."""
        ...

    async def drop(self, draft: Draft) -> None:
        """Let a draft go, whether it was kept or not."""
        ...

    async def size(self, sha256: str) -> int:
        """The bytes of a content. Raises NoContent."""
        ...

    async def read(self, sha256: str, start: int = 0, stop: int | None = None) -> bytes:
        """A content, or the part of it between two places. Raises NoContent."""
        ...

    async def open(self, sha256: str) -> BinaryIO:
        """A content as a file to read. Raises NoContent."""
        ...

    async def save(self, sha256: str, path: Path) -> None:
        """Write a content to a file. Raises NoContent."""
        ...

    async def remove(self, sha256: str) -> None:
        """Remove a content, if it is there."""
        ...

    async def tidy(self, now: float) -> None:
        """Remove the drafts of processes that died; `now` is in seconds since 1970."""
        ...


class Spooling(ABC):
    """What stores of contents have in common that write drafts to files."""

    async def begin(self) -> Draft:
        """Begin to write."""
        return await asyncio.to_thread(self._begun)

    async def drop(self, draft: Draft) -> None:
        """Let a draft go, whether it was kept or not."""

        def let_go() -> None:
            draft.file.close()
            if draft.path is not None:
                draft.path.unlink(missing_ok=True)

        await asyncio.to_thread(let_go)

    async def tidy(self, now: float) -> None:
        """Remove the drafts of processes that died; `now` is in seconds since 1970."""

        def sweep() -> None:
            for draft in self._folder().glob("draft-*"):
                with suppress(FileNotFoundError):
                    if draft.stat().st_mtime < now - _ABANDONED:
                        draft.unlink()

        await asyncio.to_thread(sweep)

    @abstractmethod
    async def open(self, sha256: str) -> BinaryIO:
        """A content as a file to read. Raises NoContent."""

    async def save(self, sha256: str, path: Path) -> None:
        """Write a content to a file. Raises NoContent."""
        with await self.open(sha256) as file:
            await asyncio.to_thread(_copy, file, path)

    @abstractmethod
    def _folder(self) -> Path:
        """Where drafts are."""

    def _begun(self) -> Draft:
        folder = self._folder()
        for place in (folder.parent, folder):
            place.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(dir=folder, prefix="draft-")
        return Draft(os.fdopen(number, "wb"), Path(name))


class Folder(Spooling):
    """Implements Contents: ab/abcd... below a folder that only its owner can read."""

    def __init__(self, root: Path) -> None:
        """The folder is made with the first draft."""
        self._root = root

    def _folder(self) -> Path:
        return self._root / "drafts"

    async def keep(self, draft: Draft) -> None:
        """Keep what was written: the file is on the disk before it has its name."""
        await draft.flush()
        await asyncio.to_thread(self._keep, draft, self._path(draft.medium.sha256))

    def _keep(self, draft: Draft, path: Path) -> None:
        assert draft.path is not None
        draft.file.flush()
        os.fsync(draft.file.fileno())
        path.parent.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        with suppress(FileExistsError):
            path.hardlink_to(draft.path)
        for folder in (path.parent, self._root):
            _sync(folder)

    async def size(self, sha256: str) -> int:
        """The bytes of a content. Raises NoContent."""
        try:
            return (await asyncio.to_thread(self._path(sha256).stat)).st_size
        except FileNotFoundError:
            raise NoContent(sha256) from None

    async def read(self, sha256: str, start: int = 0, stop: int | None = None) -> bytes:
        """A content, or a part of it. Raises NoContent."""

        def part() -> bytes:
            with self._path(sha256).open("rb") as file:
                file.seek(start)
                return file.read(-1 if stop is None else stop - start)

        try:
            return await asyncio.to_thread(part)
        except FileNotFoundError:
            raise NoContent(sha256) from None

    async def open(self, sha256: str) -> BinaryIO:
        """A content as a file to read. Raises NoContent."""
        try:
            return await asyncio.to_thread(self._path(sha256).open, "rb")
        except FileNotFoundError:
            raise NoContent(sha256) from None

    async def remove(self, sha256: str) -> None:
        """Remove a content, if it is there."""
        await asyncio.to_thread(self._path(sha256).unlink, missing_ok=True)

    def _path(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256


class Memory:
    """Implements Contents, and forgets all with the process."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    def __len__(self) -> int:
        return len(self._contents)

    async def begin(self) -> Draft:
        """Begin to write."""
        return Draft(io.BytesIO())

    async def keep(self, draft: Draft) -> None:
        """Keep what was written."""
        await draft.flush()
        assert isinstance(draft.file, io.BytesIO)
        self._contents[draft.medium.sha256] = draft.file.getvalue()

    async def drop(self, draft: Draft) -> None:
        """Let a draft go."""
        draft.file.close()

    async def size(self, sha256: str) -> int:
        """The bytes of a content. Raises NoContent."""
        return len(await self.read(sha256))

    async def read(self, sha256: str, start: int = 0, stop: int | None = None) -> bytes:
        """A content, or a part of it. Raises NoContent."""
        if sha256 not in self._contents:
            raise NoContent(sha256)
        return self._contents[sha256][start:stop]

    async def open(self, sha256: str) -> BinaryIO:
        """A content as a file to read. Raises NoContent."""
        return io.BytesIO(await self.read(sha256))

    async def save(self, sha256: str, path: Path) -> None:
        """Write a content to a file. Raises NoContent."""
        _copy(await self.open(sha256), path)

    async def remove(self, sha256: str) -> None:
        """Remove a content, if it is there."""
        self._contents.pop(sha256, None)

    async def tidy(self, now: float) -> None:
        """A draft dies with its process."""


def _copy(source: BinaryIO, path: Path) -> None:
    with path.open("wb") as target:
        shutil.copyfileobj(source, target, _CHUNK)


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
