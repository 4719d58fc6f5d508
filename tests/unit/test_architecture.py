"""The import contracts of pyproject.toml: the packages keep them, and each breaks by an import that it forbids."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
CONFIGURATION: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
CONTRACTS: Final = {contract["id"]: contract for contract in CONFIGURATION["contracts"]}

FORBIDDEN: Final = (
    ("layers", "bridge/clock.py", "import bridge.messages"),
    ("layers", "bridge/clock.py", "def late():\n    from bridge.messages import Text"),
    ("layers", "bridge/clock.py", "if TYPE_CHECKING:\n    from bridge.messages import Text"),
    ("layers", "bridge/emulation/faults.py", "import bridge.app.http"),
    ("layers", "bridge/newcomer.py", "'a module without a layer'"),
    ("engine", "bridge/engine/backoff.py", "from bridge.engine.watchdog import Watchdog"),
    ("engine", "bridge/engine/newcomer.py", "'a module without a layer'"),
    ("siblings", "bridge/web/limits.py", "def late():\n    from bridge.web import server"),
    ("siblings", "storage/results.py", "import storage.writer"),
    ("door", "bridge/app/http.py", "from bridge import Text"),
    ("handlers", "handlers/echo.py", "from bridge.engine.lanes import Lanes"),
    ("handlers", "handlers/echo.py", "def late():\n    import storage.writer"),
    ("product", "bridge/app/serve.py", "import storage"),
    ("product", "bridge/web/health.py", "import sqlite3"),
    ("test-kit", "bridge/cli/urls.py", "from bridge.testing.world import World"),
    ("test-kit", "bridge/__init__.py", "def late():\n    import bridge.testing"),
    ("test-kit", "bridge/app/serve.py", "import pytest"),
    ("test-kit", "storage/writer.py", "import pytest"),
    ("purity", "bridge/planning/split.py", "def late():\n    import time"),
    ("purity", "bridge/planning/split.py", "import bridge.clock"),
    ("purity", "bridge/conversation/turn.py", "import asyncio"),
    ("storage", "storage/writer.py", "from bridge.clock import SystemClock"),
    ("storage", "storage/writer.py", "if TYPE_CHECKING:\n    from bridge import Text"),
    ("independence", "bridge/providers/konnek/wire.py", "import bridge.providers.aelyst.wire"),
)
"""A contract, and the line at the end of a module that breaks it and no other."""


def copied(folder: Path) -> Path:
    """The packages and their contracts, where a module may be spoiled."""
    for package in CONFIGURATION["root_packages"]:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.mark.slow
def test_the_packages_keep_every_contract_and_each_forbidden_import_breaks_its_own_alone(tmp_path: Path) -> None:
    """One test, for one process checks the copy as it is and after each line."""
    run = subprocess.run(
        [sys.executable, ROOT / "tests" / "support" / "spoiled_packages.py"],
        cwd=copied(tmp_path),
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        input=json.dumps([(module, line) for _, module, line in FORBIDDEN]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    unchanged, *spoiled = json.loads(run.stdout.splitlines()[-1])
    assert unchanged == []
    assert list(zip(FORBIDDEN, spoiled, strict=True)) == [(row, [row[0]]) for row in FORBIDDEN]


def test_every_contract_is_seen_to_break() -> None:
    assert {contract for contract, _, _ in FORBIDDEN} == CONTRACTS.keys()


def test_every_provider_is_held_apart_from_the_others() -> None:
    folders = (init.parent.name for init in (ROOT / "bridge" / "providers").glob("*/__init__.py"))
    assert set(CONTRACTS["independence"]["modules"]) == {f"bridge.providers.{name}" for name in folders}
