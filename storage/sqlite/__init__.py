"""The Store in one SQLite file."""

from .simulation import Volatile
from .store import SqliteReader, SqliteStore, open_reader, open_store

__all__ = ["SqliteReader", "SqliteStore", "Volatile", "open_reader", "open_store"]
