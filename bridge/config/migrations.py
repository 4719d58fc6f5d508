"""[storage] migrations: the folder with the author's own tables, read."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from bridge.errors import ConfigError, Problem
from bridge.store.migrations import Migration

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.config.load import Config

KEY: Final = "storage.migrations"
_NAME: Final = re.compile(r"(\d{4,9})_[\w-]+\.sql", re.ASCII)
_LARGEST: Final = 4 << 20


def read_migrations(config: Config) -> list[Migration]:
    """The files of the folder, by their numbers; other files than *.sql are left alone. No folder is configured: none.

    Raises:
        ConfigError: with a line for each file that cannot be one.
    """
    if config.storage.migrations is None:
        return []
    folder = config.folder / config.storage.migrations
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix == ".sql")
    except OSError as error:
        raise ConfigError([Problem(config.file, KEY, f"{folder} cannot be read: {error.strerror}")]) from None
    read: dict[int, Migration] = {}
    problems: list[Problem] = []
    for path in files:
        try:
            migration = _read(path)
            if migration is not read.setdefault(migration.number, migration):
                problems.append(
                    Problem(config.file, KEY, f"{path.name} has the number of {read[migration.number].name}")
                )
        except ValueError as error:
            problems.append(Problem(config.file, KEY, f"{path.name}: {error}"))
        except OSError as error:
            problems.append(Problem(config.file, KEY, f"{path.name} cannot be read: {error.strerror}"))
    if problems:
        raise ConfigError(problems)
    return [read[number] for number in sorted(read)]


def _read(path: Path) -> Migration:
    """One file; line ends count for nothing. Raises ValueError, OSError."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise ValueError("want a name like 0001_orders.sql")
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError("larger than 4 MiB")
    try:
        script = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8 text") from None
    return Migration(int(match[1]), path.name, script, sha256(script.encode()).hexdigest())
