"""`threadbridge dead`: failed events and messages, and quarantined webhooks."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple, TypeAlias

import typer

from bridge.cli.commands import Command, Group
from bridge.cli.control import Control
from bridge.cli.looking import OfDemo, OfDev, StoreUrl, looked_at
from bridge.cli.output import DEFAULT, AsJson, ConfigFile, complain, exits, leave, listing, say, time_of
from bridge.cli.threads import Limit, OfAccount, no_store_yet
from bridge.clock import SystemClock
from bridge.config.load import followers_of, load_config
from bridge.engine.dead_letters import Letters, in_order
from bridge.errors import Unmappable
from bridge.routing.loading import load_routers
from bridge.routing.router import combine
from bridge.store.opening import open_reader, open_store
from bridge.units import SECOND, read_seconds
from bridge.web.control_protocol import NOT_FOUND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bridge.config.load import Config
    from bridge.store.looks import DeadLetter
    from bridge.store.records import Arrival

Verb = Literal["replay", "drop"]
Report: TypeAlias = "Callable[[str, str | None], None]"
"""Takes the id of a letter, and the reason if it was refused."""

dead = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    help="List, show, replay and drop dead letters and quarantined webhooks.",
)

Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help='Ids from `dead list`, like "in-7" or "out-12".')]
All = Annotated[bool, typer.Option("--all", help="Every dead letter that the other options leave.")]
Reason = Annotated[
    str | None, typer.Option(metavar="TEXT", help="With --all: only those with this text in their reason.")
]
OlderThan = Annotated[
    str | None, typer.Option(metavar="SPAN", help='With --all: only those at least so old, like "30min" or "2d".')
]
_EVERY: Final = 1_000_000

_COLUMNS = ("id", "state", "account", "thread", "kind", "attempt", "at", "reason")


@dead.command("list", cls=Command)
def list_(
    config: ConfigFile = DEFAULT,
    account: OfAccount = None,
    limit: Limit = 1000,
    store: StoreUrl = None,
    dev: OfDev = False,
    demo: OfDemo = False,
    as_json: AsJson = False,
) -> None:
    """List the dead letters, the newest first, each with its reason.

    "in-..." is an event: its turn failed for good, or its webhook is quarantined. "out-..." is a message. The list
    takes no lock, and works while the bridge runs.

    Example: `threadbridge dead list --account shop | grep "timed out"`
    """
    with exits():
        rows = asyncio.run(letter_rows(looked_at(config, store, dev=dev, demo=demo), account, limit))
        listing(rows, columns=_COLUMNS, as_json=as_json, empty="no dead letters")


@dead.command(cls=Command)
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help='An id from `dead list`, like "in-7" or "out-12".')],
    config: ConfigFile = DEFAULT,
    store: StoreUrl = None,
    dev: OfDev = False,
    demo: OfDemo = False,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter: its reason, and the event, webhook or message.

    Example: `threadbridge dead show in-7`
    """
    with exits():
        row = asyncio.run(letter_row(looked_at(config, store, dev=dev, demo=demo), letter_id))
        if row is None:
            complain(f"{letter_id}: {NOT_FOUND}")
            leave(1)
        if as_json:
            typer.echo(json.dumps(row, indent=2, default=str))
            return
        for name, value in row.items():
            for line in value if isinstance(value, list) else [value]:
                text = line if isinstance(line, str | int) else json.dumps(line, ensure_ascii=False)
                say(f"{name:8} {text}")


@dead.command(cls=Command)
def replay(
    ids: Ids = None,
    config: ConfigFile = DEFAULT,
    every: All = False,
    account: OfAccount = None,
    reason: Reason = None,
    older_than: OlderThan = None,
) -> None:
    """Append dead letters to their threads again: an event is handled again, a message sent again.

    They keep the order in which they came. A running bridge replays them at once. Otherwise the replay begins at the
    next start.

    Example: `threadbridge dead replay --all --account shop --reason "HTTP 503"`
    """
    _change(config, ids, _Choice(every, account, reason, older_than), "replay", "replayed")


@dead.command(cls=Command)
def drop(
    ids: Ids = None,
    config: ConfigFile = DEFAULT,
    every: All = False,
    account: OfAccount = None,
    reason: Reason = None,
    older_than: OlderThan = None,
) -> None:
    """Drop dead letters: they stay in the store, and leave the list.

    Example: `threadbridge dead drop in-7`
    """
    _change(config, ids, _Choice(every, account, reason, older_than), "drop", "dropped")


