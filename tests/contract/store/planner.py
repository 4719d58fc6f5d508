"""What SQLite's planner says to each statement of the store, in databases that have grown."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from storage import contacts, views
from storage.sqlite import broadcasts, erasure, inbox, media, queries, retention, statuses, steps
from storage.sqlite.connection import prepare
from storage.sqlite.looking import LOOKS
from storage.sqlite.schema import MIGRATIONS
from storage.sqlite.tracing import QUERIES

if TYPE_CHECKING:
    from collections.abc import Iterator

SHAPES: Final = {"few long conversations": (100, 200), "many short ones": (10_000, 2)}
"""How many threads, and how many events and messages in each."""
_TABLES: Final = (
    "inbox|outbox|threads|attempts|timers|steps|early_statuses|media|audit|contacts|identities|conflicts|opt_outs|"
    "tombstones|step_spending|broadcasts|recipients|i|o|t|r|w|e|a|m|c"
)
"""What grows, under the names that statements give it."""
_SCAN: Final = re.compile(rf"SCAN (?:{_TABLES})\b(?: USING (?:COVERING )?INDEX (\w+))?")
_SEARCH: Final = re.compile(rf"SEARCH (?:{_TABLES})\b USING (?:COVERING )?INDEX ((\w+) .*)")
_FROM_A_ROW: Final = re.compile(r"SEARCH \w+ USING INTEGER PRIMARY KEY \(rowid[<>]")
_PARTIAL: Final = re.compile(r"CREATE INDEX (\w+) ON [^;]* WHERE (?:status|note|dialog)\b")
_WAITING: Final = frozenset(name for script in MIGRATIONS for name in _PARTIAL.findall(script))
"""Indexes of the rows that wait, or are held or dead: they do not grow with the history."""
_WHOLE_KEYS: Final = frozenset(
    {
        "sqlite_autoindex_inbox_1 (account=? AND event_key=?)",
        "outbox_keys (<expr>=? AND key=?)",
        "sqlite_autoindex_threads_1 (account=? AND channel=? AND conversation=?)",
        "attempts_of (outbox_id=?)",
        "inbox_past (<expr>=? AND thread_id=?)",
        "inbox_past (<expr>=? AND thread_id=? AND rowid>?)",
        "inbox_past (<expr>=? AND thread_id=? AND rowid>? AND rowid<?)",
        "outbox_past (<expr>=? AND thread_id=?)",
        "outbox_past (<expr>=? AND thread_id=? AND rowid>?)",
        "outbox_past (<expr>=? AND thread_id=? AND rowid>? AND rowid<?)",
        "outbox_named (<expr>=? AND account=? AND message_id=?)",
        "sqlite_autoindex_inbox_1 (account=? AND event_key>? AND event_key<?)",
        "threads_latest (account=?)",
        "threads_latest (account=? AND updated_at<?)",
        "threadbridge_audit_of_account (account=? AND at<?)",
        "threadbridge_audit_latest (at<?)",
        "threadbridge_timers_of_event (inbox_id=?)",
        "media_of_event (inbox_id=?)",
        "early_of (inbox_id=?)",
        "threads_leading (leads_to=?)",
        "sqlite_autoindex_tombstones_1 (account=? AND digest=?)",
        "tombstones_by_age (at<?)",
        "PRIMARY KEY (account=? AND name=?)",
        "threadbridge_step_spending_by_age (at<?)",
        "timers_of_thread (thread_id=?)",
        "timers_of_thread (thread_id=? AND rowid<?)",
        "threads_of_contact (contact_id=?)",
        "contacts_merged (merged_into=?)",
        "identities_of_contact (contact_id=?)",
        "identities_by_value (value=?)",
        "recipients_once (broadcast_id=? AND channel=? AND conversation=?)",
        "recipients_of_message (outbox_id=?)",
        "recipients_of_thread (thread_id=?)",
        "recipients_opted_out (broadcast_id=?)",
        "recipients_unanswered (broadcast_id=? AND unanswered>?)",
        "broadcasts_of_account (account=?)",
        "broadcasts_of_account (account=? AND created_at<?)",
        "recipients_standing (broadcast_id=? AND status=? AND number>?)",
        "recipients_standing (broadcast_id=? AND status=? AND number=?)",
    }
)
"""Searches that end at a row, or at a few: of one message, of one person, of one segment, of one page."""
_ALL_THAT_WAITS: Final = "all that waits"
_WHOLE_TABLE: Final = "a whole table"
_WHOLE_INDEX: Final = "a whole index"
_HISTORY: Final = "the history"
_ROWS_ONWARDS: Final = "a table from a row on"
_BOUNDED: Final = {
    views.COUNTS: (_ALL_THAT_WAITS, "counts it, for a person who looks"),
    queries.OPEN_EVENTS: (_ALL_THAT_WAITS, "counts it, for a person who looks"),
    queries.OPEN_MESSAGES: (_ALL_THAT_WAITS, "counts it, for a person who looks"),
    queries.DEAD: (_ALL_THAT_WAITS, "counts it, for a person who looks"),
    queries.DEAD_LETTERS[0]: (_ALL_THAT_WAITS, "a page of the newest, in the order of the index"),
    queries.DEAD_LETTERS[1]: (_ALL_THAT_WAITS, "a page of the newest, in the order of the index"),
    queries.HELD_THREADS: (_ALL_THAT_WAITS, "a page of the newest, in the order of the index"),
    LOOKS.held: (_ALL_THAT_WAITS, "a page of the newest, in the order of the index"),
    LOOKS.waiting: (_ALL_THAT_WAITS, "ends after so many threads, for a person who looks"),
    LOOKS.dead: (_ALL_THAT_WAITS, "ends after so many rows, for a person who looks"),
    QUERIES.heard: (_HISTORY, "the next conversation in the index, once for each, for a person who looks"),
    views.ACCOUNTS: (_HISTORY, "the next name in the index, once for each account"),
    queries.LAST_RECEIVED: (_WHOLE_TABLE, "ends after so many rows"),
    queries.RAWS: (_ROWS_ONWARDS, "ends after so many rows"),
    queries.UNCONFIRMED: (f"{_WHOLE_TABLE}, {_ROWS_ONWARDS}", "ends where the time asked for ends"),
    media.FORGOTTEN_MEDIA: (_ALL_THAT_WAITS, "a page of the oldest, in the order of the index"),
    statuses.ANY_EARLY: (f"{_WHOLE_TABLE}, {_WHOLE_INDEX}", "one row"),
    inbox.ANY_TOMBSTONE: (f"{_WHOLE_TABLE}, {_WHOLE_INDEX}", "one row"),
    erasure.RAW_BESIDE: (_ROWS_ONWARDS, "from a row to one 200 behind it"),
    **dict.fromkeys(retention.PAGES.values(), (_ROWS_ONWARDS, "a page")),
    **dict.fromkeys(retention.COUNTS.values(), (_ALL_THAT_WAITS, "counts it, for a person who looks")),
    steps.SPENDING: (_WHOLE_INDEX, "ends after so many rows, for a person who looks"),
    broadcasts.RECIPIENTS: (_HISTORY, "a page of one broadcast"),
    broadcasts.ACTIVE: (_ALL_THAT_WAITS, "what runs, and what is on the wire"),
    broadcasts.OLD: (_HISTORY, "a page of one broadcast"),
    broadcasts.COUNT_OLD: (_HISTORY, "counts it, for a person who looks"),
    broadcasts.OLD_AND_EMPTY: (_HISTORY, "one row of each broadcast"),
    broadcasts.COUNTED: (_HISTORY, "an index of one broadcast"),
    broadcasts.PAGES[False]: (_HISTORY, "a page of the newest"),
    contacts.PAGE.format(before="?", limit="?"): (_ROWS_ONWARDS, "a page of the newest"),
}
"""Statements that may read more than single rows: what, and what bounds it."""
_MIGRATING: Final = frozenset(part.strip() for script in MIGRATIONS for part in script.split(";\n"))


@dataclass
class Statements:
    """The statements of one test, each with the values that it was run with first."""

    seen: dict[str, Any] = field(default_factory=dict)

    def note(self, sql: str, values: Any) -> None:
        if sql.lstrip().split(maxsplit=1)[0] in {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"}:
            self.seen.setdefault(sql, values)

    def connection(self) -> type[sqlite3.Connection]:
        """A class of connections that are listened to."""
        note = self.note

        class Heard(sqlite3.Connection):
            def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
                note(sql, parameters)
                return super().execute(sql, parameters)

            def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
                rows = [*parameters]
                if rows:
                    note(sql, rows[0])
                return super().executemany(sql, rows)

        return Heard

    def problems(self) -> Iterator[str]:
        """What the planner would do that costs more with every day."""
        for sql, values in self.seen.items():
            if sql.strip() not in _MIGRATING and "sqlite_master" not in sql:
                if sql not in _answers:
                    _answers[sql] = [*_problems(sql, values)]
                yield from _answers[sql]


_answers: Final[dict[str, list[str]]] = {}
"""What was found wrong with each statement so far: plans do not depend on values, and many tests run the same ones."""


def _problems(sql: str, values: Any) -> Iterator[str]:
    allowed, _ = _BOUNDED.get(sql, ("", ""))
    for shape in SHAPES:
        for analyzed in (False, True):
            for step in _plan(_grown(shape, analyzed=analyzed), sql, values):
                if (problem := _problem(step)) and problem not in allowed:
                    yield f"{problem}, with {shape}{' and statistics' if analyzed else ''}: {step}\n{sql}"


def _problem(step: str) -> str:
    if scan := _SCAN.match(step):
        if scan[1] is None:
            return _WHOLE_TABLE
        return _ALL_THAT_WAITS if scan[1] in _WAITING else _WHOLE_INDEX
    if (search := _SEARCH.match(step)) and search[2] not in _WAITING and search[1] not in _WHOLE_KEYS:
        return _HISTORY
    return _ROWS_ONWARDS if _FROM_A_ROW.match(step) else ""


def _plan(db: sqlite3.Connection, sql: str, values: Any) -> list[str]:
    return [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]


@cache
def _grown(shape: str, *, analyzed: bool) -> sqlite3.Connection:
    """A database with a long past; little of it is open, held or dead."""
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    if analyzed:
        _grown(shape, analyzed=False).backup(db)
        db.execute("ANALYZE")
        return db
    prepare(db)
    threads, each = SHAPES[shape]
    row_ids = range(threads * each)
    states = ["done"] * 2000 + ["open", "held", "dead"]
    sent = ["sent"] * 2000 + ["open", "dead"]
    db.execute("BEGIN")
    db.executemany(
        "INSERT INTO contacts (id, account, created_at, updated_at) VALUES (?, 'shop', 1, 1)",
        [(number,) for number in range(1, 10_001)],
    )
    db.executemany(
        "INSERT INTO identities (account, kind, value, contact_id, created_at) VALUES ('shop', 'phone', ?, ?, 1)",
        [(f"+{number}", number) for number in range(1, 10_001)],
    )
    db.executemany(
        "INSERT INTO conflicts (account, kind, value, contact_id, created_at) VALUES ('shop', 'phone', ?, ?, 1)",
        [(f"+{number}", number) for number in range(1, 10_001)],
    )
    db.executemany(
        "INSERT INTO opt_outs (account, contact_id, event_id) VALUES ('shop', ?, 1)",
        [(number,) for number in range(1, 10_001)],
    )
    db.executemany(
        "INSERT INTO threads (id, account, provider, channel, conversation, created_at, updated_at, contact_id) "
        "VALUES (?, 'shop', 'konnek', 'whatsapp', ?, 1, ?, ?)",
        [(number, f"c{number}", number, number) for number in range(1, threads + 1)],
    )
    db.executemany(
        "INSERT INTO inbox (id, account, event_key, thread_id, seq, kind, event, raw, status, received_at, done_at) "
        "VALUES (?, 'shop', ?, ?, ?, 'message', x'7b7d', x'7b7d', ?, ?, ?)",
        [(2 * at + 1, f"k{at}", at % threads + 1, 2 * at + 1, states[at % len(states)], at, at) for at in row_ids],
    )
    db.executemany(
        "INSERT INTO outbox (id, key, account, thread_id, seq, kind, message, status, message_id, created_at, done_at) "
        "VALUES (?, ?, 'shop', ?, ?, 'text', x'7b7d', ?, ?, ?, ?)",
        [
            (2 * at + 2, f"o{at}", at % threads + 1, 2 * at + 2, sent[at % len(sent)], f"m{at}", at, at)
            for at in row_ids
        ],
    )
    db.executemany(
        "INSERT INTO attempts (outbox_id, attempt, at, outcome) VALUES (?, 1, 1, 'sent')",
        [(2 * at + 2,) for at in row_ids],
    )
    db.executemany(
        "INSERT INTO timers (thread_id, name, due_at, set_at, arguments, status) VALUES (?, 'n', ?, 1, x'7b7d', ?)",
        [(at % threads + 1, at, "waiting" if at % 50 == 0 else "fired") for at in row_ids],
    )
    db.executemany(
        "INSERT INTO media (account, thread_id, inbox_id, status, kind, queued_at, sha256) "
        "VALUES ('shop', ?, ?, ?, 'image', ?, ?)",
        [
            (at % threads + 1, 2 * at + 1, ["kept", "kept", "waiting", "forgotten"][at % 50 % 4], at, f"{at:x}")
            for at in row_ids
        ],
    )
    db.executemany(
        "INSERT INTO broadcasts (id, account, status, reason, content, bounds, base, begins_at, created_at, "
        "updated_at) VALUES (?, 'shop', ?, '', x'', x'', x'', 1, ?, 1)",
        [(f"b{number}", "running" if number % 50 == 0 else "done", number) for number in range(100)],
    )
    db.executemany(
        "INSERT INTO recipients (broadcast_id, number, contact, channel, conversation, fields, status, thread_id, "
        "outbox_id, opted_out, unanswered) VALUES (?, ?, '', 'whatsapp', ?, x'', ?, ?, ?, ?, ?)",
        [
            (f"b{at % 100}", at, f"c{at}", ["sent", "waiting"][at % 2], at, at, at % 50 == 0, at % 60 == 0)
            for at in range(1, 10_001)
        ],
    )
    db.execute("COMMIT")
    return db
