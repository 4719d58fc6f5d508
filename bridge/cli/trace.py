"""`threadbridge trace`: the way of one event or message, from its webhook to each try and its fate."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bridge.cli.looking import OfDemo, OfDev, StoreUrl, looked_at
from bridge.cli.output import DEFAULT, AsJson, ConfigFile, bot_at_work, complain, exits, leave, listing, time_of
from bridge.cli.threads import no_store_yet
from bridge.errors import ConfigError, HandlerError
from bridge.store.opening import open_reader
from bridge.store.timeline import Happening, timeline
from bridge.store.traces import TracedEvent
from bridge.units import moment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from bridge.config.load import Config
    from bridge.store.port import StoreReader
    from bridge.store.traces import Trace, TracedMessage

_COLUMNS: Final = ("at", "id", "what", "about")
_MATCHES: Final = ("id", "kind", "account", "thread", "at")
_ORDINALS: Final = 20
"""Replies, and sends, of a turn among which one is looked for."""


def trace(
    name: Annotated[
        str, typer.Argument(metavar="ID", help="An id of ours, the gateway's message id, or an idempotency key.")
    ],
    config: ConfigFile = DEFAULT,
    store: StoreUrl = None,
    dev: OfDev = False,
    demo: OfDemo = False,
    as_json: AsJson = False,
) -> None:
    """Show the way of one event or message, from its webhook to each try and its fate.

    ID is an id like "in-7" or "out-12", the gateway's id of a message, an event key, or an idempotency key. The lines
    tell when the event was stored, how its turn ended, and what was planned and given up. Each try has its redacted
    exchange, and later statuses follow. An ID that names several lists them.

    The command takes no lock, and works while the bridge runs.

    Example: `threadbridge trace out-12`
    """
    with exits():
        read = looked_at(config, store, dev=dev, demo=demo, accounts=False)
        found, happenings = ([], []) if no_store_yet(read) else asyncio.run(_trace(read, name))
        if len(found) > 1:
            listing(found, columns=_MATCHES, as_json=as_json, empty="")
            complain(f"{name} names {len(found)}: trace one of these ids")
            leave(1)
        if not found:
            complain(f"{name}: no event and no message has this id, key or name")
            leave(1)
        rows = [_row(happening, as_json=as_json) for happening in happenings]
        listing(rows, columns=_COLUMNS, as_json=as_json, empty="")


def _row(happening: Happening, *, as_json: bool) -> dict[str, object]:
    at = moment(happening.at).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    row: dict[str, object] = {"at": at, "id": happening.id, "what": happening.what, "about": happening.about}
    return {**row, **happening.facts} if as_json else row


async def _trace(config: Config, name: str) -> tuple[list[dict[str, object]], list[Happening]]:
    """What the name is for; and its timeline, when it is for one."""
    store = await open_reader(config.storage.url, config.storage.keys)
    try:
        letters = await store.find(name)
        traces = [(letter, await store.trace(letter)) for letter in letters]
        found = [_match(letter, one) for letter, one in traces if one is not None]
        if len(found) != 1:
            return found, []
        (one,) = (one for _, one in traces if one is not None)
        return found, await _timeline(config, store, one)
    finally:
        await store.close()


def _match(letter: str, trace: Trace) -> dict[str, object]:
    row: TracedEvent | TracedMessage | None = trace.event
    row = next((message for message in trace.messages if message.letter == letter), row)
    assert row is not None
    at = row.received_at if isinstance(row, TracedEvent) else row.created_at
    return {"id": letter, "kind": row.kind, "account": row.account, "thread": row.thread, "at": time_of(at)}


async def _timeline(config: Config, store: StoreReader, trace: Trace) -> list[Happening]:
    if trace.event is None:
        return timeline(trace)
    names = _handlers(config)
    handler = _handler_of(trace, names)
    sends: list[TracedEvent] = []
    for name in [handler] if handler else names:
        sends += [sent async for sent in _sends(store, trace.event, name)]
        if sends:
            handler = name
            break
    return timeline(trace, handler=handler, sends=sends)


def _handlers(config: Config) -> Sequence[str]:
    """The names of the configured handlers; none where they cannot be loaded, or belong to another store."""
    from bridge.routing.loading import load_routers  # noqa: PLC0415 - nothing else of the command needs the handlers
    from bridge.routing.router import combine, rulebook_of  # noqa: PLC0415

    try:
        with bot_at_work():
            router = combine(load_routers(config.handlers_to_load(), config.folder, file=config.file))
    except (ConfigError, HandlerError):
        return ()
    return [handler.name for handler in rulebook_of(router).handlers()]


def _handler_of(trace: Trace, names: Sequence[str]) -> str:
    """The handler that said the messages: their keys are made of its name."""
    keys = {message.key for message in trace.messages}
    return next((name for name in names if not keys.isdisjoint(_keys(trace.event, name, 0))), "") if keys else ""


def _keys(event: TracedEvent | None, handler: str, part: int) -> Iterator[str]:
    from bridge.engine.turns.idempotency import idempotency_key  # noqa: PLC0415 - as above

    if event is not None:
        for ordinal in range(_ORDINALS):
            yield idempotency_key(event.account, event.key, event.replay, handler, ordinal, part)


async def _sends(store: StoreReader, event: TracedEvent, handler: str) -> AsyncIterator[TracedEvent]:
    """The events of other threads that a turn sent, as long as its author gave them no key."""
    from bridge.engine.turns.sending import SENT  # noqa: PLC0415 - as above

    for key in _keys(event, handler, SENT):
        letters = await store.find(f"send:{key}")
        if not letters:
            return
        for letter in letters:
            if (sent := await store.trace(letter)) is not None and sent.event is not None:
                yield sent.event
