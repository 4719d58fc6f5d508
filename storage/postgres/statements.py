"""The author's own statements on PostgreSQL: in the transaction of their turn, and where names are not ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import asyncpg

from bridge.errors import StatementFailed, StoreError, Unavailable
from bridge.statements import Record, Statement

from ..sql import POSTGRES
from ..statements import CHANGES, READS, checked, definitions, held
from .connection import LOST, connect, is_lost, is_transient, translate
from .migrations import LOCK
from .schema import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.store.migrations import Migration
    from bridge.store.records import TurnCommit

    from .connection import Address, Readers
    from .transaction import Transaction

    Verdict = StoreError | None

PATH: Final = '"$user", public'
"""Where the author's tables are found; every PostgreSQL looks there by itself."""
SECONDS: Final = 2
"""Webhooks wait while the statements of a turn run: each has so long, and half of it for the locks of others."""
READ_SECONDS: Final = 20
READING: Final = {"search_path": PATH, "statement_timeout": f"{READ_SECONDS}s"}
"""The settings of the connections for the author's queries."""
_BEGIN: Final = f"""
SAVEPOINT bot; SET LOCAL search_path = {PATH}; SET LOCAL statement_timeout = '{SECONDS}s';
SET LOCAL lock_timeout = '{SECONDS * 500}ms'; SET CONSTRAINTS ALL DEFERRED
"""
_END: Final = f"""
SET CONSTRAINTS ALL IMMEDIATE; SET LOCAL search_path = {SCHEMA}; SET LOCAL statement_timeout = 0;
SET LOCAL lock_timeout = 0; RELEASE SAVEPOINT bot
"""
"""A constraint that can wait does so until the end of the turn's statements, and fails that turn alone."""
_UNDO: Final = "ROLLBACK TO SAVEPOINT bot; RELEASE SAVEPOINT bot"
_LOCKED: Final = "55P03"
_TOO_LONG: Final = "57014"
_READ_ONLY: Final = "25006"
_MARK: Final = "/*bot*/"
"""What keeps the text of an author's statement from being one of ours, which is prepared for our tables."""
_NOTED: Final = f"SELECT 1 FROM {SCHEMA}.migrations WHERE number = $1"
_NOTE: Final = f"INSERT INTO {SCHEMA}.migrations (number, name, digest, applied_at) VALUES ($1, $2, $3, $4)"
_PATIENT: Final = 24 * 3600.0
"""Seconds for a migration, and for the one of another process before it."""


def change(sql: str, parameters: Sequence[Any]) -> Statement:
    """A statement that changes rows. Raises HandlerError."""
    return _statement(sql, parameters, CHANGES)


def query(sql: str, parameters: Sequence[Any]) -> Statement:
    """A statement that reads rows. Raises HandlerError."""
    return _statement(sql, parameters, READS)


def _statement(sql: str, parameters: Sequence[Any], kinds: frozenset[str]) -> Statement:
    read = checked(sql, parameters, POSTGRES, kinds)
    return Statement(sql if read.is_numbered else read.numbered(), held(parameters))


async def run(tx: Transaction, turns: Sequence[TurnCommit], verdicts: Sequence[StoreError | None]) -> list[Verdict]:
    """Run the statements of the turns that may be committed. One whose statement fails is not, and leaves nothing."""
    return [
        await _run(tx, turn.statements) if lost is None and turn.statements else lost
        for turn, lost in zip(turns, verdicts, strict=True)
    ]


async def _run(tx: Transaction, statements: Sequence[Statement], *, again: bool = False) -> Verdict:
    await tx.run(_BEGIN)
    shown = ""
    try:
        for statement in statements:
            shown = statement.shown
            await tx.run(f"{_MARK}{statement.sql}", *statement.parameters)
        await tx.run(_END)
    except asyncpg.InvalidCachedStatementError:  # a migration changed the table meanwhile
        if again:
            raise
        await tx.run(_UNDO)
        return await _run(tx, statements, again=True)
    except asyncpg.PostgresError as error:
        verdict = _fault(error, shown)
        if verdict is None:
            raise
        await tx.run(_UNDO)
        return verdict
    return None


async def fetch(readers: Readers, statement: Statement) -> list[Record]:
    """The rows of a query. Raises StatementFailed, Unavailable, Broken."""
    try:
        rows: list[Any] = await readers.fetch(f"{_MARK}{statement.sql}", *statement.parameters)
    except StoreError as error:
        cause = error.__cause__
        shown = statement.shown
        if isinstance(cause, asyncpg.PostgresError) and (cause.sqlstate == _READ_ONLY or _fault(cause, shown)):
            raise _failed(cause, shown) from cause
        raise
    names = tuple(rows[0].keys()) if rows else ()
    return [Record(names, tuple(row)) for row in rows]


async def migrate(address: Address, migration: Migration, at: int) -> bool:
    """Apply a migration of the author's, and note it; False: another process did.

    It has a connection of its own: this process goes on giving signs of life.

    Raises:
        HandlerError: it holds what no migration may.
        StatementFailed: PostgreSQL does not take it.
    """
    definitions(migration.script, POSTGRES)
    connection = await connect(address, read_only=False)
    try:
        async with connection.transaction():
            await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})", timeout=_PATIENT)
            if await connection.fetchval(_NOTED, migration.number):
                return False
            await connection.execute(f"SET LOCAL search_path = {PATH}")
            await connection.execute(migration.script, timeout=_PATIENT)
            await connection.execute(_NOTE, *migration.applied, at)
    except asyncpg.PostgresError as error:
        raise _fault(error, migration.name) or translate(error) from error
    except LOST as error:
        raise translate(error) from error
    finally:
        connection.terminate()
    return True


def _fault(error: asyncpg.PostgresError, statement: str) -> StatementFailed | Unavailable | None:
    """What a failed statement means for its turn alone; None: it says nothing of the statement."""
    if error.sqlstate == _LOCKED:
        return Unavailable("PostgreSQL: somebody else has rows locked that a statement of the bot's changes")
    if error.sqlstate == _TOO_LONG:
        reason = f"too slow: {SECONDS} s are there to change rows, and {READ_SECONDS} s to read them"
        return StatementFailed(f"PostgreSQL: {reason}: {statement}")
    return None if is_lost(error) or is_transient(error) else _failed(error, statement)


def _failed(error: asyncpg.PostgresError, statement: str) -> StatementFailed:
    reason = error.args[0] if error.args else type(error).__name__
    return StatementFailed(f"PostgreSQL: {reason} ({error.sqlstate}): {statement}")
