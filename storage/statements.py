"""What an author's SQL may be, on either database: one statement, of a kind that stays inside of its transaction."""

from __future__ import annotations

from datetime import date, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from bridge.errors import HandlerError

from .sql import POSTGRES, read, split

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from .sql import Dialect, Read

CHANGES: Final = frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "WITH"})
READS: Final = frozenset({"SELECT", "WITH", "VALUES"})
_DEFINITIONS: Final = (CHANGES | {"CREATE", "ALTER", "DROP", "COMMENT", "TRUNCATE", "GRANT", "REVOKE"}) - {"WITH"}
"""What a migration may do; a query in one would lead nowhere."""
_PLAIN: Final = (type(None), bool, int, float, str, bytes)
_TYPED: Final = (*_PLAIN, date, time, timedelta, Decimal, UUID, list)
_LARGEST: Final = 1 << 63
_OURS: Final = "threadbridge"
_SESSION: Final = ("set_config", "pg_advisory", "pg_try_advisory", "pg_notify", "pg_terminate", "dblink")
"""Functions whose names begin so reach out of the transaction, or into ours."""
_WHO: Final = {CHANGES: "turn.execute()", READS: "turn.fetch()"}
_WANTED: Final = {
    CHANGES: "changes rows: INSERT, UPDATE or DELETE; turn.fetch() reads them",
    READS: "reads rows: SELECT; turn.execute() changes them",
}


def checked(sql: str, parameters: Sequence[Any], dialect: Dialect, kinds: frozenset[str]) -> Read:
    """A statement of one of these kinds and the values for it.

    Raises:
        HandlerError: it is another, or several, or its values are no values of it.
    """
    who = _WHO[kinds]
    if not isinstance(sql, str):
        raise HandlerError(f"{who} takes a text of SQL, not a {type(sql).__name__}")
    _check_text(sql, who)
    statement = read(sql, dialect)
    if not statement.is_one:
        raise HandlerError(f"{who} takes one statement at a time: call it once for each")
    if statement.kind not in kinds:
        raise HandlerError(f"{who} {_WANTED[kinds]}. This is {statement.kind or 'no statement'}")
    if statement.is_numbered and dialect is not POSTGRES:
        raise HandlerError(f"{who} takes ? for each parameter")
    if statement.placeholders != len(parameters):
        raise HandlerError(f"{who} has {statement.placeholders} placeholders, and {len(parameters)} parameters")
    types = _TYPED if dialect is POSTGRES else _PLAIN
    for number, value in enumerate(parameters, 1):
        _check_value(value, types, f"parameter {number} of {who}")
    if dialect is POSTGRES:
        check_names(statement)
    return statement


def check_names(statement: Read) -> None:
    """Raises HandlerError where a statement for PostgreSQL names what is not the author's."""
    for token in statement.tokens:
        name = token.folded
        if name == _OURS or name.startswith(f"{_OURS}_") or (token.kind == "name" and token.text[0] in "uU"):
            raise HandlerError(
                f"{token.text} is a name of threadbridge's own: its tables are not for a bot's statements"
            )
        if name.startswith(_SESSION):
            raise HandlerError(f"{token.text}() reaches beyond the transaction of the turn")


def definitions(script: str, dialect: Dialect) -> list[str]:
    """The statements of a migration.

    Raises:
        HandlerError: one of them cannot be part of a transaction that somebody else begins and ends, or reads only.
    """
    _check_text(script, "a migration")
    parts = split(script, dialect)
    for part in parts:
        statement = read(part, dialect)
        if statement.kind not in _DEFINITIONS:
            words = ", ".join(sorted(_DEFINITIONS))
            raise HandlerError(f"{statement.kind or part.strip()[:20]} is no part of a migration; there is {words}")
        if dialect is POSTGRES:
            check_names(statement)
    return parts


def held(parameters: Sequence[Any]) -> tuple[Any, ...]:
    """The values as they are now, whatever their author does to a list later."""
    return tuple([*value] if isinstance(value, list) else value for value in parameters)


def _check_text(text: str, what: str) -> None:
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise HandlerError(f"{what} has a NUL character or a lone surrogate, which no database keeps")


def _check_value(value: object, types: Collection[type], what: str) -> None:
    if not isinstance(value, tuple(types)):
        names = ", ".join(kind.__name__ for kind in types if kind is not type(None))
        raise HandlerError(f"{what} is a {type(value).__name__}; there is {names} and None")
    if isinstance(value, str):
        _check_text(value, what)
    if type(value) is int and not -_LARGEST <= value < _LARGEST:
        raise HandlerError(f"{what} is larger than 64 bits")
