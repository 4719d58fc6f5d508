"""The Store in a schema of a PostgreSQL database."""

from typing import TYPE_CHECKING

from bridge.errors import ConfigError, Problem
from bridge.late_names import late_names

try:
    import asyncpg as _asyncpg  # noqa: F401 - looked for, to say what to install
except ModuleNotFoundError as error:
    if error.name != "asyncpg":
        raise
    reason = "PostgreSQL needs asyncpg: pip install 'threadbridge[postgres]'"
    raise ConfigError([Problem("storage", "storage.url", reason)]) from None

from .reading import open_reader
from .store import open_store

if TYPE_CHECKING:
    from .backup import back_up, restore
    from .copying import open_copy_source, open_copy_target
else:  # as of storage.sqlite
    __getattr__ = late_names(
        __name__,
        {"back_up": "backup", "open_copy_source": "copying", "open_copy_target": "copying", "restore": "backup"},
    )

__all__ = ["back_up", "open_copy_source", "open_copy_target", "open_reader", "open_store", "restore"]
