"""What a committed unit of work means to those outside the store."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from bridge.errors import StoreError
from bridge.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

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


def together(results: Iterable[Result | StoreError]) -> Result:
    """What a transaction means to its listener: the results of its units in one."""
    news = Result()
    received, queued, threads = news.received, news.queued, news.threads
    for result in results:
        if isinstance(result, StoreError):
            continue
        threads |= result.threads
        if result.received:
            received += result.received
        if result.queued:
            queued += result.queued
        if result.resolved:
            news.resolved += result.resolved
        if result.due is not None:
            news.due = result.due if news.due is None else min(news.due, result.due)
        if result.fetchable:
            news.fetchable = True
        if result.broadcasts:
            news.broadcasts = True
    return news
