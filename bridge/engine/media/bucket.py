"""The contents of media in a bucket of an S3-compatible store."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from obstore.exceptions import BaseError
from obstore.store import S3Store

from bridge.engine.media.contents import NoContent, Spooling
from bridge.errors import ConfigError, Problem

if TYPE_CHECKING:
    from obstore.store import ObjectStore

    from bridge.engine.media.contents import Draft

_IN_MEMORY: Final = 1 << 20
_CHUNK: Final = 1 << 20


class Bucket(Spooling):
    """Implements Contents. Drafts are local files; what is kept is an object under its hash."""

    def __init__(self, objects: ObjectStore) -> None:
        """The bucket, or a folder of it."""
        self._objects = objects
        self._drafts = Path(tempfile.gettempdir()) / "threadbridge-media"

    @classmethod
    def of(cls, url: str) -> Bucket:
        """The bucket of s3://bucket/folder; the environment (AWS_...) has its server and keys. Raises ConfigError."""
        try:
            return cls(S3Store.from_url(url))
        except BaseError as error:
            raise ConfigError([Problem("media", "media.store", f"no bucket to open: {type(error).__name__}")]) from None

    def _folder(self) -> Path:
        return self._drafts

    async def keep(self, draft: Draft) -> None:
        """Upload what was written."""
        await draft.flush()
        assert draft.path is not None
        await asyncio.to_thread(draft.file.flush)
        try:
            await self._objects.put_async(draft.medium.sha256, draft.path)
        except BaseError as error:
            raise _away(error) from None

    async def size(self, sha256: str) -> int:
        """The bytes of a content. Raises NoContent."""
        try:
            return (await self._objects.head_async(sha256))["size"]
        except FileNotFoundError:
            raise NoContent(sha256) from None
        except BaseError as error:
            raise _away(error) from None

    async def read(self, sha256: str, start: int = 0, stop: int | None = None) -> bytes:
        """A content, or a part of it. Raises NoContent."""
        try:
            end = stop if stop is not None else await self.size(sha256)
            if end <= start:
                return b""
            return bytes(await self._objects.get_range_async(sha256, start=start, end=end))
        except FileNotFoundError:
            raise NoContent(sha256) from None
        except BaseError as error:
            raise _away(error) from None

    async def open(self, sha256: str) -> BinaryIO:
        """A content as a file to read: a temporary copy. Raises NoContent."""
        file = cast("BinaryIO", tempfile.SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115 - its reader closes it
        try:
            await self._download(sha256, file)
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

    async def _download(self, sha256: str, file: BinaryIO) -> None:
        try:
            answer = await self._objects.get_async(sha256)
            async for chunk in answer.stream(min_chunk_size=_CHUNK):
                await asyncio.to_thread(file.write, bytes(chunk))
        except FileNotFoundError:
            raise NoContent(sha256) from None
        except BaseError as error:
            raise _away(error) from None

    async def remove(self, sha256: str) -> None:
        """Remove a content, if it is there."""
        try:
            await self._objects.delete_async(sha256)
        except FileNotFoundError:
            return
        except BaseError as error:
            raise _away(error) from None


def _away(error: Exception) -> OSError:
    return OSError(f"the bucket answers with {type(error).__name__}")
