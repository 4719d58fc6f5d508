"""A PostgreSQL store that somebody else owns, opened for looking into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import encryption
from .connection import Readers, address_of
from .migrations import check_readable
from .reader import Reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.store.encryption import EncryptionKey


class PostgresReader(Reader):
    """The reading half alone, for commands that look into a store that somebody else owns."""

    async def close(self) -> None:
        """Close the connections."""
        await self._source.close()


async def open_reader(url: str, keys: Sequence[EncryptionKey] = ()) -> PostgresReader:
    """The store at `url` for reading only. Raises ConfigError, Unavailable, Broken, NewerSchema."""
    readers = Readers(address_of(url))
    try:
        await check_readable(readers.fetch)
        readers.sealer = await encryption.sealer_for(readers.fetch, keys)
    except BaseException:
        await readers.close()
        raise
    return PostgresReader(readers)
