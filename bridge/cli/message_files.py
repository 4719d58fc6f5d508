"""Messages as JSON in files, as `explain` and `send` read them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge.errors import ConfigError, Problem
from bridge.messages import decode_message

if TYPE_CHECKING:
    from bridge.messages import Outgoing

_PIPE: Final = Path("-")


def read_message(file: Path) -> Outgoing:
    """The message in a file, or on standard input for `-`.

    Raises:
        ConfigError: it is no message.
        OSError: the file cannot be read.
    """
    try:
        return decode_message(sys.stdin.buffer.read() if file == _PIPE else file.read_bytes())
    except ValueError as error:
        raise ConfigError([Problem("standard input" if file == _PIPE else str(file), "", str(error))]) from None
