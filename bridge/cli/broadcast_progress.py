"""How far a broadcast is, read beside the bridge that sends it: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import typer

from bridge.cli.output import complain, leave, say, time_of
from bridge.engine.broadcasts.composing import Content
from bridge.store.broadcasts import BROADCAST, BroadcastMove, BroadcastState, RecipientState
from bridge.store.opening import open_reader

if TYPE_CHECKING:
    from rich.progress import Progress

    from bridge.config.load import Config
    from bridge.store.broadcasts import Broadcast, Counts
    from bridge.store.port import StoreReader

_SHOWN_EVERY: Final = 0.5
_TOLD_EVERY: Final = 10.0
"""Seconds between two lines where nobody sees a bar."""
_PAGE: Final = 1000
_REASONED: Final = (RecipientState.FAILED, RecipientState.REFUSED, RecipientState.EXPIRED)


def follow(config: Config, broadcast_id: str, *, as_json: bool = False) -> None:
    """Show the progress until the broadcast does not run any more; exit code 1 where it is not done then."""
    try:
        state = asyncio.run(_follow(config, broadcast_id, quiet=as_json))
    except KeyboardInterrupt:
        complain(f"{broadcast_id} goes on: `threadbridge broadcasts pause {broadcast_id}` stops it")
        leave(0)
    told = asyncio.run(summary(config, broadcast_id))
    if as_json:
        typer.echo(json.dumps(told, indent=2))
    if state is not BroadcastState.DONE:
        complain(f"{broadcast_id}: {state}: {told['reason']}")
        leave(1)


async def summary(config: Config, broadcast_id: str, *, reasons: bool = False) -> dict[str, Any]:
    """Where a broadcast stands, as a program reads it; with `reasons` also how often each kept a message back."""
    store = await open_reader(config.storage.url)
    try:
        broadcast, counts = await _standing(store, broadcast_id)
        told = {
            "id": broadcast.id,
            "account": broadcast.account,
            "state": str(broadcast.state),
            "reason": broadcast.reason or None,
            "title": Content.decode(broadcast.content).title,
            "created_at": time_of(broadcast.created_at),
            "begins_at": time_of(broadcast.begins_at),
            "recipients": counts.total,
            "states": {str(state): counts.of(state) for state in RecipientState if counts.of(state)},
            "opt_outs": counts.opt_outs,
            "unanswered": counts.unanswered,
        }
        return told | ({"reasons": await _reasons(store, broadcast_id)} if reasons else {})
    finally:
        await store.close()


async def _reasons(store: StoreReader, broadcast_id: str) -> dict[str, int]:
    found: Counter[str] = Counter()
    for state in _REASONED:
        after = 0
        while page := await store.recipients(broadcast_id, state=state, after=after, limit=_PAGE):
            found.update(f"{state}: {row.reason or 'no reason is known'}" for row in page)
            after = page[-1].number
    return dict(found.most_common())


async def _standing(store: StoreReader, broadcast_id: str) -> tuple[Broadcast, Counts]:
    broadcast = await store.broadcast(broadcast_id)
    assert broadcast is not None
    return broadcast, await store.broadcast_counts(broadcast_id)


async def _follow(config: Config, broadcast_id: str, *, quiet: bool) -> BroadcastState:
    shown = sys.stderr.isatty() and not quiet
    store = await open_reader(config.storage.url)
    try:
        with _bar(shown=shown) as bar:
            task = bar.add_task(broadcast_id, total=None, told="")
            told_at = -_TOLD_EVERY
            while True:
                broadcast, counts = await _standing(store, broadcast_id)
                over = not BROADCAST.can(broadcast.state, BroadcastMove.ENDED)
                bar.update(task, total=counts.total, completed=counts.total - counts.open, told=_told(counts))
                now = asyncio.get_running_loop().time()
                if not quiet and not shown and (over or now - told_at >= _TOLD_EVERY):
                    told_at = now
                    say(f"{broadcast_id}: {counts.total - counts.open:,} of {counts.total:,}; {_told(counts)}")
                if over:
                    return broadcast.state
                await asyncio.sleep(_SHOWN_EVERY)
    finally:
        await store.close()


def _told(counts: Counts) -> str:
    """In words how many recipients stand where."""
    words = [f"{counts.reached:,} sent"]
    words += [
        f"{count:,} {state}"
        for state in (RecipientState.DELIVERED, RecipientState.READ, *_REASONED)
        if (count := counts.of(state))
    ]
    words += [f"{counts.opt_outs:,} opted out"] if counts.opt_outs else []
    words += [f"{counts.unanswered:,} tries without an answer"] if counts.unanswered else []
    return ", ".join(words)


def _bar(*, shown: bool) -> Progress:
    from rich.console import Console  # noqa: PLC0415 - few commands have a bar
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[told]}"),
        console=Console(stderr=True),
        disable=not shown,
    )
