"""Turns and deliveries: what their ends, good or bad, change in the file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.errors import ClaimLost, StoreError, ThreadMoved
from bridge.events import Message, Postback
from bridge.store.lifecycle import InboxState, OutboxState
from bridge.store.records import OutboxRow
from storage.results import Result
from storage.sqlite import rows
from storage.sqlite.heads import count_next
from storage.sqlite.holding import give_back, note_judgement, state_of
from storage.sqlite.receiving import climb
from storage.sqlite.steps import forget
from storage.sqlite.taking import silence
from storage.sqlite.timers import set_timers

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from bridge.store.records import Retry, Saying, Settled, TurnCommit
    from storage.sqlite.memory import Memory

_RUNNING: Final = """
SELECT i.id, t.version, t.spoken FROM json_each(?) j JOIN inbox i ON i.id = j.value JOIN threads t ON t.id = i.thread_id
WHERE i.status = 'open'
"""
_SAY: Final = """
INSERT INTO outbox (id, key, account, thread_id, inbox_id, seq, kind, message, given_up, address, status, attempt,
                    available_at, expires_at, created_at, error, done_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_TURN_THREAD: Final = """
UPDATE threads SET state = ?, step = ?, version = version + 1, choices = ?, address = ?, last_heard = ?,
                   heard = ?, dialog = ?, note = ?, silenced = ?, contact = coalesce(?, contact), updated_at = ?
WHERE id = ?
"""
_SETTLE: Final = """
UPDATE outbox SET status = ?, outcome = ?, message_id = ?, error = ?, done_at = ? WHERE id = ? AND status = 'open'
"""
_NAME: Final = "UPDATE outbox SET message_id = ? WHERE id = ? AND status = 'sent' AND message_id IS NULL"
"""A message that a status proved sent learns the provider's id of it, so that later statuses find it."""
_TOOK_PART: Final = """
UPDATE inbox SET attempt = attempt + 1, error = ? WHERE thread_id = ? AND status = 'open'
    AND id IN (SELECT value FROM json_each(?))
"""
_HEARD: Final = """
UPDATE threads SET heard = version + 1
WHERE id = ? AND EXISTS (SELECT 1 FROM inbox WHERE id = ? AND kind IN ('message', 'postback')) RETURNING heard
"""
_ATTEMPT: Final = "INSERT INTO attempts (outbox_id, attempt, at, outcome, reason, exchange) VALUES (?, ?, ?, ?, ?, ?)"


def commit_turns(db: sqlite3.Connection, memory: Memory, turns: Sequence[TurnCommit]) -> list[Result | StoreError]:
    """Event done, thread moved on, messages waiting: all of each turn."""
    wanted = orjson.dumps([row.id for turn in turns for row in (*turn.others, turn.row)]).decode()
    standing = {row_id: (version, spoken) for row_id, version, spoken in db.execute(_RUNNING, (wanted,))}
    results: list[Result | StoreError] = []
    good: list[TurnCommit] = []
    moved: set[int] = set()
    for turn in turns:
        thread = turn.thread.version, turn.thread.hold.taken_seq
        stands = all(standing.get(row.id) == thread for row in (*turn.others, turn.row))
        if stands and turn.thread.id not in moved:
            moved.add(turn.thread.id)
            good.append(silence(memory, turn))
            results.append(Result(threads={turn.thread.id}))
        else:
            settled = {row.id for each in good for row in (*each.others, each.row)}
            waits = all(row.id in standing and row.id not in settled for row in (*turn.others, turn.row))
            lost = ThreadMoved("its thread moved on") if waits else ClaimLost(f"event {turn.row.id} is settled")
            results.append(lost)
    db.executemany(
        "UPDATE inbox SET status = ?, error = ?, done_at = ? WHERE id = ?",
        [(state_of(turn), turn.dead or None, turn.at, row.id) for turn in good for row in (*turn.others, turn.row)],
    )
    db.executemany(_TURN_THREAD, [_thread_values(turn) for turn in good])
    memory.stage(replace(turn.thread, version=turn.thread.version + 1) for turn in good)
    effects = [each for each in results if isinstance(each, Result)]
    _say(db, memory, good, effects)
    set_timers(db, good, effects)
    note_judgement(db, good)
    give_back(db, memory, good, effects)
    forget(db, good)
    count_next(db, "inbox", {turn.thread.id for turn in good})
    return results


def _thread_values(turn: TurnCommit) -> tuple[Any, ...]:
    thread, event = turn.thread, turn.row.event
    contact = orjson.dumps(event.contact) if isinstance(event, Message | Postback) else None
    choices, address = rows.pack_choices(thread.choices), rows.pack(thread.address) or b"{}"
    whose = (thread.heard, thread.dialog, thread.hold.note, thread.hold.silenced_seq)
    return thread.state, thread.step, choices, address, thread.last_heard, *whose, contact, turn.at, thread.id


def _say(db: sqlite3.Connection, memory: Memory, turns: Sequence[TurnCommit], effects: Sequence[Result]) -> None:
    """The messages of the turns into the outbox; one that finds its thread's outbox empty is its runnable head."""
    speaking = {turn.thread.id for turn in turns if turn.sayings}
    if not speaking:
        return
    busy = _waiting(db, speaking)
    values: list[tuple[Any, ...]] = []
    for turn, effect in zip(turns, effects, strict=True):
        for saying in turn.sayings:
            head = turn.thread.id not in busy and not saying.dropped
            row = _outbox_row(turn, saying, memory.number(), attempt=int(head))
            if not saying.dropped:
                busy.add(turn.thread.id)
                effect.queued.append(row)
            values.append(_saying_values(turn, saying, row))
    db.executemany(_SAY, values)


def _waiting(db: sqlite3.Connection, threads: Iterable[int]) -> set[int]:
    found = db.execute(
        "SELECT j.value FROM json_each(?) j WHERE EXISTS "
        "(SELECT 1 FROM outbox o WHERE o.thread_id = j.value AND o.status = 'open')",
        (orjson.dumps(list(threads)).decode(),),
    )
    return {row[0] for row in found}


def _outbox_row(turn: TurnCommit, saying: Saying, number: int, *, attempt: int) -> OutboxRow:
    return OutboxRow(
        id=number,
        seq=number,
        thread_id=turn.thread.id,
        ref=turn.thread.ref,
        key=saying.key,
        message=saying.message,
        attempt=attempt,
        address=turn.thread.address,
        created_at=turn.at,
        available_at=saying.available_at,
        expires_at=saying.expires_at,
    )


def _saying_values(turn: TurnCommit, saying: Saying, row: OutboxRow) -> tuple[Any, ...]:
    return (
        row.id,
        row.key,
        row.ref.account,
        row.thread_id,
        turn.row.id,
        row.seq,
        row.message.kind,
        saying.encoded,
        rows.pack(list(saying.given_up)),
        rows.pack(row.address),
        OutboxState.DEAD if saying.dropped else OutboxState.OPEN,
        row.attempt,
        row.available_at,
        row.expires_at,
        row.created_at,
        saying.dropped or None,
        turn.at if saying.dropped else None,
    )


def retry(db: sqlite3.Connection, table: str, retries: Sequence[Retry]) -> list[Result | StoreError]:
    """Failed rows wait for their next attempt, which is counted now."""
    outcome = ", outcome = ?" if table == "outbox" else ""
    results: list[Result | StoreError] = []
    for each in retries:
        values = [each.attempt, each.available_at, each.reason, *([each.outcome or None] if outcome else [])]
        changed = db.execute(
            f"UPDATE {table} SET attempt = ?, available_at = ?, error = ?{outcome} WHERE id = ? AND status = 'open'",
            (*values, each.row_id),
        ).rowcount
        if changed and each.others:
            db.execute(_TOOK_PART, (each.reason, each.thread_id, orjson.dumps(list(each.others)).decode()))
        if changed and outcome and each.outcome:
            tried = each.attempt - 1
            db.execute(_ATTEMPT, (each.row_id, tried, each.at, each.outcome, each.reason, each.exchange or None))
        results.append(Result(threads={each.thread_id}) if changed else ClaimLost(f"{table} {each.row_id} is settled"))
    return results


def settle_turns(db: sqlite3.Connection, memory: Memory, settled: Sequence[Settled]) -> list[Result | StoreError]:
    """Events given up; their threads go on. What the contact said was said all the same: nobody asks for it again."""
    results: list[Result | StoreError] = []
    freed: set[int] = set()
    for each in settled:
        changed = db.execute(
            "UPDATE inbox SET status = ?, error = ?, done_at = ? WHERE id = ? AND status = 'open'",
            (each.state, each.reason or None, each.at, each.row_id),
        ).rowcount
        results.append(Result(threads={each.thread_id}) if changed else ClaimLost(f"event {each.row_id} is settled"))
        if changed:
            freed.add(each.thread_id)
            heard = db.execute(_HEARD, (each.thread_id, each.row_id)).fetchone()
            if heard is not None and (thread := memory.newest(each.thread_id)) is not None:
                memory.stage([replace(thread, heard=heard[0])])
    count_next(db, "inbox", freed)
    return results


def settle_deliveries(db: sqlite3.Connection, memory: Memory, settled: Sequence[Settled]) -> list[Result | StoreError]:
    """Messages at the end of their journey, joined with any news of them that came early."""
    freed = {each.thread_id for each in settled if _settle(db, each)}
    db.executemany(
        _ATTEMPT,
        [
            (each.row_id, each.attempt, each.at, each.outcome, each.reason or None, each.exchange or None)
            for each in settled
            if each.outcome
        ],
    )
    results: list[Result | StoreError] = [Result(threads={each.thread_id}) for each in settled]
    _join_early(db, memory, settled, results)
    count_next(db, "outbox", freed)
    return results


def _settle(db: sqlite3.Connection, each: Settled) -> bool:
    """Whether this ended the message's journey, and a status had not done so before."""
    values = (each.state, each.outcome or None, each.message_id, each.reason or None, each.at, each.row_id)
    ended = db.execute(_SETTLE, values).rowcount == 1
    if not ended and each.message_id is not None:
        db.execute(_NAME, (each.message_id, each.row_id))
    if each.status is not None:
        delivery = db.execute("SELECT delivery FROM outbox WHERE id = ?", (each.row_id,)).fetchone()[0]
        climb(db, each.row_id, delivery, each.status, "")
    return ended


def _join_early(
    db: sqlite3.Connection, memory: Memory, settled: Sequence[Settled], results: Sequence[Result | StoreError]
) -> None:
    if db.execute("SELECT 1 FROM early_statuses LIMIT 1").fetchone() is None:
        return
    for each, effects in zip(settled, results, strict=True):
        if each.state is not OutboxState.SENT or not isinstance(effects, Result):
            continue
        account, key, delivery = db.execute(
            "SELECT account, key, delivery FROM outbox WHERE id = ?", (each.row_id,)
        ).fetchone()
        early = db.execute(
            "DELETE FROM early_statuses WHERE account = ? AND message_id IN (?, ?) "
            "RETURNING inbox_id, value, error, wanted",
            (account, key, each.message_id or key),
        ).fetchall()
        for inbox_id, value, error, wanted in sorted(early):
            climb(db, each.row_id, delivery, value, error)
            delivery = db.execute("SELECT delivery FROM outbox WHERE id = ?", (each.row_id,)).fetchone()[0]
            _open_early(db, memory, inbox_id, each.thread_id, InboxState.OPEN if wanted else InboxState.DONE, effects)


def _open_early(
    db: sqlite3.Connection, memory: Memory, inbox_id: int, thread_id: int, state: InboxState, effects: Result
) -> None:
    """A status that came before its message was known takes its place in the thread."""
    idle = not db.execute(
        "SELECT EXISTS (SELECT 1 FROM inbox WHERE thread_id = ? AND status = 'open')", (thread_id,)
    ).fetchone()[0]
    changed = db.execute(
        "UPDATE inbox SET thread_id = coalesce(thread_id, ?), seq = ?, status = ?, attempt = ? "
        "WHERE id = ? AND status = 'early'",
        (thread_id, memory.number(), state, int(idle and state is InboxState.OPEN), inbox_id),
    ).rowcount
    if changed and state is InboxState.OPEN:
        query = f"SELECT {rows.INBOX} FROM inbox i JOIN threads t ON t.id = i.thread_id WHERE i.id = ?"
        effects.received.append(rows.inbox_row(db.execute(query, (inbox_id,)).fetchone()))


def claim(db: sqlite3.Connection, claims: Sequence[tuple[int, int]]) -> list[Result | StoreError]:
    """Messages about to be sent at most once: should the process die now, their outcome is unknown."""
    db.executemany("UPDATE outbox SET outcome = 'claimed' WHERE id = ? AND status = 'open'", [(c[0],) for c in claims])
    return [Result() for _ in claims]


def advance(db: sqlite3.Connection, cursors: Sequence[tuple[str, str, str]]) -> list[Result | StoreError]:
    """How far each (account, name) was read."""
    db.executemany("INSERT OR REPLACE INTO cursors (account, name, value) VALUES (?, ?, ?)", cursors)
    return [Result() for _ in cursors]
