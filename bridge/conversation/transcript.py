"""What was said in a thread, as a handler reads it, and as language models want it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bridge.events import Echo, Message, Postback
from bridge.messages import choices_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from bridge.events import Event
    from bridge.messages import Outgoing


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing said earlier in the thread: an `event` that came in or a `message` that went out, and when (UTC)."""

    direction: Literal["in", "out"]
    at: datetime
    event: Event | None = None
    message: Outgoing | None = None


def pairs_of(entries: Iterable[Entry]) -> list[dict[str, str]]:
    """Entries as {"role": "user" or "assistant", "content": text}, the roles in turns.

    What one side said in a row is joined by line ends. A human agent counts as the assistant. What has no words is
    named in brackets, like "[image] caption".
    """
    pairs: list[dict[str, str]] = []
    for entry in entries:
        role, words = _spoken(entry)
        if not words:
            continue
        if pairs and pairs[-1]["role"] == role:
            pairs[-1]["content"] += f"\n{words}"
        else:
            pairs.append({"role": role, "content": words})
    return pairs


def _spoken(entry: Entry) -> tuple[str, str]:
    match entry.event:
        case Message() as event:
            caption = event.media.caption if event.media else ""
            named = event.location.name if event.location else ""
            words = " ".join(part for part in (event.text, caption, named) if part)
            return "user", words if event.kind == "text" else f"[{event.kind}] {words}".strip()
        case Postback() as event:
            return "user", event.title or event.key
        case Echo(human=True) as event:  # our own ones are entries of their own
            return "assistant", event.text
    return "assistant", _said(entry.message) if entry.message is not None else ""


def _said(message: Outgoing) -> str:
    words = next((text for name in ("text", "caption", "name") if (text := getattr(message, name, None))), "")
    shown = words if message.kind in _WORDY else f"[{message.kind}] {words}".strip()
    return "\n".join([shown, *(f"- {choice.title}" for choice in choices_of(message))])


_WORDY = frozenset({"text", "buttons", "menu"})
