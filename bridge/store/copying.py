"""A store, or one account of it, copied into another one: the order of the work, and the comparison of every value.

The tables and their columns are those that the two stores say they have. Rows go in the order of their keys, so the
greatest key in the target is how far a copy came. A copy that was killed needs no other note.
"""

from __future__ import annotations

import hashlib
import marshal
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from bridge.errors import Broken, StoreError, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

Value = int | float | str | bytes | None
Row = tuple[Value, ...]
"""The values of a table's columns, those of its key first."""
Key = tuple[Value, ...]

INHERITED: Final = "inherited "
"""How the name of a secret begins that an account brought with it from another store."""
BATCH_BYTES: Final = 2 << 20
"""What a batch of rows has, about."""
BATCH_ROWS: Final = 2_000
"""What a batch has at most: rows that are small, and may be followed by large ones."""
FIRST_ROWS: Final = 100
"""What the first batch of a table has at most."""
_LIST_HEAD: Final = 5
"""Bytes before the items of a list, as marshal writes it."""
_ROUNDS: Final = 2
"""How often a table is copied: a copy that is resumed may find a source that has changed since."""


class CopyRefused(StoreError):
    """The two stores are not what a copy can be made of; the text says what to do."""


class Table(NamedTuple):
    """A table as both stores have it. `key` is the first of its `columns`, and orders its rows."""

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]


class CopyEnd(Protocol):
    """A store that is owned. Its methods raise Unavailable, Broken, StoreError.

    Opened for one account, it has the rows of that account and no other.
    """

    name: str
    """Which store it is, without a password; the same at each opening."""
    account: str
    """Whose rows are copied; "": all."""

    async def tables(self) -> Mapping[str, Table]:
        """What is to be copied, by name; what the store keeps of its own working is left out."""
        ...

    async def count(self, table: Table) -> int:
        """How many rows a table has."""
        ...

    async def rows(self, table: Table, after: Key | None, limit: int) -> Sequence[Row]:
        """The next rows in the order of their keys, at most `limit`."""
        ...

    async def close(self) -> None:
        """Let go of the store."""
        ...


class CopySource(CopyEnd, Protocol):
    """The store that is copied. It stays as it is until `remove`."""

    async def check_apart(self) -> None:
        """Raises CopyRefused: a contact of the account is one person with a contact of another account."""
        ...

    async def inheritance(self) -> Mapping[str, str]:
        """The secrets of the whole store by name, which its accounts have used: each several, parted by spaces."""
        ...

    async def remove(self, tables: Sequence[Table]) -> None:
        """Remove the rows of the account; those of a table before those that they refer to."""
        ...


class CopyTarget(CopyEnd, Protocol):
    """The store that becomes the copy.

    One that other accounts have rows in gives those of the account other numbers: `expected` is how it has them.
    """

    async def begin(self, source: str) -> bool:
        """Mark it as an unfinished copy of `source`: from now on nothing else opens it.

        Whether it is compared already, and the source is being emptied.

        Raises:
            CopyRefused: it holds something else.
        """
        ...

    def expected(self, table: Table, rows: Sequence[Row]) -> list[Row]:
        """Rows of the source, with the numbers that they have here."""
        ...

    async def reached(self, table: Table) -> Key | None:
        """The greatest key that is here, as the source has it; None: no row is here."""
        ...

    async def inherit(self, secrets: Mapping[str, str]) -> None:
        """Keep secrets for the account: what is signed with them is still out there."""
        ...

    async def note_verified(self) -> None:
        """Note durably that all is here: from now on the source may lose rows."""
        ...

    async def write(self, table: Table, rows: Sequence[Row]) -> None:
        """Add rows, all or none."""
        ...

    async def clear(self, table: Table) -> None:
        """Remove all rows of a table."""
        ...

    async def finish(self, tables: Sequence[Table]) -> None:
        """Make it durable, give it the next numbers, and take the mark away."""
        ...


class Copied(NamedTuple):
    """A table that is copied: how many rows, and the checksum of all values, the same for each kind of store."""

    table: str
    rows: int
    checksum: str


class Progress(NamedTuple):
    """How far a copy is: each row counts twice, once copied and once compared."""

    table: str
    done: int
    total: int


async def copy_store(
    source: CopySource, target: CopyTarget, tell: Callable[[Progress], None], *, removes: bool = False
) -> list[Copied]:
    """Copy all of `source`, or what an earlier copy has left; compare all of it; then open the target for use.

    With `removes` the source loses what is copied, after the comparison; an earlier call may have begun with that.

    Raises:
        CopyRefused: the target is not empty, or lacks a table.
        Broken: the target has something else than what was written to it.
    """
    tables = _agreed(await source.tables(), await target.tables())
    await source.check_apart()
    copied: list[Copied] = []
    if not await target.begin(source.name):
        counts = {table.name: await source.count(table) for table in tables}
        if target.account and not any(counts.values()):
            await target.finish(tables)
            raise CopyRefused(f"{source.name} has no rows of the account {target.account}")
        copying = _Copying(source, target, sum(counts.values()), tell)
        copied = [await copying.copy(table, counts[table.name]) for table in tables]
        if target.account:
            await target.inherit(await source.inheritance())
    elif not removes:
        raise CopyRefused(f"the rows of {target.account} are being removed from {source.name}: go on with that")
    if removes:
        await target.note_verified()
        await source.remove(tables)
    await target.finish(tables)
    return copied


