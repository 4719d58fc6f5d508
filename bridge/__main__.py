"""`python -m bridge`, the same as `threadbridge`."""

from __future__ import annotations

from bridge.cli import app
from bridge.cli.streams import standard_streams


def main() -> None:
    """Run the command that the arguments name."""
    with standard_streams():
        app(prog_name="threadbridge")


if __name__ == "__main__":
    main()
