"""Logs: one line a transition, of known fields only, so that no secret and nobody's words can get into them."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import MutableMapping

FIELDS: Final = frozenset(
    {
        "account",
        "action",
        "attempt",
        "count",
        "event_key",
        "file",
        "handler",
        "key",
        "lane",
        "level",
        "message_id",
        "outcome",
        "pid",
        "provider",
        "reason",
        "seconds",
        "signal",
        "status",
        "thread",
        "timestamp",
        "traceback",
        "url",
    }
)
"""What a log line may say. Texts, contacts, headers and bodies have no field."""

_LONGEST: Final = 256
_LONGEST_TRACEBACK: Final = 4096

log: Final = structlog.get_logger("threadbridge")


def configure_logs(*, level: int = logging.INFO, as_json: bool | None = None) -> None:
    """Lines on stderr: JSON, or readable ones on a terminal (`as_json` None: whichever fits)."""
    as_json = not sys.stderr.isatty() if as_json is None else as_json
    renderer: Any = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(event_key="action")
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.EventRenamer("action"),
            known_fields,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def known_fields(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep known fields, each of bounded length and on one line."""
    for name in [*line]:
        if name not in FIELDS:
            del line[name]
        elif isinstance(value := line[name], str):
            longest = _LONGEST_TRACEBACK if name == "traceback" else _LONGEST
            line[name] = _printable(value if len(value) <= longest else value[: longest - 1] + "…")
    return line


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
