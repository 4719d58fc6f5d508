"""Values that msgspec makes are what Python's frozen dataclasses are."""

from __future__ import annotations

import dataclasses
from dataclasses import field, replace

import orjson
import pytest

from bridge.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """With what rows have: a field that does not count for equality, and one that is optional."""

    id: int
    key: str = ""
    size: int = field(default=0, compare=False)
    parts: list[str] = field(default_factory=list, compare=False)

    @property
    def is_named(self) -> bool:
        """Whether it has a key."""
        return bool(self.key)


def test_equal_values_are_equal_and_have_one_hash() -> None:
    assert Row(id=1, size=5) == Row(id=1, size=7)
    assert hash(Row(id=1, size=5)) == hash(Row(id=1, size=7))
    assert Row(id=1) != Row(id=2)
    assert {Row(id=1), Row(id=1, key="")} == {Row(id=1)}


def test_they_are_dataclasses_with_slots_and_named_arguments_alone() -> None:
    assert replace(Row(id=1, key="a"), id=2) == Row(id=2, key="a")
    assert [own.name for own in dataclasses.fields(Row)] == ["id", "key", "size", "parts"]
    assert dataclasses.asdict(Row(id=1)) == {"id": 1, "key": "", "size": 0, "parts": []}
    assert orjson.loads(orjson.dumps(Row(id=1))) == dataclasses.asdict(Row(id=1))
    assert not hasattr(Row(id=1), "__dict__")
    with pytest.raises(TypeError):
        Row(1)  # type: ignore[call-arg]


def test_their_fields_stay_and_each_has_defaults_of_its_own() -> None:
    row = Row(id=1)
    with pytest.raises(AttributeError):
        row.id = 2  # type: ignore[misc] # this is what is tested
    row.parts.append("a")
    assert Row(id=1).parts == []
    assert (row.is_named, repr(row)) == (False, "Row(id=1, key='', size=0, parts=['a'])")
