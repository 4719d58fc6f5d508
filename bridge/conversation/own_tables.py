"""The author's own tables, as a turn has them: rows change with its commit, and are read as they were committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from bridge.errors import HandlerError
from bridge.statements import Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.conversation.draft import Draft
    from bridge.statements import Record

STATEMENT_LIMIT: Final = 1000
"""Statements that one turn may execute."""
STATEMENT_SIZE: Final = 4 << 20
"""Bytes of their texts and values, about: all of them go into one transaction, and others wait for it."""


class Tables(Protocol):
    """The tables of a running bridge."""

    def statement(self, sql: str, parameters: Sequence[Any]) -> Statement:
        """Check a statement that changes rows. Raises HandlerError."""
        ...

    async def fetch(self, sql: str, parameters: Sequence[Any]) -> list[Record]:
        """The rows of a query, as committed. Raises HandlerError."""
        ...


class NoTables:
    """Implements Tables where no bridge runs."""

    def statement(self, sql: str, parameters: Sequence[Any]) -> Statement:
        """Take whatever it is."""
        return Statement(sql, tuple(parameters))

    async def fetch(self, sql: str, parameters: Sequence[Any]) -> list[Record]:
        """Refuse."""
        del sql, parameters
        raise HandlerError("tables are read in turns of a running bridge only")


class OwnTables:
    """The part of a turn that has to do with the author's own tables."""

    __slots__ = ()
    _draft: Draft
    _services: Tables

    def execute(self, sql: str, *parameters: object) -> Self:
        """Add a statement that changes rows of your own tables, with `?` for each parameter, in order.

        It is done in the transaction of the turn's commit, or not at all: like a reply. Where the database does not
        take it, the turn fails with all that it would do, and is not tried again.

        Raises:
            HandlerError: at once, for another kind of statement, several in one, or parameters that do not go with it;
                in a step of a dialog, whose result is kept before the turn is committed.
        """
        draft = self._draft
        draft.want_open()
        if draft.in_step:
            raise HandlerError("a step cannot execute: let it return, and call turn.execute() in the dialog")
        statements = draft.effects.statements
        if len(statements) >= STATEMENT_LIMIT:
            raise HandlerError(f"a turn executes at most {STATEMENT_LIMIT} statements")
        statement = self._services.statement(sql, parameters)
        if sum(each.size for each in statements) + statement.size > STATEMENT_SIZE:
            raise HandlerError(f"a turn executes at most {STATEMENT_SIZE >> 20} MiB of statements and parameters")
        statements.append(statement)
        return self

    async def fetch(self, sql: str, *parameters: object) -> list[Record]:
        """The rows that a SELECT finds in your own tables, as last committed: without what this turn executes.

        The values of a row have places and names: `row[0]`, `row["size"]`, `size, no = row`.

        Raises:
            HandlerError: it is no query, its parameters do not go with it, or the database does not take it; or a
                dialog asks, outside of its steps: it would find something else each time.
        """
        self._draft.want_open()
        if self._draft.plays and not self._draft.in_step:
            raise HandlerError("a dialog reads its tables in a step: await d.step(function, ...)")
        return await self._services.fetch(sql, parameters)
