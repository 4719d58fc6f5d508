"""What the engine tells of each webhook, turn and attempt, for traces; times are in microseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.store.records import Arrival, InboxRow, OutboxRow, Receipt, TurnCommit


class WebhookSpan(Protocol):
    """A webhook whose events are being stored."""

    def end(self, receipts: Sequence[Receipt]) -> None:
        """They are stored; without receipts they are not."""
        ...


class TurnSpan(Protocol):
    """A turn that runs. An author's own spans are inside of it."""

    def saying(self, commit: TurnCommit) -> None:
        """What it says is about to be committed."""
        ...

    def end(self, outcome: str) -> None:
        """It ended."""
        ...


class Spans(Protocol):
    """Keeps traces. Nobody is told anything where they are off."""

    def webhook(self, arrivals: Sequence[Arrival], traceparent: str | None) -> WebhookSpan:
        """Events are about to be stored; `traceparent` is the header that came with them."""
        ...

    def turn(self, row: InboxRow) -> TurnSpan:
        """The turn of an event begins."""
        ...

    def attempted(self, row: OutboxRow, outcome: str, began: int, ended: int) -> None:
        """A try to send a message ended."""
        ...
