"""`python -m bridge`, the same as `threadbridge`."""

from __future__ import annotations

from bridge.cli import app


def main() -> None:
    """Run the command that the arguments name."""
    app(prog_name="threadbridge")


if __name__ == "__main__":
    main()
