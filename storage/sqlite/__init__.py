"""The Store in one SQLite file."""

from storage.sqlite.simulation import Volatile
from storage.sqlite.store import SqliteReader, SqliteStore, open_reader, open_store

__all__ = ["SqliteReader", "SqliteStore", "Volatile", "open_reader", "open_store"]
