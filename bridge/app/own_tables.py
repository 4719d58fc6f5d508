"""The author's own tables: brought up to date before anything else happens in a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.config.migrations import KEY, read_migrations
from bridge.errors import ConfigError, HandlerError, Problem
from bridge.log import log
from bridge.store.migrations import differences, pending

if TYPE_CHECKING:
    from bridge.config.load import Config
    from bridge.store.port import Store


async def migrate(store: Store, config: Config, at: int) -> int:
    """Apply the migrations that the store has not seen, each in a transaction; how many there were.

    Raises:
        ConfigError: the folder does not go on where the store is, or one of the migrations fails.
    """
    migrations = read_migrations(config)
    if not migrations and config.storage.migrations is None:
        return 0
    applied = await store.migrations()
    if problems := [Problem(config.file, KEY, reason) for reason in differences(migrations, applied)]:
        raise ConfigError(problems)
    count = 0
    for migration in pending(migrations, applied):
        try:
            count += await store.migrate(migration, at)
        except HandlerError as error:
            raise ConfigError([Problem(config.file, KEY, f"{migration.name}: {error}")]) from None
        log.info("own_tables_migrated", file=migration.name)
    return count
