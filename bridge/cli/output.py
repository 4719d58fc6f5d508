"""Output of commands: lists for people and for scripts, problems, and exit codes."""

from __future__ import annotations

import errno
import json
import sys
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from bridge.config.load import DEFAULT_FILE
from bridge.errors import ConfigError, HandlerError, NewerSchema, Problem, StoreError, StoreInUse
from bridge.units import moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.progress import Progress

PROVIDER_FAILED: Final = 69
STORE_BROKEN: Final = 70
NO_ADDRESS: Final = 71
STORE_IN_USE: Final = 73
CONFIGURATION: Final = 78

ConfigFile = Annotated[
    Path, typer.Option("-c", "--config", metavar="FILE", help="The configuration file.", show_default=True)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Log each turn and each message sent too.")]
DEFAULT: Final = Path(DEFAULT_FILE)

_TAKEN: Final = {
    errno.EADDRINUSE: "is in use by another program; choose another port",
    errno.EADDRNOTAVAIL: "is not an address of this machine",
}
_JOINERS: Final = "\u200c\u200d"


class NoAddress(Exception):
    """The address to listen on cannot be had now, and may be had later."""


@contextmanager
def exits() -> Iterator[None]:
    """Turns an exception of a command into lines on standard error, and into its exit code."""
    try:
        yield
    except (ConfigError, StoreError, HandlerError, NoAddress, OSError) as error:
        lines, code = in_words(error)
        if not lines:
            raise
        for line in lines:
            complain(line)
        leave(code)


def in_words(error: Exception) -> tuple[list[str], int]:
    """An exception as lines for a person, and the exit code of a command; no line: it is a mistake of ours."""
    lines, code = [str(error)], CONFIGURATION
    match error:
        case ConfigError():
            lines = [str(problem) for problem in error.problems]
        case StoreInUse():
            lines, code = [f"{error}; stop it first"], STORE_IN_USE
        case NewerSchema():
            pass
        case StoreError():
            lines, code = [f"the store cannot be used: {error}"], STORE_BROKEN
        case HandlerError():
            pass
        case NoAddress():
            code = NO_ADDRESS
        case OSError() if error.filename is not None:
            lines = [f"{error.filename}: {error.strerror}"]
        case _:
            lines = []
    return lines, code


def no_such_port(error: OSError, place: Problem) -> Exception:
    """A refused address in words; `place.reason` is the address. Other errors stay."""
    if error.filename is not None:
        return error
    if error.errno == errno.EACCES:
        return ConfigError(
            [replace(place, reason=f"{place.reason} is not allowed for this user; choose a port from 1024 on")]
        )
    reason = _TAKEN.get(error.errno or 0)
    return NoAddress(str(replace(place, reason=f"{place.reason} {reason}"))) if reason else error


def leave(code: int) -> NoReturn:
    """End the command with an exit code."""
    raise typer.Exit(code) from None


def complain(line: str) -> None:
    """One line on standard error, as far as it can be written: the exit code tells the same."""
    with suppress(OSError):
        typer.echo(clean(line), err=True)


@contextmanager
def bot_at_work() -> Iterator[None]:
    """Runs code of a bot's author inside a command: whatever it prints is no part of the command's output."""
    with redirect_stdout(sys.stderr):
        yield


def say(line: str) -> None:
    """One line on standard output."""
    typer.echo(clean(line))


def clean(text: str) -> str:
    """A text on one line, with control characters made visible. Names and reasons come from strangers."""
    return "".join(letter if letter.isprintable() or letter in _JOINERS else ascii(letter)[1:-1] for letter in text)


def time_of(micros: int) -> str:
    """Stored microseconds as text: 2026-01-31T09:30:00Z."""
    return moment(micros).strftime("%Y-%m-%dT%H:%M:%SZ")


def listing(rows: Sequence[Mapping[str, object]], *, columns: Sequence[str], as_json: bool, empty: str) -> None:
    """Print a list: JSON, a table on a terminal, or else one untruncated line an item with tabs between its columns.

    An empty list prints `empty` on standard error.
    """
    if as_json:
        typer.echo(json.dumps(rows, indent=2, default=str))
        return
    if not rows:
        complain(empty)
        return
    if sys.stdout.isatty():
        from bridge.cli.tables import draw  # noqa: PLC0415 - a script's list needs no tables

        draw(rows, columns, _cell)
        return
    for row in rows:
        typer.echo("\t".join(_cell(row[name]) for name in columns))


def counting(*, shown: bool = True) -> Progress:
    """A line on standard error that counts, shown on a terminal only."""
    from rich.console import Console  # noqa: PLC0415 - few commands count
    from rich.progress import Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (TextColumn("{task.description} {task.completed:g}"), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal))


def _cell(value: object) -> str:
    return "" if value is None else clean(str(value))
