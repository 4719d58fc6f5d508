"""The playground's webhook: a convention of our own, made by the console page alone.

    {"id": "...", "conversation": "...", "name": "Ann",     name may be left out
     and one of
     "text": "hello"
     "key": "yes", "title": "Yes, please"                    a button or a line of a list was pressed
     "media": {"url": "...", "kind": "image", "mime_type": "image/png", "name": "a.png", "caption": "..."}
     "location": {"latitude": 52.37, "longitude": 4.9, "name": "..."}}

`id` is made by the sender, once for each thing said: sent again, it is the same event. Of a medium only the url is
needed; a kind that is not given comes from the MIME type. Degrees are numbers. Fields that are not listed are ignored
beside one of the four, and are an unrecognised event where none of the four is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from bridge.events import MessageKind

CHANNEL: Final = "console"
"""The only channel there is."""

ID: Final = "id"
CONVERSATION: Final = "conversation"
NAME: Final = "name"
TEXT: Final = "text"
KEY: Final = "key"
TITLE: Final = "title"
MEDIA: Final = "media"
LOCATION: Final = "location"

ABOUT: Final = frozenset({ID, CONVERSATION, NAME, TITLE})
"""Fields that say nothing by themselves."""

CONTENTS: Final = (TEXT, KEY, MEDIA, LOCATION)
"""Exactly one of these is what the contact said."""

MEDIA_KINDS: Final = ("image", "video", "audio", "voice", "document")

ID_LENGTH: Final = 200
"""An id or a conversation is at most so many characters long."""


def media_kind(kind: str, mime_type: str) -> MessageKind:
    """The kind of a medium: as given, else by its MIME type, else a document."""
    major = mime_type.partition("/")[0].strip().lower()
    found = kind or (major if major in MEDIA_KINDS else "document")
    return cast("MessageKind", found)
