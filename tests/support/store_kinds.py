"""The stores that go through the Store port's contract: a further one is a further line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreKind:
    """A store to test: its URL, given an empty folder, and whether what it holds outlives its closing."""

    name: str
    url: Callable[[Path], str]
    survives: bool = True


KINDS: Final = (
    StoreKind(name="sqlite in memory", url=lambda _: "sqlite://", survives=False),
    StoreKind(name="sqlite in a file", url=lambda folder: f"sqlite:///{folder / 'store.db'}"),
)
