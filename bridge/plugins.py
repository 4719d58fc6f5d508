"""What other packages plug in by entry points."""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import EntryPoint, distributions
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def plugged_in(group: str) -> Mapping[str, EntryPoint]:
    """The entry points of a group by their names; what is installed after the first look shows at the next start."""
    found: dict[str, EntryPoint] = {}
    for folder in reversed(sys.path):  # the first has the last word, as for imports
        found |= _in_folder(folder).get(group, {})
    return found


@cache
def _in_folder(folder: str) -> Mapping[str, Mapping[str, EntryPoint]]:
    """By group, then by name. A look reads the metadata of every package: 7 ms, and an account takes several."""
    found: dict[str, dict[str, EntryPoint]] = {}
    for entry in (each for package in distributions(path=[folder]) for each in package.entry_points):
        found.setdefault(entry.group, {}).setdefault(entry.name, entry)
    return found
