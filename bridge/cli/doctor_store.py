"""How the store of a bridge stands: its file, what waits in it, its process, and fields that its webhooks had not."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from functools import partial
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.cli.control import Control
from bridge.cli.findings import Finding, fine, not_asked, problem, warning
from bridge.cli.output import time_of
from bridge.errors import ConfigError, StoreError, Unavailable
from bridge.messages import Button
from bridge.providers.registry import emulator_type
from bridge.store.encryption import PLAIN
from bridge.store.opening import open_reader
from bridge.store.shapes import new_fields, paths
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from bridge.config.load import Config
    from bridge.providers.port import Emulator
    from bridge.store.looks import AccountSummary
    from bridge.store.port import StoreReader
    from bridge.store.shapes import RawWebhook

MIB: Final = 1 << 20
LITTLE: Final = 1024 * MIB
"""Bytes free on a disk below which a person should look."""
LEAST: Final = 128 * MIB
"""Bytes free below which the next day may be the last."""
WAL_GROWN: Final = 256 * MIB
"""Bytes of write-ahead log that only a reader that does not end explains."""
LATE: Final = 5 * 60 * SECOND
"""How long something may wait before a person should look."""
NEWEST: Final = 5000
"""Webhooks of late that are looked at for new fields; as many older ones are looked at in samples."""
SAMPLES: Final = 20
_SHOWN: Final = 10
"""New fields of an account that have a line."""


async def of_store(config: Config, now: int) -> list[Finding]:
    """Everything that the store and its process tell. `now` is in microseconds."""
    database = config.storage.file
    findings = [*_files(database)] if database is not None else []
    if database is not None and not database.exists():
        return [*findings, not_asked("store", f"{database} is not made yet: the first `threadbridge run` does that")]
    try:
        store = await open_reader(config.storage.url, config.storage.keys)
    except ConfigError as error:
        return [*findings, *(problem("store", one.reason, "set [storage] encryption_keys") for one in error.problems)]
    except Unavailable as error:
        return [*findings, problem("store", f"{error}", "start its server, or correct [storage] url")]
    except StoreError as error:
        return [*findings, problem("store", f"{error}", "restore a backup, or the threadbridge that wrote it")]
    try:
        findings.append(await _encryption(config, store))
        findings += _process(database, await store.processes())
        for summary in await store.accounts():
            findings += _waiting(summary, now)
        findings += _drift(config, await looked_through(store))
    finally:
        await store.close()
    return findings


def _files(database: Path) -> Iterator[Finding]:
    """The disk and the files of an SQLite store."""
    folder = database.parent
    if folder.is_dir():
        free = shutil.disk_usage(folder).free
        about = f"{free // MIB:,} MiB free at {folder}"
        if free < LEAST:
            yield problem("disk", about, "make room: without it no webhook is taken")
        else:
            yield warning("disk", about, "make room soon") if free < LITTLE else fine("disk", about)
    wal = database.with_name(f"{database.name}-wal")
    size = wal.stat().st_size if wal.exists() else 0
    about = f"the write-ahead log has {size // MIB:,} MiB"
    if size < WAL_GROWN:
        yield fine("log", about)
    else:
        yield warning("log", about, f"end the program that keeps {database.name} open, like a forgotten shell")
    if database.exists() and not os.access(database, os.R_OK | os.W_OK):
        yield problem("store", f"this user cannot write {database}", "be the bridge's user, or chown the file")


async def _encryption(config: Config, store: StoreReader) -> Finding:
    """Under which keys the values of the store are."""
    if not config.storage.keys:
        return fine("encryption", "the store is not encrypted")
    newest = config.storage.keys[0].id
    under = await store.encrypted_under()
    about = "; ".join(
        f"{count:,} values are {f'under the key {key_id}' if key_id != PLAIN else 'not encrypted'}"
        for key_id, count in sorted(under.items())
    )
    if under.keys() <= {newest}:
        return fine("encryption", about or f"nothing is stored yet; the key is {newest}")
    return warning("encryption", f"{about}; the newest key is {newest}", "`threadbridge keys rotate`")


def _process(database: Path | None, processes: Sequence[str]) -> Iterator[Finding]:
    """Who works with the store, and what is paused there."""
    if database is None:
        names = ", ".join(processes)
        yield fine("process", names) if names else warning("process", "no bridge runs", "start `threadbridge run`")
        return
    try:
        status = Control(database).status()
    except ConnectionRefusedError:
        yield _absent(database)
        return
    except (OSError, Unavailable) as error:
        yield warning("process", f"a bridge may run: {error}", "run doctor as the bridge's user")
        return
    yield from _running(status)


def _absent(database: Path) -> Finding:
    """No bridge listens; the lock file may name one that lives all the same."""
    with suppress(OSError, ValueError):
        holder = int(database.with_name(f"{database.name}.lock").read_text("ascii"))
        if holder != os.getpid() and _lives(holder):
            return warning("process", f"process {holder} may have the store and does not listen", "look what it does")
    return warning("process", "no bridge runs", "start `threadbridge run`")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _running(status: Mapping[str, Any]) -> Iterator[Finding]:
    if status["ready"]:
        yield fine("process", f"process {status['pid']} is ready")
    else:
        yield problem("process", f"process {status['pid']} takes no webhook", "read its log: it stops, or cannot write")
    for name, reason in status["accounts"].items():
        yield problem(f"account {name}", f"paused: {reason}", "mend that; sending goes on by itself")
    for name, reason in status["handlers"].items():
        yield problem(f"handler {name}", f"paused: {reason}", "mend the handler; its events go on by themselves")


def _waiting(summary: AccountSummary, now: int) -> Iterator[Finding]:
    waits = f"{summary.open_events} events and {summary.open_messages} messages wait"
    if summary.oldest is None:
        yield fine(f"account {summary.account}", "nothing waits")
    elif now - summary.oldest > LATE:
        about = f"{waits}, the oldest since {time_of(summary.oldest)}"
        yield warning(f"account {summary.account}", about, "`threadbridge threads` tells why each conversation waits")
    else:
        yield fine(f"account {summary.account}", waits)
    if summary.dead:
        about = f"{summary.dead} dead letters"
        yield warning(f"account {summary.account}", about, f"`threadbridge dead list --account {summary.account}`")


async def looked_through(store: StoreReader) -> list[RawWebhook]:
    """The newest webhooks, and samples of the ones before."""
    webhooks = await store.raws(NEWEST)
    if len(webhooks) == NEWEST:
        first = webhooks[-1].id
        for sample in range(SAMPLES, 0, -1):
            webhooks += await store.raws(NEWEST // SAMPLES, before=first * sample // SAMPLES)
    return [*{webhook.id: webhook for webhook in webhooks}.values()]


def _drift(config: Config, webhooks: Sequence[RawWebhook]) -> Iterator[Finding]:
    """Fields that an account's webhooks have of late, and had not before."""
    found = new_fields(webhooks, _documented(config))
    if not found:
        yield fine("fields", f"no new field in the {len(webhooks):,} webhooks that were looked at")
    shown: dict[str, int] = {}
    for new in found:
        shown[new.account] = shown.get(new.account, 0) + 1
        if shown[new.account] <= _SHOWN:
            about = (
                f"{new.path} is new since {time_of(new.since)}, in {new.seen} webhooks; {new.after:,} before had none"
            )
            yield warning(f"account {new.account}", about, "read the gateway's changes: a rule may want it")
    for account, number in shown.items():
        if number > _SHOWN:
            yield warning(f"account {account}", f"{number - _SHOWN} more fields are new", "read the gateway's changes")


def _documented(config: Config) -> Iterator[tuple[str, str]]:
    """The fields that each provider documents, as its emulator posts them."""
    for name, account in config.accounts.items():
        with suppress(LookupError):
            emulator = emulator_type(account.provider.name)(lambda: 0, SystemRandom(), None)
            for channel in account.provider.relays:
                for body in _posted(emulator, channel):
                    for path in paths(orjson.loads(body)):
                        yield name, path


def _posted(emulator: Emulator, channel: str) -> Iterator[bytes]:
    for contact in ("ann", "+6281234500099"):
        acts = (
            partial(emulator.says, channel, contact, "hello"),
            partial(emulator.presses, channel, contact, Button("key", "Title")),
            partial(emulator.sends, channel, contact, "image", "https://example.org/a.png", "caption"),
            partial(emulator.locates, channel, contact, 1.0, 2.0),
        )
        for act in acts:
            with suppress(ValueError, LookupError):
                yield act().body
