"""What SQLite's planner says to each statement of the store, in databases that have grown."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from storage.sqlite import queries, statuses
from storage.sqlite.connection import prepare
from storage.sqlite.schema import MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

SHAPES: Final = {"few long conversations": (4, 500), "many short ones": (1000, 2)}
"""How many threads, and how many events and messages in each."""
_GROWS: Final = re.compile(
    r"^SCAN (inbox|outbox|threads|attempts|timers|steps|early_statuses|i|o|t|r|w|e|a)\b(?! USING)"
)
_INDEXED: Final = re.compile(r"^SCAN \w+ USING (?:COVERING )?INDEX (\w+)")
_HISTORY: Final = re.compile(r"INDEX (?:in|out)box_history\b")
_PARTIAL: Final = re.compile(r"CREATE INDEX (\w+) ON [^;]* WHERE")
_SMALL: Final = frozenset(name for script in MIGRATIONS for name in _PARTIAL.findall(script))
"""Indexes of the rows that wait, or are held or dead: they do not grow with the history."""
_BOUNDED: Final = {
    queries.SUMMARY: "a list, for a person who looks",
    queries.UNCONFIRMED: "ends where the time asked for ends",
    queries.LAST_RECEIVED: "ends after so many rows",
    statuses.ANY_EARLY: "one row",
}
"""Scans that are meant, each with what bounds it."""
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
            if sql.strip() not in _MIGRATING and sql not in _BOUNDED and "sqlite_master" not in sql:
                yield from _problems(sql, values)


def _problems(sql: str, values: Any) -> Iterator[str]:
    for shape in SHAPES:
        for analyzed in (False, True):
            for step in _plan(_grown(shape, analyzed=analyzed), sql, values):
                if problem := _problem(sql, step):
                    yield f"{problem}, with {shape}{' and statistics' if analyzed else ''}: {step}\n{sql}"


def _problem(sql: str, step: str) -> str:
    if _GROWS.match(step):
        return "a whole table"
    if (index := _INDEXED.match(step)) and not index[1].startswith("sqlite_autoindex") and index[1] not in _SMALL:
        return "a whole index"
    if _HISTORY.search(step) and "status = 'open'" in sql:
        return "the history, for work"
    return ""


def _plan(db: sqlite3.Connection, sql: str, values: Any) -> list[str]:
    return [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]


@cache
def _grown(shape: str, *, analyzed: bool) -> sqlite3.Connection:
    """A database with a long past; little of it is open, held or dead."""
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    prepare(db)
    threads, each = SHAPES[shape]
    row_ids = range(threads * each)
    states = ["done"] * 200 + ["open", "held", "dead"]
    sent = ["sent"] * 200 + ["open", "dead"]
    db.execute("BEGIN")
    db.executemany(
        "INSERT INTO threads (id, account, provider, channel, conversation, created_at, updated_at) "
        "VALUES (?, 'shop', 'konnek', 'whatsapp', ?, 1, ?)",
        [(number, f"c{number}", number) for number in range(1, threads + 1)],
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
    db.execute("COMMIT")
    if analyzed:
        db.execute("ANALYZE")
    return db