class _Copying:
    """A copy on its way."""

    def __init__(self, source: CopySource, target: CopyTarget, rows: int, tell: Callable[[Progress], None]) -> None:
        self._source = source
        self._target = target
        self._total = 2 * rows
        self._done = 0
        self._tell = tell

    async def copy(self, table: Table, count: int) -> Copied:
        """Copy and compare a table; where the source has changed since an earlier try, once more."""
        before = self._done
        for _ in range(_ROUNDS):
            self._done = before
            await self._write(table, count)
            self._done = before + count
            if (checksum := await self._compare(table)) is not None and await self._target.count(table) == count:
                self._done = before + 2 * count
                self._advance(table, 0)
                return Copied(table.name, count, checksum)
            await self._target.clear(table)
        raise Broken(f"the copy of {table.name} differs from its source, however often it is made")

    async def _write(self, table: Table, count: int) -> None:
        after = await self._target.reached(table)
        if after is not None:
            self._advance(table, min(await self._target.count(table), count))
        async for rows, _ in _batches(self._source, table, after):
            await self._write_rows(table, self._target.expected(table, rows))
            self._advance(table, len(rows))

    async def _write_rows(self, table: Table, rows: Sequence[Row]) -> None:
        """Write a batch; the error of a row that the target cannot have names the row."""
        try:
            await self._target.write(table, rows)
        except (Unavailable, Broken):
            raise
        except StoreError as error:
            if len(rows) == 1:
                key = ", ".join(map(repr, _key(table, rows[0])))
                raise CopyRefused(f"the target cannot have row {key} of {table.name}: {error}") from error
            for row in rows:
                await self._write_rows(table, [row])

    async def _compare(self, table: Table) -> str | None:
        """The checksum of a table, None where a row differs."""
        digest = hashlib.blake2b(digest_size=8)
        after: Key | None = None
        async for rows, encoded in _batches(self._source, table, None):
            expected = self._target.expected(table, rows)
            if list(await self._target.rows(table, after, len(rows))) != expected:
                return None
            digest.update(memoryview(encoded)[_LIST_HEAD:])
            after = _key(table, expected[-1])
            self._advance(table, len(rows))
        return digest.hexdigest()

    def _advance(self, table: Table, rows: int) -> None:
        self._done += rows
        self._tell(Progress(table.name, self._done, self._total))


async def _batches(source: CopyEnd, table: Table, after: Key | None) -> AsyncIterator[tuple[list[Row], bytes]]:
    """The rows after a key, in batches of about the same size, each with its bytes."""
    limit = FIRST_ROWS
    while rows := list(await source.rows(table, after, limit)):
        encoded = marshal.dumps(rows, 0)  # of this version, the same for equal values
        yield rows, encoded
        after = _key(table, rows[-1])
        limit = _next_limit(len(rows), len(encoded))


def _next_limit(rows: int, size: int) -> int:
    """How many rows to ask for next, when so many had `size` bytes; at most the double, as they may become larger."""
    return max(1, min(BATCH_ROWS, 2 * rows, rows * BATCH_BYTES // size))


def _key(table: Table, row: Row) -> Key:
    return row[: len(table.key)]


def _agreed(source: Mapping[str, Table], target: Mapping[str, Table]) -> list[Table]:
    """The tables of the source, each with the same columns in the target. Raises CopyRefused."""
    for name, table in source.items():
        if name not in target:
            raise CopyRefused(f"the target has no table {name}: make it there, or remove it from the source")
        if not table.key:
            raise CopyRefused(f"the table {name} has no primary key, which a copy goes by")
        if table.key != target[name].key:
            raise CopyRefused(f"the table {name} has another primary key in the target: {', '.join(target[name].key)}")
        if missing := set(table.columns).difference(target[name].columns):
            raise CopyRefused(f"the table {name} lacks columns in the target: {', '.join(sorted(missing))}")
    return list(source.values())


def check_begun(target: CopyEnd, source: str, begun: str, account: str) -> None:
    """Whether a copy that was begun is of the same source and account. Raises CopyRefused."""
    if (begun, account) != (source, target.account):
        what = f"{begun}, account {account}" if account else begun
        raise CopyRefused(f"{target.name} is an unfinished copy of {what}: finish that one first, or delete it")


def not_empty(target: CopyEnd, table: str) -> CopyRefused:
    """The target holds something: rows in `table`."""
    if target.account:
        return CopyRefused(f"{target.name} has rows of the account {target.account} already, in its table {table}")
    return CopyRefused(f"{target.name} is in use already, with rows in its table {table}: a copy wants a new database")


def table_of(name: str, key: Sequence[str], columns: Sequence[str]) -> Table:
    """A table whose columns stand in the order that every store gives them."""
    return Table(name, (*key,), (*key, *sorted(set(columns).difference(key))))
