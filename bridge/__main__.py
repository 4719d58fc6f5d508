"""`python -m bridge`, the same as `threadbridge`."""

from __future__ import annotations

import gc
from typing import Final

from bridge.cli import app
from bridge.cli.streams import standard_streams

_THRESHOLD: Final = 50_000
"""What a start makes stays: at Python's own threshold of 700 it is searched for garbage 200 times in vain."""


def main() -> None:
    """Run the command that the arguments name."""
    gc.set_threshold(_THRESHOLD)
    with standard_streams():
        app(prog_name="threadbridge")


if __name__ == "__main__":
    main()
