"""The Store in one SQLite file."""

from .backup import back_up, restore
from .copying import open_copy_source, open_copy_target
from .simulation import Volatile
from .store import SqliteReader, SqliteStore, open_reader, open_store

__all__ = [
    "SqliteReader",
    "SqliteStore",
    "Volatile",
    "back_up",
    "open_copy_source",
    "open_copy_target",
    "open_reader",
    "open_store",
    "restore",
]
