"""The Store in one SQLite file."""

from typing import TYPE_CHECKING

from bridge.late_names import late_names

from .store import SqliteReader, SqliteStore, open_reader, open_store

if TYPE_CHECKING:
    from .backup import back_up, restore
    from .copying import open_copy_source, open_copy_target
    from .simulation import Volatile
else:  # a bridge that serves needs none of these: 0.2 MB
    __getattr__ = late_names(
        __name__,
        {
            "Volatile": "simulation",
            "back_up": "backup",
            "open_copy_source": "copying",
            "open_copy_target": "copying",
            "restore": "backup",
        },
    )

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
