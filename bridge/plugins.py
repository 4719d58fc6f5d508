"""What other packages plug in by entry points."""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def plugged_in(group: str) -> Mapping[str, EntryPoint]:
    """The entry points of a group by their names; what is installed after the first look shows at the next start."""
    return _plugged_in(group, tuple(sys.path))


@cache
def _plugged_in(group: str, _: tuple[str, ...]) -> Mapping[str, EntryPoint]:
    # A look reads the metadata of every installed package: 7 ms, and each account of a configuration takes several.
    return MappingProxyType({entry.name: entry for entry in entry_points(group=group)})
