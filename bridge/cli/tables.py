"""Lists on a terminal: a table, or a paragraph an item where the table is too wide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Rows = Sequence[Mapping[str, object]]
    Cell = Callable[[object], str]

_REASON: Final = "reason"
_TITLED: Final = frozenset(
    {"step", "attempt", "kept_events", "open_events", "open_messages", "oldest", "dead", "active", "events", "threads"}
)
"""Columns whose values need their title."""
_ANY_WIDTH: Final = 100_000


def draw(rows: Rows, columns: Sequence[str], cell: Cell) -> None:
    """Draw a list, each value as `cell` writes it. Paragraphs replace a table that the terminal would break."""
    console = Console()
    table = _table(rows, columns, cell)
    wanted = Measurement.get(console, console.options.update(max_width=_ANY_WIDTH), table).maximum
    console.print(table if wanted <= console.width else _paragraphs(rows, columns, cell))


def _table(rows: Rows, columns: Sequence[str], cell: Cell) -> Table:
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in columns:
        table.add_column(_title(name))
    for row in rows:
        table.add_row(*(Text(cell(row[name])) for name in columns))
    return table


def _paragraphs(rows: Rows, columns: Sequence[str], cell: Cell) -> Table:
    """Each item under its first column. A bare number carries its title, and no value is cut."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    head, *others = columns
    for row in rows:
        facts = "  ".join(_fact(name, cell(row[name])) for name in others if name != _REASON and row[name])
        reason = cell(row[_REASON]) if _REASON in others else ""
        grid.add_row(Text(cell(row[head])), Text("\n".join(filter(None, (facts, reason)))))
    return grid


def _fact(name: str, text: str) -> str:
    return f"{_title(name)} {text}" if name in _TITLED else text


def _title(name: str) -> str:
    return name.removeprefix("open_").removesuffix("_at")
