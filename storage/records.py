"""Between SQL rows and the engine's records: column lists, how each is read, and states as SQL literals."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.events import ThreadRef, decode_event
from bridge.log import kind_of, log
from bridge.messages import decode_message
from bridge.planning.choices import Choice
from bridge.store.lifecycle import InboxState, OutboxState, Outcome
from bridge.store.records import Hold, InboxRow, OutboxRow, StepRow, ThreadRow
from bridge.store.takeover import SPOKEN
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Row = tuple[Any, ...]
_LONG_NUMBER: Final = re.compile(rb"[0-9]{19}")
UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""What reading a row raises that another version wrote, or a foreign hand."""


def literal(text: str) -> str:
    """One of our own words, a state mostly, as SQL text: a partial index is used only where its literals stand."""
    return f"'{text}'"


def one_of(*texts: str) -> str:
    """The comparison with one or several of our own words."""
    if len(texts) == 1:
        return f"= {literal(texts[0])}"
    return f"IN ({', '.join(map(literal, texts))})"


EVENT_OPEN: Final = f"status {one_of(InboxState.OPEN)}"
EVENT_HELD: Final = f"status {one_of(InboxState.HELD)}"
MESSAGE_OPEN: Final = f"status {one_of(OutboxState.OPEN)}"
OPEN: Final = {"inbox": EVENT_OPEN, "outbox": MESSAGE_OPEN}
"""By table, which of its rows are open."""

REF: Final = "t.account, t.provider, t.channel, t.conversation"
THREAD: Final = (
    f"t.id, {REF}, t.state, t.step, t.version, t.choices, t.address, t.last_heard, t.heard, t.dialog, t.note, "
    "t.spoken, t.silenced, t.taken, t.members, t.opted_out, t.contact_id, t.person, t.named, t.leads_to, t.lost"
)
INBOX: Final = (
    f"i.id, i.seq, i.thread_id, {REF}, i.event_key, i.kind, i.event, i.raw, i.attempt, "
    "i.replay, i.available_at, i.address, i.received_at, i.tried_at"
)
OUTBOX: Final = (
    f"o.id, o.seq, o.thread_id, {REF}, o.key, o.message, o.attempt, o.address, o.created_at, o.available_at, "
    f"o.expires_at, o.outcome = {literal(Outcome.CLAIMED)}, o.tried_at, "
    f"EXISTS (SELECT 1 FROM attempts a WHERE a.outbox_id = o.id AND a.outcome = {literal(Outcome.UNKNOWN)}), "
    f"(SELECT i.id FROM inbox i WHERE i.id = o.inbox_id AND i.kind {one_of(*SPOKEN)})"
)
STEP: Final = "thread_id, run, position, call, key, at, result"
STEPS_KEPT: Final = 90 * 24 * 3600 * SECOND
"""Notes of runs that are over: nobody tries an event again after so long a time."""


def pack(value: Mapping[str, str] | Sequence[str]) -> bytes | None:
    """A small mapping or list as JSON; None when empty."""
    return orjson.dumps(value) if value else None


def unpack(value: bytes | None) -> dict[str, str]:
    """The inverse of `pack` for mappings."""
    return orjson.loads(value) if value else {}


def unpack_names(value: bytes | None) -> tuple[str, ...]:
    """The inverse of `pack` for lists."""
    return tuple(orjson.loads(value)) if value else ()


def pack_choices(choices: Sequence[Choice]) -> bytes:
    """Open choices as JSON."""
    if not choices:
        return b"[]"
    return orjson.dumps([[choice.number, choice.key, choice.title, choice.whom] for choice in choices])


def unpack_choices(value: bytes | str) -> tuple[Choice, ...]:
    """The inverse of `pack_choices`. Choices in another version's form are closed: their thread has to go on."""
    if len(value) == len("[]"):
        return ()
    try:
        return tuple(
            Choice(number=number, key=key, title=title, whom=next(iter(whom), None))
            for number, key, title, *whom in orjson.loads(value)
        )
    except UNREADABLE as error:
        log.error("choices_unreadable", reason=kind_of(error))
        return ()


def thread_row(row: Row) -> ThreadRow:
    """From the columns THREAD."""
    state = row[5]
    return ThreadRow(
        id=row[0],
        ref=ThreadRef(*row[1:5]),
        state=state.encode() if isinstance(state, str) else state,
        step=row[6],
        version=row[7],
        choices=unpack_choices(row[8]),
        address=unpack(row[9]),
        last_heard=row[10],
        heard=row[11],
        dialog=row[12],
        hold=Hold(note=row[13], taken_seq=row[14], silenced_seq=row[15], at_gateway=bool(row[16])),
        members=row[17],
        opted_out=row[18],
        contact_id=row[19],
        person=row[20],
        named=row[21],
        leads_to=row[22],
        lost=unpack_names(row[23]),
    )


def inbox_row(row: Row) -> InboxRow:
    """From the columns INBOX."""
    return InboxRow(
        id=row[0],
        seq=row[1],
        thread_id=row[2],
        ref=ThreadRef(*row[3:7]),
        key=row[7],
        event=decode_event(row[8], row[9], raw_json(row[10])),
        attempt=row[11],
        replay=row[12],
        available_at=row[13],
        address=unpack(row[14]),
        received_at=row[15],
        tried_at=row[16],
        size=len(row[9]) + len(row[10]),
    )


def outbox_row(row: Row) -> OutboxRow:
    """From the columns OUTBOX."""
    return OutboxRow(
        id=row[0],
        seq=row[1],
        thread_id=row[2],
        ref=ThreadRef(*row[3:7]),
        key=row[7],
        message=decode_message(row[8]),
        attempt=row[9],
        address=unpack(row[10]),
        created_at=row[11],
        available_at=row[12],
        expires_at=row[13],
        claimed=bool(row[14]),
        tried_at=row[15],
        unanswered=bool(row[16]),
        answers=row[17] or 0,
        size=len(row[8]),
    )


def step_row(row: Row) -> StepRow:
    """From the columns STEP."""
    return StepRow(thread_id=row[0], run=row[1], position=row[2], call=row[3], key=row[4], at=row[5], result=row[6])


def raw_json(raw: bytes) -> dict[str, Any]:
    """A stored webhook body as the mapping it was: read as the door read it, where orjson would not."""
    if not raw:
        return {}
    body: dict[str, Any]  # the door takes objects only
    if _LONG_NUMBER.search(raw) is not None:  # orjson makes a float of an integer over 64 bits
        body = json.loads(raw)
        return body
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = json.loads(raw)  # half a surrogate pair in a field that nobody reads
    return body
