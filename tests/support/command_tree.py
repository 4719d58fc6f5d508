"""The whole command line, with every command imported."""

from __future__ import annotations

from functools import cache
from typing import Any

import typer

from bridge.cli import app


@cache
def command_tree() -> Any:
    root: Any = typer.main.get_command(app)
    root.commands = {name: listed.load() for name, listed in root.commands.items()}
    return root
