"""docs/explanation/states.md: the life cycles of bridge.store.lifecycle, as tables and diagrams."""

from __future__ import annotations

import ast
import inspect
from typing import TYPE_CHECKING, Any, Final

from bridge.store import broadcasts, lifecycle
from bridge.store.broadcasts import BROADCAST, RECIPIENT, BroadcastState, RecipientState
from bridge.store.lifecycle import (
    HOLDS,
    INBOX,
    MEDIA,
    OUTBOX,
    STATUS_RANK,
    TIMERS,
    HoldState,
    InboxState,
    MediaState,
    OutboxState,
    Outcome,
    TimerState,
)
from tests.docs.pages import DOCS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from enum import StrEnum

    from bridge.store.lifecycle import Machine

PAGE: Final = DOCS / "explanation" / "states.md"

_INTRODUCTION: Final = """# States

An event, a message, a timer, a medium, a broadcast and the hold on a thread each have one life cycle.
[bridge/store/lifecycle.py](../../bridge/store/lifecycle.py) holds them as code that every store calls.
A store never changes a state on its own: it names what happened, and the life cycle names the next state.
Each change is part of [one transaction](guarantees.md), so no row is ever between two states.
"""
_EVENT: Final = """An event is a row of the inbox.
Its attempt is counted when it becomes the first open event of its thread.
[Ordering](ordering.md) tells what that means for the events behind it.
"""
_MESSAGE: Final = """A message is a row of the outbox: one part of a plan, and one call of a provider.
The outcome of its last try decides whether another one follows; see [outcomes](outcomes.md).
"""
_TIMER: Final = """A timer that is due becomes an event of its thread in the same transaction.
A turn can cancel it until that event had its turn.
"""
_MEDIUM: Final = """A medium is the file of a contact, or one that a handler sends.
Its row waits in the transaction that stores its event; its bytes are in the [media store](../how-to/media.md).
"""
_HOLD: Final = """A person takes a thread by a command, by a handler's handoff, by their own words, or at the gateway.
Events that arrive meanwhile are held; messages from before are silenced.
A gateway that repeats what it said changes nothing.
[Hand a thread to a person](../how-to/hand-off.md) shows how to use it.
"""
_BROADCAST: Final = """A broadcast is a draft while its recipients are stored.
Then it runs, as [its page](../how-to/broadcast.md) tells.
"""
_RECIPIENT: Final = """A recipient is a row of a broadcast.
Its message is an event of its thread from the state `released` on, and then a message like any other.
"""
_STATUS: Final = """A status tells what happened to a message after it was sent.
It never goes back: {ranks}.
A status that arrives before its message is known waits, as an event in the state `early`.
"""


def states_page() -> str:
    """The page below its first line."""
    rising = sorted(STATUS_RANK, key=STATUS_RANK.__getitem__)
    parts = [
        _INTRODUCTION,
        *_part("Events", _EVENT, INBOX, InboxState),
        *_part("Messages", _MESSAGE, OUTBOX, OutboxState),
        "The outcome of a try:\n",
        _table("outcome", Outcome),
        *_part("Timers", _TIMER, TIMERS, TimerState),
        *_part("Media", _MEDIUM, MEDIA, MediaState),
        *_part("The hold on a thread", _HOLD, HOLDS, HoldState),
        *_part("Broadcasts", _BROADCAST, BROADCAST, BroadcastState),
        *_part("Recipients", _RECIPIENT, RECIPIENT, RecipientState),
        "## Statuses\n",
        _STATUS.format(ranks=", then ".join(f"`{value}`" for value in rising)),
    ]
    return "\n".join(parts)


def _part(title: str, text: str, machine: Machine[Any, Any], states: type[StrEnum]) -> Iterable[str]:
    yield f"## {title}\n"
    yield text
    yield "```mermaid"
    yield "stateDiagram-v2"
    for state in states:
        if state != state.name.lower():
            yield f'    state "{state}" as {state.name.lower()}'
    for state, reason in machine.starts.items():
        yield f"    [*] --> {state.name.lower()}: {reason}"
    for state, moves in machine.moves.items():
        for happened, target in moves.items():
            yield f"    {state.name.lower()} --> {target.name.lower()}: {happened}"
    yield "```\n"
    yield _table("state", states)


def _table(head: str, members: type[StrEnum]) -> str:
    meanings = _meanings()[members.__name__]
    lines = [f"| `{member}` | {meanings[member.name]} |" for member in members]
    return "\n".join([f"| {head} | meaning |", "|---|---|", *lines, ""])


def _meanings() -> Mapping[str, Mapping[str, str]]:
    """What stands below each member of each class of the modules."""
    nodes = [node for module in (lifecycle, broadcasts) for node in ast.parse(inspect.getsource(module)).body]
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    return {node.name: dict(_documented(node)) for node in classes}


def _documented(node: ast.ClassDef) -> Iterable[tuple[str, str]]:
    for member, text in zip(node.body, node.body[1:], strict=False):
        match member, text:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str(meaning))):
                yield name, meaning
