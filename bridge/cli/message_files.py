"""Messages as JSON in files, as `explain` and `send` read them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import orjson

from bridge.errors import ConfigError, Problem
from bridge.messages import decode_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.messages import Outgoing

T = TypeVar("T")

_PIPE: Final = Path("-")


def read_message(file: Path) -> Outgoing:
    """The message in a file, or on standard input for `-`.

    Raises:
        ConfigError: it is no message.
        OSError: the file cannot be read.
    """
    return _read(file, decode_message)


def read_json(file: Path) -> object:
    """The JSON in a file, or on standard input for `-`. Raises as `read_message`."""
    return _read(file, orjson.loads)


def _read(file: Path, read: Callable[[bytes], T]) -> T:
    try:
        return read(sys.stdin.buffer.read() if file == _PIPE else file.read_bytes())
    except ValueError as error:
        raise ConfigError([Problem("standard input" if file == _PIPE else str(file), "", str(error))]) from None