class _Choice(NamedTuple):
    """Which letters are meant, where no ids are."""

    every: bool
    account: str | None
    reason: str | None
    older_than: str | None

    def check(self, ids: Sequence[str]) -> None:
        """Ids or --all, and the other options only with that. Raises typer.BadParameter."""
        if bool(ids) == self.every:
            raise typer.BadParameter("want the ids of dead letters, or --all instead")
        if not self.every and any((self.account, self.reason, self.older_than)):
            raise typer.BadParameter("--account, --reason and --older-than go with --all")

    def before(self) -> int:
        """Letters of this time (microseconds) or an earlier one are meant. Raises typer.BadParameter."""
        try:
            age = read_seconds(self.older_than or "0s")
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--older-than") from None
        return SystemClock().now() - round(float(age) * SECOND)

    async def ids(self, config: Config, before: int) -> list[str]:
        if no_store_yet(config):
            return []
        store = await open_reader(config.storage.url, config.storage.keys)
        try:
            letters = await store.oldest_letters(
                account=self.account, reason=self.reason or "", until=before, limit=_EVERY
            )
        finally:
            await store.close()
        return [letter_id for _, letter_id in letters]


def _change(path: Path, given: Sequence[str] | None, choice: _Choice, verb: Verb, done: str) -> None:
    """Change each letter once, and report it at once: an interrupted command shows how far it came."""
    choice.check(given or ())
    before = choice.before()
    refused = []

    def report(letter_id: str, why: str | None) -> None:
        if why is None:
            say(f"{letter_id}: {done}")
        else:
            refused.append(letter_id)
            complain(f"{letter_id}: {why}")

    with exits():
        config = load_config(path)
        ids = asyncio.run(choice.ids(config, before)) if choice.every else given or ()
        _ask_or_do(config, in_order(ids), verb, report)
        if refused:
            leave(1)


def _ask_or_do(config: Config, ids: Sequence[str], verb: Verb, report: Report) -> None:
    """Ask the running bridge. When it does not run, or stops meanwhile, open the store and do the rest here."""
    database = config.storage.file
    asked = 0
    if database is not None:
        if no_store_yet(config):
            for letter_id in ids:
                report(letter_id, NOT_FOUND)
            return
        control = Control(database)
        with suppress(ConnectionRefusedError):
            for letter_id in ids:
                report(letter_id, control.ask("dead", letter_id, verb, missing=NOT_FOUND))
                asked += 1
    if ids[asked:]:
        asyncio.run(_do(config, ids[asked:], verb, report))


async def _do(config: Config, ids: Sequence[str], verb: Verb, report: Report) -> None:
    store = await open_store(config.storage.url, config.storage.keys)
    letters = Letters(store, _reread(config), SystemClock())
    if (followers := followers_of(config)) is not None:
        store.follow(followers)
    act = letters.replay if verb == "replay" else letters.drop
    try:
        for letter_id in ids:
            try:
                report(letter_id, None if await act(letter_id) else NOT_FOUND)
            except Unmappable as error:
                report(letter_id, str(error))
    finally:
        await store.close()


def _reread(config: Config) -> Callable[[DeadLetter], Sequence[Arrival]]:
    """Maps a quarantined webhook as the bridge would. Only such a letter loads the engine and the handlers."""

    def reread(letter: DeadLetter) -> Sequence[Arrival]:
        from bridge.engine import ingest  # noqa: PLC0415 - see above

        router = combine(load_routers(config.handlers_to_load(), config.folder, file=config.file))
        return ingest.reread(config, router, SystemClock(), letter)

    return reread


async def letter_rows(config: Config, account: str | None, limit: int) -> list[dict[str, object]]:
    """The list of dead letters, the newest first."""
    if no_store_yet(config):
        return []
    store = await open_reader(config.storage.url, config.storage.keys)
    try:
        return [_row(letter) for letter in await store.dead_letters(account=account, limit=limit)]
    finally:
        await store.close()


async def letter_row(config: Config, letter_id: str) -> dict[str, object] | None:
    """One dead letter, with what it holds; None: there is none of that id."""
    if no_store_yet(config):
        return None
    store = await open_reader(config.storage.url, config.storage.keys)
    try:
        letter = await store.dead_letter(letter_id)
        return None if letter is None else _row(letter) | _more(letter)
    finally:
        await store.close()


def _row(letter: DeadLetter) -> dict[str, object]:
    return {
        "id": letter.id,
        "state": letter.state,
        "account": letter.account,
        "thread": letter.thread,
        "kind": letter.kind,
        "attempt": letter.attempt,
        "at": time_of(letter.at),
        "reason": letter.reason,
    }


def _more(letter: DeadLetter) -> dict[str, object]:
    """What one letter has beside its line in the list: where it failed, the tries of a message, and what it is."""
    tries = [{**one, "at": time_of(one["at"])} for one in json.loads(letter.tries)]
    more = {"trace": letter.trace.splitlines(), "tries": tries, "content": _content(letter)}
    return {name: value for name, value in more.items() if value not in ([], "")}


def _content(letter: DeadLetter) -> object:
    """The content as JSON, or else as text."""
    try:
        return json.loads(letter.content)
    except ValueError:
        return letter.content.decode("utf-8", "backslashreplace")
