"""The Store in one SQLite file."""

from storage.sqlite.store import SqliteReader, SqliteStore, open_reader, open_store
from storage.sqlite.volatile import Volatile

__all__ = ["SqliteReader", "SqliteStore", "Volatile", "open_reader", "open_store"]
