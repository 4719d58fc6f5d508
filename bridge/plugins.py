"""What other packages plug in by entry points."""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, distributions
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_OURS: Final = "threadbridge."
"""How the names of our groups begin."""


def plugged_in(group: str) -> Mapping[str, EntryPoint]:
    """The entry points of a group by their names; what is installed after the first look shows at the next start."""
    return _plugged_in(group, tuple(sys.path))


@cache
def _plugged_in(group: str, places: tuple[str, ...]) -> Mapping[str, EntryPoint]:
    packages: dict[str, EntryPoints] = {}
    for place in places:
        packages |= {name: entries for name, entries in _packages(place).items() if name not in packages}
    return MappingProxyType(
        {entry.name: entry for entries in packages.values() for entry in entries.select(group=group)}
    )


@cache
def _packages(place: str) -> Mapping[str, EntryPoints]:
    """The packages with entry points for us. A look reads the metadata of all that is installed there, for 7 ms."""
    packages: dict[str, EntryPoints] = {}
    for package in distributions(path=[place]):
        entries = package.entry_points
        if any(entry.group.startswith(_OURS) for entry in entries):
            packages.setdefault(package.name, entries)
    return packages
