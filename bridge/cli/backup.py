"""`threadbridge backup` and `threadbridge restore`: the conversations in one file, and back."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from bridge.cli.looking import OfDemo, OfDev, StoreUrl, looked_at
from bridge.cli.output import DEFAULT, ConfigFile, complain, exits, leave, say, time_of
from bridge.clock import SystemClock
from bridge.config.load import load_config
from bridge.engine.restoring import settle_in
from bridge.errors import ConfigError, Problem
from bridge.store.backup import TAKEN, BackupRefused, backup_type
from bridge.store.opening import open_store

if TYPE_CHECKING:
    from bridge.config.load import Config
    from bridge.engine.restoring import Restored

File = Annotated[Path, typer.Argument(metavar="FILE", help="The file that becomes the backup; it must not exist.")]
Made = Annotated[Path | None, typer.Argument(metavar="FILE", help="The backup; none where the store is in place.")]
Sends = Annotated[
    bool, typer.Option("--send", help="Send the messages that wait: no bridge has run since the backup was made.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
_REFUSED: Final = 1
_EACH: Final = 5.0
"""Seconds between two lines of progress."""


def backup(
    file: File, config: ConfigFile = DEFAULT, store: StoreUrl = None, dev: OfDev = False, demo: OfDemo = False
) -> None:
    """Back the conversations up into one file, also while the bridge runs.

    The backup is opened, checked and counted before it gets its name. Files of `[media]` are not in it. For PostgreSQL
    use `pg_dump`.

    Example: `threadbridge backup /var/backups/threadbridge/monday.db`
    """
    with exits():
        url = looked_at(config, store, dev=dev, demo=demo, accounts=False).storage.url
        told = time.monotonic()

        def tell(done: int, total: int) -> None:
            nonlocal told
            if (now := time.monotonic()) - told >= _EACH:
                told = now
                complain(f"{100 * done // max(total, 1)} percent")

        try:
            made = backup_type(url).back_up(url, file, SystemClock().now(), tell)
        except BackupRefused as error:
            _refuse(error)
        say(f"ok: {file} has {sum(made.rows.values()):,} rows, as of {time_of(made.taken_at)}")


def restore(file: Made = None, sends: Sends = False, yes: Yes = False, config: ConfigFile = DEFAULT) -> None:
    """Make the store out of a backup, and hold back messages that may have been sent since.

    There must be no store yet: move the old one away first, with its -wal and -shm. Messages that waited in the backup
    become dead letters: `dead replay` sends them under the keys that they had, and `dead drop` lets them go.

    Without FILE the store is in its place already, as after `pg_restore`. Never start the bridge on the old store
    again.

    Example: `threadbridge restore /var/backups/threadbridge/monday.db`
    """
    with exits():
        loaded = load_config(config, accounts=False)
        parts = loaded.by_database()
        if len(parts) > 1:
            reason = "there are several databases: restore each with a configuration of its own"
            raise ConfigError([Problem(loaded.file, "storage.shards", reason)])
        if file is None and not yes and not typer.confirm("Hold back the messages that wait in the store?"):
            leave(_REFUSED)
        if file is not None:
            try:
                backup_type(loaded.storage.url).restore(file, loaded.storage.url)
            except BackupRefused as error:
                _refuse(error)
        restored, taken_at = asyncio.run(_settle_in(loaded, sends=sends))
        _report(restored, taken_at, sends=sends)


def _refuse(error: BackupRefused) -> NoReturn:
    complain(str(error))
    leave(_REFUSED)


async def _settle_in(config: Config, *, sends: bool) -> tuple[Restored, int]:
    store = await open_store(config.storage.url, config.storage.keys)
    try:
        taken_at = int(await store.cursor("", TAKEN) or 0)
        return await settle_in(store, SystemClock().now(), sends=sends), taken_at
    finally:
        await store.close()


def _report(restored: Restored, taken_at: int, *, sends: bool) -> None:
    since = f"of {time_of(taken_at)}" if taken_at else "of an unknown time"
    say(f"ok: the store is a copy {since}")
    if not sends:
        say(f"messages that waited, and are held back (see `threadbridge dead list`): {restored.held:,}")
    say(f"events that have their turns at the start, with answers under the same keys as before: {restored.events:,}")
    say("what was said and sent after that time is not known here: events that come again are handled again")
