"""pytest in a process of its own, for tests of tests: with our plugin alone, since the others take long to import."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ALONE: Final[Mapping[str, str]] = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-p bridge.testing.plugin"}
"""Variables for it."""
COMMAND: Final = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")


def environment(*places: object) -> dict[str, str]:
    """That of this process, with those variables; modules are found in `places`."""
    return {**os.environ, **ALONE, "PYTHONPATH": os.pathsep.join(map(str, places))}
