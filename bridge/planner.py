"""Message and capabilities to a plan: what a message becomes on one channel, purely.

Nothing is silently lost: whatever a channel cannot carry is named in the plan.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Something the contact may still choose in a thread: how it was numbered (or None), and what comes back."""

    number: int | None
    key: str
    title: str
