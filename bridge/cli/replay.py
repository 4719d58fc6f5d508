"""`threadbridge replay`: recorded conversations through these handlers or others, and what they would say instead."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Annotated, Final

import orjson
import typer

from bridge.cli.looking import OfDemo, OfDev, StoreUrl  # noqa: TC001 - typer reads the annotations
from bridge.cli.output import DEFAULT, AsJson, ConfigFile, bot_at_work, complain, exits, leave, listing, time_of
from bridge.cli.recording import Recording, bot_and_store, record
from bridge.cli.replay_run import rerun
from bridge.cli.threads import no_store_yet
from bridge.clock import SystemClock
from bridge.engine.jobs import JOBS
from bridge.routing.loading import load_routers
from bridge.routing.router import combine
from bridge.store.lifecycle import InboxState
from bridge.store.opening import open_reader
from bridge.units import SECOND, micros, read_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.cli.recording import Conversation
    from bridge.cli.replay_run import Rerun
    from bridge.config.load import Config
    from bridge.store.traces import TracedEvent, TracedMessage

_COLUMNS: Final = ("at", "account", "thread", "change", "what")
_SIGNATURE: Final = re.compile(r"~[A-Za-z0-9_-]{12}[0-9a-z]{0,9}~")
"""Of a typed key: it holds a time, where the key expires."""

Since = Annotated[
    str, typer.Option("--since", metavar="WHEN", help='From this time on: "2d" ago, or like 2026-01-31T09:30:00Z.')
]
Handlers = Annotated[
    list[str] | None,
    typer.Option("--handlers", metavar="MODULE", help="These handlers instead of the configured; repeatable."),
]
Limit = Annotated[int, typer.Option("--limit", min=1, metavar="N", help="So many conversations, the latest first.")]


def replay(
    since: Since,
    config: ConfigFile = DEFAULT,
    handlers: Handlers = None,
    limit: Limit = 1000,
    store: StoreUrl = None,
    dev: OfDev = False,
    demo: OfDemo = False,
    as_json: AsJson = False,
) -> None:
    """Run recorded conversations through handlers, and show what they would say instead.

    Each conversation in which something was handled since WHEN runs from its beginning: the real engine, a store in
    memory, virtual time. A line with "-" was said and would not be, a line with "+" would be and was not. "fails" is
    an event whose turn fails with these handlers alone, and "answered" one that failed before. The same
    handlers give no line. With a difference the exit code is 1.

    A replay writes nothing and asks nobody: while handlers run, connections and other programs are refused.

    Example: `threadbridge replay --since 1d --handlers new_bot:router`
    """
    began = _since(since)
    with exits():
        read, source = bot_and_store(config, store, dev=dev, demo=demo)
        if no_store_yet(source):
            leave(1)
        recording = asyncio.run(_record(read, source, began, limit))
        with bot_at_work():
            router = combine(load_routers(handlers or read.handlers_to_load(), read.folder, file=read.file))
            result = rerun(recording, read, router, SystemClock().now())
        rows = [*differences(recording, result, began)]
        number = len(recording.conversations)
        listing(rows, columns=_COLUMNS, as_json=as_json, empty=f"no difference in {number} conversations")
        if rows:
            complain(f"{len(rows)} differences in {number} conversations")
            leave(1)


def _since(text: str) -> int:
    """A time in microseconds. Raises typer.BadParameter."""
    try:
        return SystemClock().now() - round(float(read_seconds(text)) * SECOND)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter('want a span like "2d", or a time', param_hint="--since") from None
    return micros(at if at.tzinfo else at.replace(tzinfo=UTC))


async def _record(config: Config, source: Config, since: int, limit: int) -> Recording:
    store = await open_reader(source.storage.url, source.storage.keys)
    try:
        return await record(store, [*config.accounts, JOBS], since, limit)
    finally:
        await store.close()


def differences(recording: Recording, result: Rerun, since: int) -> Iterator[dict[str, object]]:
    """What was said and what would be said, thread by thread, as far as it is of that time or later."""
    now = {one.ref: one for one in result.conversations}
    then = {one.ref: one for one in recording.conversations}
    for ref in [*then, *(ref for ref in now if ref not in then)]:
        about = {"account": ref.account, "thread": f"{ref.channel}:{ref.conversation_id}"}
        rows = [*_said(then.get(ref), now.get(ref)), *_failed(then.get(ref), now.get(ref), result)]
        for at, change, what in rows:
            if at >= since:
                yield {"at": time_of(at), **about, "change": change, "what": what}


def _said(then: Conversation | None, now: Conversation | None) -> Iterator[tuple[int, str, str]]:
    before, after = (tuple(one.messages) if one is not None else () for one in (then, now))
    matcher = SequenceMatcher(None, _texts(before), _texts(after), autojunk=False)
    for change, first, last, begin, end in matcher.get_opcodes():
        if change != "equal":
            for message in before[first:last]:
                yield message.created_at, "-", _text(message)
            for message in after[begin:end]:
                yield message.created_at, "+", _text(message)


def _texts(messages: Sequence[TracedMessage]) -> list[str]:
    return [_text(message) for message in messages]


def _text(message: TracedMessage) -> str:
    """A message on one line, as it is compared."""
    values = orjson.loads(message.content)
    values.pop("at", None)
    return _SIGNATURE.sub("~", orjson.dumps(values).decode())


def _failed(then: Conversation | None, now: Conversation | None, result: Rerun) -> Iterator[tuple[int, str, str]]:
    """Events whose turns fail in one of the two alone."""
    reasons = {letter.id: letter.reason for letter in result.dead}
    failed, fails = _failures(then), _failures(now)
    for key, event in fails.items():
        if key not in failed:
            yield event.received_at, "fails", f"{event.kind} {key}: {reasons.get(event.letter, event.reason)}"
    known = {event.key for event in now.events} if now is not None else set()
    for key, event in failed.items():
        if key not in fails and key in known:
            yield event.received_at, "answered", f"{event.kind} {key}: it failed with {event.reason}"


def _failures(one: Conversation | None) -> dict[str, TracedEvent]:
    """By key, events that are given up, or tried again."""
    events = one.events if one is not None else ()
    failing = (InboxState.DEAD, InboxState.OPEN)
    return {event.key: event for event in events if event.state in failing and event.reason}
