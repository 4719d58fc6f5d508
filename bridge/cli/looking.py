"""The store that a looking command looks into: the one in use, unless an option names another."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import quote

import typer

from bridge.cli.control import Control
from bridge.cli.output import complain
from bridge.config.load import Config, load_config

if TYPE_CHECKING:
    from collections.abc import Iterator

DEV_STORE: Final = "threadbridge-dev.db"
DEMO_STORE: Final = "threadbridge-demo.db"

StoreUrl = Annotated[
    str | None, typer.Option("--store", metavar="URL", help="Look into this store, like sqlite:///copy.db.")
]
OfDev = Annotated[bool, typer.Option("--dev", help="Look into the store of `threadbridge dev`.")]
OfDemo = Annotated[bool, typer.Option("--demo", help="Look into the store of `threadbridge demo`, in this folder.")]


def looked_at(
    file: Path, store: str | None = None, *, dev: bool = False, demo: bool = False, accounts: bool = True
) -> Config:
    """The configuration with the store to look into.

    Without an option it is the store that a running bridge uses: the configured one, or that of `dev` or `demo`.

    Raises:
        ConfigError: the configuration or the URL cannot be used.
    """
    if store is not None or demo:
        named = Config.from_dict({"storage": {"url": store or _url(Path.cwd() / DEMO_STORE)}}, file="--store")
        return with_keys(named, file)
    config = load_config(file, accounts=accounts)
    if dev:
        return _with(config, config.folder / DEV_STORE)
    if others := set(config.storage.shards.values()) - {config.storage.url}:
        complain(f"other accounts are in {', '.join(sorted(url.partition('?')[0] for url in others))}: --store URL")
    if not _is_used(config.storage.file):
        for database in _others(config):
            if _is_used(database):
                complain(f"no bridge runs on the configured store; this is {database}, which one uses")
                return _with(config, database)
    return config


def with_keys(config: Config, file: Path) -> Config:
    """A configuration with the encryption keys of a file, if there is one: another store may be a copy of its own."""
    if not file.exists():
        return config
    keys = load_config(file, accounts=False).storage.encryption_keys
    return replace(config, storage=config.storage.model_copy(update={"encryption_keys": keys}))


def _others(config: Config) -> Iterator[Path]:
    yield config.folder / DEV_STORE
    yield Path.cwd() / DEMO_STORE


def _is_used(database: Path | None) -> bool:
    """Whether a bridge listens for the database; a store that is no file is used for all that is known here."""
    return database is None or Control(database).listens()


def _with(config: Config, database: Path) -> Config:
    return replace(config, storage=config.storage.model_copy(update={"url": _url(database)}))


def _url(database: Path) -> str:
    return f"sqlite:///{quote(os.fsencode(database))}"
