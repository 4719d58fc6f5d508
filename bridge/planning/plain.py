"""Text and media in a channel's own kinds: the forms that every other message can fall back on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from bridge.messages import Text
from bridge.planning.split import split_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.messages import Location, Medium, Outgoing
    from bridge.planning.capabilities import Capabilities
    from bridge.planning.choices import Choice

BLANK: Final = "its text is blank"
"""Ends the reason for dropping a message in which a reader would see nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Degraded:
    """A message in a channel's own kinds. `notes` name each difference; `dropped` is why no part is sent."""

    parts: tuple[Outgoing, ...] = ()
    choices: tuple[Choice, ...] = ()
    notes: tuple[str, ...] = ()
    dropped: str | None = None


def degrade_text(text: str, capabilities: Capabilities) -> Degraded:
    """A text, split to the channel's length."""
    if "text" not in capabilities.kinds or capabilities.text == 0:
        return Degraded(dropped="text: not carried here")
    pieces = split_text(text, capabilities.text, capabilities.size)
    return Degraded(parts=tuple(map(Text, pieces)), notes=split_notes(text, pieces))


def split_notes(text: str, pieces: Sequence[str]) -> tuple[str, ...]:
    """The notes on a split. A single shorter piece lost only white space at its end."""
    if len(pieces) > 1:
        return (f"text: split into {len(pieces)} messages",)
    return () if list(pieces) == [text] else ("text: white space at its end left out",)


def degrade_medium(medium: Medium, capabilities: Capabilities) -> Degraded:
    """A medium with its caption, with the caption as a text after it, or as a link."""
    caption = medium.caption
    if medium.kind not in capabilities.kinds:
        cut = () if capabilities.takes_text(medium.url) else ("url: longer than a text may be, and cut",)
        return noted(degrade_text(link(medium), capabilities), f"{medium.kind}: sent as a link", *cut)
    if not caption or (capabilities.caption and capabilities.takes_text(caption)):
        return Degraded(parts=(medium,))
    after = degrade_text(caption, capabilities)
    fate = "lost, for text is not carried here" if after.dropped else "sent as a text after it"
    return Degraded(parts=(replace(medium, caption=""), *after.parts), notes=(f"caption: {fate}", *after.notes))


def link(medium: Medium) -> str:
    """A medium as lines of text: caption, name, URL."""
    return "\n".join(filter(None, (medium.caption, medium.name, medium.url)))


def map_link(place: Location) -> str:
    """A link that every phone opens, in its map application if it has one (Google's "Maps URLs")."""
    latitude, longitude = (f"{Decimal(repr(degrees)):f}" for degrees in (place.latitude, place.longitude))
    link = f"https://www.google.com/maps/search/?api=1&query={latitude},{longitude}"
    return f"{place.name}\n{link}" if place.name else link


def joined(messages: Sequence[Degraded]) -> Degraded:
    """Several messages as one; dropped when one of them is."""
    return Degraded(
        parts=tuple(part for message in messages for part in message.parts),
        choices=tuple(choice for message in messages for choice in message.choices),
        notes=tuple(note for message in messages for note in message.notes),
        dropped=next((message.dropped for message in messages if message.dropped), None),
    )


def noted(degraded: Degraded, *notes: str) -> Degraded:
    """The same with more notes, in front; a dropped message needs none."""
    return degraded if degraded.dropped else replace(degraded, notes=(*notes, *degraded.notes))
