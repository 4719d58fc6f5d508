"""What a committed unit of work means to those outside the store."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from bridge.frozen import dataclass

if TYPE_CHECKING:
    from bridge.store.records import InboxRow, OutboxRow


@dataclass(slots=True)
class Result:
    """`value` answers the caller; the rest is for the listener, and for followers.

    `news` is that of messages, each with its thread and number, what became of it, and why; see following.of_news.
    """

    value: Any = None
    received: list[InboxRow] = field(default_factory=list)
    queued: list[OutboxRow] = field(default_factory=list)
    due: int | None = None
    resolved: list[int] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    fetchable: bool = False
    news: list[tuple[int, int, str, str]] = field(default_factory=list)
    broadcasts: bool = False
