"""Media as a store keeps them: a row for each file of a contact, and for each of ours. The bytes are elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.events import Message
from bridge.frozen import dataclass

if TYPE_CHECKING:
    from bridge.events import Event
    from bridge.store.lifecycle import MediaState


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptMedium:
    """Bytes in the media store, which their hash names (`sha256`, in hexadecimal). `mime_type` is what they are."""

    sha256: str
    size: int
    mime_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaRow:
    """A medium. `inbox_id` is its event, None for one of ours; `kind` is the kind of its message.

    `url` is where it is fetched, at the next `attempt` and not before `available_at`; `queued_at` is when it came
    (microseconds). `reason` is why the last try failed.
    """

    id: int
    account: str
    thread_id: int
    inbox_id: int | None
    state: MediaState
    kind: str
    url: str
    attempt: int = 1
    available_at: int = 0
    queued_at: int = 0
    sha256: str = ""
    size: int = 0
    mime_type: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchEnd:
    """The end of a fetch: its bytes are `kept`, or None and the `reason`."""

    media_id: int
    at: int
    kept: KeptMedium | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRetry:
    """A fetch that failed and is tried again, not before `available_at`; `attempt` is that of the next try."""

    media_id: int
    attempt: int
    available_at: int
    reason: str


def is_medium(event: Event) -> bool:
    """Whether an event is a contact's message with a file."""
    return isinstance(event, Message) and event.media is not None
