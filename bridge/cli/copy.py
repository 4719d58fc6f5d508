"""`threadbridge copy`: the conversations in another database."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bridge.cli.output import DEFAULT, ConfigFile, complain, exits, leave, listing, say
from bridge.config.load import Config, load_config
from bridge.config.schema import RELAXED, Storage
from bridge.store.copying import CopyRefused, copy_store
from bridge.store.opening import copy_type, open_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from bridge.store.copying import Copied, Progress
    from bridge.store.encryption import EncryptionKey

_REFUSED: Final = 1
_INTERRUPTED: Final = 130
_EACH: Final = 10.0
"""Seconds between two lines of progress, off a terminal."""


def copy(
    source: Annotated[
        str | None, typer.Option("--from", metavar="URL", help="The store to copy; default: the configured one.")
    ] = None,
    target: Annotated[str, typer.Option("--to", metavar="URL", help="The database that becomes the copy.")] = ...,  # type: ignore[assignment] # typer's mark of what is required
    account: Annotated[
        str, typer.Option("--account", metavar="A", help="Move this account alone, beside what the target holds.")
    ] = "",
    remove: Annotated[
        bool, typer.Option("--remove", help="With --account: remove its rows from the source afterwards.")
    ] = False,
    config: ConfigFile = DEFAULT,
) -> None:
    """Move house: copy a store into another database, whole and verified.

    Between SQLite and PostgreSQL, in every direction. Dialogs, timers, buttons and messages that wait continue in the
    copy. Stop the bridge first. The source stays as it is.

    Each row is compared after it is copied. After an interruption the same command continues. Until then nothing can
    use the unfinished copy: `threadbridge run` refuses it.

    Then put the new URL into [storage], and start the bridge. Never start it on the old store again: it would answer
    what the new one has answered.

    With `--account` one account moves into a store that other accounts use. Its conversations get new numbers there.

    Example: `threadbridge copy --from sqlite:///threadbridge.db --to postgresql://bot@db.example/bot`
    """
    if remove and not account:
        raise typer.BadParameter("goes with --account", param_hint="--remove")
    with exits():
        is_named = source is not None and not config.exists()
        storage = Storage() if is_named else load_config(config, accounts=False).storage
        keys = storage.keys
        from_url = _url(source, "--from") if source is not None else storage.url
        to_url = _url(target, "--to")
        began = time.monotonic()
        with _shown() as tell:
            copied = _run(_copy(from_url, to_url, account, tell, removes=remove, keys=keys))
        _report(copied, time.monotonic() - began)
        if asyncio.run(_has_own_tables(from_url, keys)):
            say("the bot's own tables are not copied: its migrations make them anew, and their rows are yours to move")
        say(_next(to_url, account, removed=remove))


def _url(url: str, option: str) -> str:
    """A store's URL, checked as [storage] is. Raises ConfigError."""
    storage = {"url": _plain(url)}
    if storage["url"] != url:
        storage["durability"] = "relaxed"
    return Config.from_dict({"storage": storage}, file=option).storage.url


def _plain(url: str) -> str:
    """A URL as it stands in [storage], where `durability` has a key of its own."""
    base, mark, query = url.partition("?")
    options = "&".join(option for option in query.split("&") if option != RELAXED)
    return f"{base}{mark if options else ''}{options}"


def _run(copying: Coroutine[None, None, list[Copied]]) -> list[Copied]:
    try:
        return asyncio.run(copying)
    except CopyRefused as error:
        complain(str(error))
        leave(_REFUSED)
    except KeyboardInterrupt:
        complain("interrupted: the same command continues the copy")
        leave(_INTERRUPTED)


async def _copy(
    source_url: str,
    target_url: str,
    account: str,
    tell: Callable[[Progress], None],
    *,
    removes: bool,
    keys: Sequence[EncryptionKey],
) -> list[Copied]:
    if source_url == target_url:
        raise CopyRefused("--from and --to are the same store")
    given = (keys,) if keys else ()
    source = await copy_type(source_url).open_copy_source(source_url, account, *given)
    try:
        target = await copy_type(target_url).open_copy_target(target_url, account, *given)
        try:
            return await copy_store(source, target, tell, removes=removes)
        finally:
            await target.close()
    finally:
        await source.close()


async def _has_own_tables(url: str, keys: Sequence[EncryptionKey]) -> bool:
    reader = await open_reader(url, keys)
    try:
        return bool(await reader.migrations())
    finally:
        await reader.close()


def _report(copied: list[Copied], seconds: float) -> None:
    columns = ("table", "rows", "checksum")
    listing([table._asdict() for table in copied], columns=columns, as_json=False, empty="compared already")
    rows = sum(table.rows for table in copied)
    say(f"ok: {rows:,} rows copied and compared in {seconds:.1f} s")


def _next(target: str, account: str, *, removed: bool) -> str:
    if not account:
        return f'next: url = "{_plain(target)}" in [storage], and never start the bridge on the old store again'
    left = "where none of its rows is left" if removed else "which has its rows still"
    return f"next: serve the account {account} from {_plain(target)}, and never from the source, {left}"


@contextmanager
def _shown() -> Iterator[Callable[[Progress], None]]:
    """What hears of the progress: a bar on a terminal, else a line now and then."""
    if not sys.stderr.isatty():
        yield Lines(_EACH).tell
        return
    from rich.console import Console  # noqa: PLC0415 - a script sees no bar
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415 - the same

    columns = (TextColumn("{task.description:<16}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("counting", total=None)
        yield lambda progress: bar.update(
            task, description=progress.table, completed=progress.done, total=progress.total
        )


class Lines:
    """Progress in lines on standard error."""

    def __init__(self, every: float) -> None:
        """A line at most `every` so many seconds."""
        self._every = every
        self._told = time.monotonic()

    def tell(self, progress: Progress) -> None:
        """Print how far it is, if that is due."""
        now = time.monotonic()
        if now - self._told >= self._every:
            self._told = now
            share = 100 * progress.done // max(progress.total, 1)
            complain(f"{share} percent: {progress.table}")
