"""What passes between a bot's author and the tables of their own: a statement, and a row that a query found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from bridge.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHOWN: Final = 120


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that a store has checked, as that store takes it, and the values for its placeholders."""

    sql: str
    parameters: tuple[Any, ...] = ()

    @property
    def shown(self) -> str:
        """Its text in a line, for whoever looks for it in their code."""
        return " ".join(self.sql.split())[:_SHOWN]

    @property
    def size(self) -> int:
        """About how many bytes it makes the store work with."""
        values = sum(len(value) for value in self.parameters if isinstance(value, str | bytes))
        return len(self.sql) + values


class Record(Sequence[Any]):
    """A row, whose values have places and names: `row[0]`, `row["size"]`, `size, no = row`, `dict(row)`."""

    __slots__ = ("_values", "names")

    def __init__(self, names: tuple[str, ...], values: tuple[Any, ...]) -> None:
        """A row of these values, under these names."""
        self.names = names
        self._values = values

    def keys(self) -> tuple[str, ...]:
        """The names of the values, in order."""
        return self.names

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __getitem__(self, place: Any) -> Any:  # noqa: ANN401 - a place, a name or a slice, and whatever is there
        if not isinstance(place, str):
            return self._values[place]
        try:
            return self._values[self.names.index(place)]
        except ValueError:
            raise KeyError(f"no column {place!r}: there is {', '.join(self.names)}") from None

    def __eq__(self, other: object) -> bool:
        return self._values == (other._values if isinstance(other, Record) else other)

    def __hash__(self) -> int:
        return hash(self._values)

    def __repr__(self) -> str:
        return f"Record({', '.join(f'{name}={value!r}' for name, value in zip(self.names, self._values, strict=True))})"
