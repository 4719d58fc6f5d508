"""Whether the bot has nothing to say to an event, because of the person who has its thread or took it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.engine.handoff import is_too_late, returns
from bridge.events import Message

if TYPE_CHECKING:
    from bridge.engine.turns.judging import Judge
    from bridge.engine.turns.marks import Marks
    from bridge.engine.turns.matching import Matcher
    from bridge.store.records import InboxRow, ThreadRow


async def is_silent(row: InboxRow, thread: ThreadRow, judge: Judge, matcher: Matcher, marks: Marks) -> bool:
    """So it is, unless a rule is for conversations that a person has."""
    if is_too_late(row, thread):
        return True
    if not thread.is_held or returns(row.event):
        return thread.is_held != returns(row.event)
    meant = await judge.meant(row, thread) if isinstance(row.event, Message) else row
    with marks.around(row):
        return meant is None or not matcher.speaks(meant.event, thread)
