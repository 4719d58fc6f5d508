"""What one channel of a provider can carry."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What one channel of a provider can carry. A limit of 0 means: not at all; None: no limit known.

    `kinds` are the message kinds (bridge.messages) sent natively. Lengths are in characters. `header` holds the
    kinds a header may have. `window` is the seconds after the contact's last message in which free text may be sent.
    """

    kinds: frozenset[str]
    text: int | None = None
    buttons: int = 0
    button_title: int | None = None
    button_key: int | None = None
    rows: int = 0
    row_title: int | None = None
    header: frozenset[str] = frozenset()
    footer: bool = False
    caption: bool = False
    reply_to: bool = False
    schedule: bool = False
    statuses: bool = False
    idempotency_key: bool = False
    window: float | None = None
    tags: frozenset[str] = frozenset()
