"""Bots of other frameworks that do the same work: webhook in, handler, one POST out, which repeats the text."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge.bench.processes import BenchError, Subject
from tests.bench.peers.dialects import slack, telegram

if TYPE_CHECKING:
    from bridge.bench.closed_loop import Dialect

ROOT: Final = Path(__file__).parents[3]
PYTHON: Final = ROOT / ".venv-peers" / "bin" / "python"
BEST: Final = "best"
PACKAGES: Final = ("aiogram", "slack-bolt", "python-telegram-bot", "chat-sdk", "aiohttp", "uvloop")
_VERSIONS: Final = (
    "import json, sys; from importlib.metadata import version;"
    "print(json.dumps({name: version(name) for name in sys.argv[1:]}))"
)


def subjects() -> list[Subject]:
    """Each framework as it is shipped, and at its best: with uvloop and gc.freeze.

    Raises:
        BenchError: they are not installed.
    """
    if not PYTHON.exists():
        raise BenchError("the peers are not installed: `make peers` installs them into .venv-peers")
    return [
        *_both("aiogram", "aiogram_bot", telegram()),
        *_both("slack-bolt", "bolt_bot", slack()),
        *_both("python-telegram-bot", "ptb_bot", telegram()),
        *_both("chat-sdk", "chat_sdk_bot", telegram()),
    ]


def versions() -> dict[str, str]:
    """What is installed in the peers' environment."""
    shown = subprocess.run([PYTHON, "-c", _VERSIONS, *PACKAGES], check=True, capture_output=True, text=True)
    found: dict[str, str] = json.loads(shown.stdout)
    return found


def _both(name: str, module: str, dialect: Dialect) -> list[Subject]:
    return [
        Subject(
            name=f"{name}, {mode}",
            module=f"tests.bench.peers.{module}",
            arguments=(mode,),
            dialect=dialect,
            python=str(PYTHON),
            environment={"PYTHONPATH": str(ROOT)},
        )
        for mode in ("shipped", BEST)
    ]
