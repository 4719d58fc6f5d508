"""What only a checkout has: the servers that threadbridge is compared with."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bridge.bench.processes import BenchError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.bench.processes import Subject

ROOT: Final = Path(__file__).resolve().parents[2]


def is_checkout() -> bool:
    """Whether the tests lie beside the packages."""
    return (ROOT / "tests" / "bench" / "__init__.py").exists()


def from_checkout(name: str, which: str = "subjects") -> Sequence[Subject]:
    """The subjects of tests.bench.NAME, or other ones of them.

    Raises:
        BenchError: an installed wheel has none, or they are not installed.
    """
    subjects: Sequence[Subject] = getattr(_module(name), which)()
    return subjects


def peer_versions() -> str:
    """The releases that the peers' environment has."""
    versions: Mapping[str, str] = _module("peers").versions()
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _module(name: str) -> Any:  # noqa: ANN401 - tests are imported by name alone
    if not is_checkout():
        raise BenchError(f"`bench {name}` needs a checkout of the project: the wheel has no tests/bench/{name}")
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return import_module(f"tests.bench.{name}")
