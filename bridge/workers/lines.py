"""The parent's lines in the log, in the form that bridge.log gives those of its workers."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from datetime import UTC, datetime


class Lines:
    """Writes to standard error; a line that cannot be written is lost."""

    def __init__(self, *, as_json: bool) -> None:
        """Readable, or `as_json`."""
        self._as_json = as_json

    def write(self, level: str, action: str, **fields: object) -> None:
        """One line about a transition."""
        stamp = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        known = {name: value for name, value in fields.items() if value is not None}
        if self._as_json:
            line = json.dumps({**known, "level": level, "action": action, "timestamp": stamp})
        else:
            line = f"{stamp} [{level:<8}] {action:<30} {' '.join(f'{name}={value}' for name, value in known.items())}"
        with suppress(OSError, ValueError):
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
