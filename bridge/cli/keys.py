"""`threadbridge keys`: a key for encryption at rest, and all values under the newest one."""

from __future__ import annotations

import asyncio
import base64
import os
from typing import TYPE_CHECKING, Final

import typer

from bridge.cli.commands import Command, Group
from bridge.cli.housekeeping import housekeeper
from bridge.cli.output import DEFAULT, ConfigFile, complain, exits, leave, say
from bridge.cli.threads import no_store_yet
from bridge.config.load import load_config
from bridge.store.encryption import KEY_BYTES, PLAIN
from bridge.store.opening import open_reader

if TYPE_CHECKING:
    from bridge.config.load import Config

keys = typer.Typer(
    cls=Group, no_args_is_help=True, help="Make a key for encryption at rest, and bring all values under the newest."
)
_TOLD_AT: Final = 10_000
"""Rows between two lines of progress."""


@keys.command(cls=Command)
def new() -> None:
    """Print a new key, which nobody else has: base64 of 32 random bytes.

    Example: `threadbridge keys new > /etc/threadbridge/storage.key`
    """
    say(base64.b64encode(os.urandom(KEY_BYTES)).decode())


@keys.command(cls=Command)
def rotate(config: ConfigFile = DEFAULT) -> None:
    """Encrypt everything in the store under the first of `encryption_keys`.

    This encrypts what was stored before there was a key, and what is under an older key. The older keys can be left
    out afterwards.

    A running bridge does this beside its work: restart it with the new key first. Otherwise the command opens the
    store itself. After an interruption the same command continues.

    Example: `threadbridge keys rotate -c shop/threadbridge.toml`
    """
    with exits():
        loaded = load_config(config, accounts=False)
        if not loaded.storage.keys:
            complain("[storage] encryption_keys is empty: `threadbridge keys new` prints a key for it")
            leave(1)
        for part in loaded.by_database():
            if not no_store_yet(part):
                asyncio.run(_rotate(part))


async def _rotate(config: Config) -> None:
    rows = told = changed = 0
    async with housekeeper(config) as keeper:
        while True:
            resealed = await keeper.reseal()
            rows, changed = rows + resealed.looked_at, changed + resealed.changed
            if rows - told >= _TOLD_AT:
                told = rows
                complain(f"{rows:,} rows so far, {changed:,} encrypted anew")
            if not resealed.more:
                break
        wiped = await keeper.wipe()
    newest = config.storage.keys[0].id
    left = {key_id: count for key_id, count in (await _under(config)).items() if key_id != newest}
    if not wiped:
        complain("a program reads the database: its log still holds what was there, until that program ends")
    for key_id, count in left.items():
        complain(f"{count:,} values are {f'under the key {key_id}' if key_id != PLAIN else 'not encrypted'}")
    if left:
        complain("does the running bridge have the new key? Restart it, and give the same command again")
        leave(1)
    say(f"ok: {changed:,} of {rows:,} rows encrypted anew, all under the key {newest}")


async def _under(config: Config) -> dict[str, int]:
    store = await open_reader(config.storage.url, config.storage.keys)
    try:
        return dict(await store.encrypted_under())
    finally:
        await store.close()
