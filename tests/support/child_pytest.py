"""pytest in a process of its own, for tests of tests: with our plugin alone, since the others take long to import."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from tests.support.warm_python import python

if TYPE_CHECKING:
    from collections.abc import Mapping

ALONE: Final[Mapping[str, str]] = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-p bridge.testing.plugin"}
"""Variables for it."""
ARGUMENTS: Final = ("-m", "pytest", "-q", "-p", "no:cacheprovider")


def command(*options: str) -> list[str]:
    """It, with options."""
    return [python(), *ARGUMENTS, *options]


def environment(*places: object) -> dict[str, str]:
    """That of this process, with those variables; modules are found in `places`."""
    return {**os.environ, **ALONE, "PYTHONPATH": os.pathsep.join(map(str, places))}
