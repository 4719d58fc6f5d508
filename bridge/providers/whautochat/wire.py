"""WhautoChat's words: channels, event names, endpoints, MIME types.

Sources, at help.whauto.chat, under cloud-version/integrations/rest-api: "Messages" (the nine endpoints and their
schemas, the spelling `recepient` is theirs) and "Webhooks" (management, and the 13 event names). The body of a webhook
is not in WhautoChat's own pages: it is that of the sibling product Whautomate (help.whautomate.com, webhooks,
messages), so of every field the most tolerant reading holds.

    {"event": {"id": "evt_1", "type": "incoming_whatsapp_message", "timeStamp": "2025-10-10T08:15:30Z", "key": "m1"},
     "message": {"id": "m1", "contact": {"id": "cnt_1", "channel": "whatsapp", "phoneNumber": "9198..."},
                 "channel": "whatsApp", "isIncoming": "true", "type": "text", "replyToMessage": {}, "from": "Asha",
                 "sentBy": "", "status": "", "errorMessage": "", "text": "...", "caption": "", "mediaUrl": "",
                 "headerText": "", "footerText": "", "options": "",
                 "timestamp": "...", "createdAt": "...", "updatedAt": "..."}}
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.events import MessageKind, StatusValue

API_KEY: Final = "x-api-key"

WHATSAPP: Final = "whatsapp"
MESSENGER: Final = "messenger"
INSTAGRAM: Final = "instagram"
TELEGRAM: Final = "telegram"
WEBSITE: Final = "website"
"""The live chat on a web page. Nothing can be sent there: the API has no endpoint for it."""

CHANNELS: Final = (WHATSAPP, INSTAGRAM, TELEGRAM, MESSENGER, WEBSITE)

SEND_TEXT: Final = "sendtext"
SEND_MEDIA: Final = "sendmedia"
SEND_TEMPLATE: Final = "sendtemplate"

ENDPOINTS: Final[Mapping[str, frozenset[str]]] = {
    WHATSAPP: frozenset({SEND_TEXT, SEND_MEDIA, SEND_TEMPLATE}),
    MESSENGER: frozenset({SEND_TEXT, SEND_MEDIA, SEND_TEMPLATE}),
    INSTAGRAM: frozenset({SEND_TEXT, SEND_TEMPLATE}),
    TELEGRAM: frozenset({SEND_TEMPLATE}),
}
"""The nine, each at /v1/messages/{channel}/{endpoint}."""

SCHEDULED: Final = frozenset({SEND_TEXT, SEND_MEDIA})
"""Endpoints whose schema has `scheduleDateTime`."""

MESSAGE_EVENT: Final = re.compile(r"(incoming|outgoing)_([a-z0-9]{1,40})_message")
MESSAGE_EVENTS: Final = tuple(f"{way}_{channel}_message" for channel in CHANNELS for way in ("incoming", "outgoing"))
CONTACT_EVENTS: Final = ("contact_created", "contact_tag_added", "contact_tag_removed")
EVENTS: Final = (*MESSAGE_EVENTS, *CONTACT_EVENTS)
"""All 13."""

STATUS_VALUES: Final[Mapping[str, StatusValue]] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "seen": "read",
    "failed": "failed",
    "undelivered": "failed",
}
"""`message.status` in lower case; the values are inferred. Whatever else stands there (queued, "") is no fate yet."""

JUST_SENT: Final = frozenset({"sent", "delivered"})
"""Fates by which a message is first heard of."""

MACHINES: Final = frozenset({"api", "bot", "chatbot", "system", "automation", "workflow", "campaign", "broadcast"})
"""`sentBy` in lower case, where it names no person; inferred."""

KINDS: Final[Mapping[str, MessageKind]] = {
    "text": "text",
    "chat": "text",
    "button": "text",
    "interactive": "text",
    "image": "image",
    "photo": "image",
    "video": "video",
    "audio": "audio",
    "voice": "voice",
    "ptt": "voice",
    "document": "document",
    "file": "document",
    "sticker": "sticker",
    "location": "location",
    "contact": "contact",
    "contacts": "contact",
}
"""`message.type` in lower case; only "text" and "media types" are named, so the usual spellings are all read. A pressed
button has no event of its own and comes as a text with its title."""

WITH_MEDIA: Final[frozenset[MessageKind]] = frozenset({"image", "video", "audio", "voice", "document", "sticker"})
"""Kinds of message that are a file."""

MIME_TYPES: Final[Mapping[str, str]] = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "mp4": "video/mp4",
    "3gp": "video/3gpp",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "aac": "audio/aac",
    "amr": "audio/amr",
    "wav": "audio/wav",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "oga": "audio/ogg",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "csv": "text/csv",
    "zip": "application/zip",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "ppt": "application/vnd.ms-powerpoint",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
"""By a file's extension. A table of our own: the machine's would make the same message differ between machines."""

USUAL_MIME_TYPES: Final[Mapping[str, str]] = {
    "image": "image/jpeg",
    "video": "video/mp4",
    "audio": "audio/mpeg",
    "voice": "audio/ogg",
    "document": "application/octet-stream",
}
"""By a medium's kind, where its extension does not tell: `mimeType` is mandatory."""


def extension(name: str) -> str:
    """A file's or URL's extension in lower case, or ""."""
    last = name.partition("?")[0].partition("#")[0].rpartition("/")[2]
    return last.rpartition(".")[2].lower() if "." in last else ""


def mime_type(kind: str, url: str, name: str) -> str:
    """The MIME type of a medium to send: its name's or URL's extension tells, where it does not belie the kind."""
    major = "audio" if kind == "voice" else kind
    for each in (name, url):
        found = MIME_TYPES.get(extension(each), "")
        if found and (kind == "document" or found.startswith(f"{major}/")):
            return found
    return USUAL_MIME_TYPES[kind]


def media_kind(url: str) -> MessageKind:
    """The kind of a medium that only has a URL."""
    major = MIME_TYPES.get(extension(url), "").partition("/")[0]
    return KINDS.get(major, "document") if major in {"image", "video", "audio"} else "document"
