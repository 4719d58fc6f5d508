"""The Store in a schema of a PostgreSQL database."""

from bridge.errors import ConfigError, Problem

try:
    import asyncpg as _asyncpg  # noqa: F401 - looked for, to say what to install
except ModuleNotFoundError as error:
    if error.name != "asyncpg":
        raise
    reason = "PostgreSQL needs asyncpg: pip install 'threadbridge[postgres]'"
    raise ConfigError([Problem("storage", "storage.url", reason)]) from None

from .backup import back_up, restore
from .copying import open_copy_source, open_copy_target
from .reading import open_reader
from .store import open_store

__all__ = ["back_up", "open_copy_source", "open_copy_target", "open_reader", "open_store", "restore"]
