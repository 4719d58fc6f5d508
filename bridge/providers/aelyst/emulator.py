"""Aelyst's side: the send endpoint as strict as its page, the message object, and signed webhooks."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode
from collections import defaultdict, deque
from math import ceil
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import unquote
from uuid import UUID

import orjson
from pydantic import SecretStr

from bridge.messages import Button
from bridge.providers.aelyst import wire
from bridge.providers.aelyst.page import (
    AttachmentMessage,
    Body,
    Content,
    CustomPayloadMessage,
    QuickReplyMessage,
    TemplateMessage,
    TextMessage,
    read_body,
)
from bridge.providers.answers import ERROR, TOO_MANY
from bridge.providers.port import Hook, Request, Response, Seen
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.events import StatusValue
    from bridge.providers.port import Dice

CHANNELS: Final[Mapping[int, str]] = {
    87: "whatsapp",
    88: "facebook",
    89: "instagram",
    90: "telegram",
    91: "viber",
    92: "line",
}
"""The workspace's channels: id and source."""

_IDS: Final[Mapping[str, int]] = {source: number for number, source in CHANNELS.items()}
_WINDOW: Final = 24 * 3600 * SECOND
_KINDS: Final[Mapping[str, str]] = {"image": "image", "video": "video", "audio": "audio", "file": "document"}
_FILES: Final[Mapping[str, tuple[str, str]]] = {
    "image": ("jpg", "image/jpeg"),
    "video": ("mp4", "video/mp4"),
    "audio": ("ogg", "audio/ogg"),
    "file": ("pdf", "application/pdf"),
}
_REASONS: Final[Mapping[int, str]] = {
    400: "Validation error.",
    401: "UN_AUTHORIZED",
    404: "Not found.",
    405: "Method not allowed.",
    TOO_MANY: "Too Many Requests",
    449: (
        "Your request cannot be processed at the moment as it is currently in queue. Please try again in a few minutes."
    ),
    500: "Unexpected error occurred",
}
"""The page's own words, but for 404 and 405, which it does not have."""


def sign(body: bytes, key: str) -> str:
    """The X-Webhook-Signature of a body."""
    return b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()


class _Refusal(Exception):
    """An answer with an error's code; `why` stands behind the page's words for it."""

    def __init__(self, code: int, why: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(why)
        self.code = code
        self.why = why
        self.headers = headers or {}


class Emulator:
    """One workspace's Aelyst.

    `now` gives microseconds since 1970; `rng` makes ids. `rate` is how many requests a second each method and path may
    make (None: any number); `signing_key` signs the webhooks. A message without a channel goes where its contact was
    heard last, and to no contact before its first message: `meet` makes one known.
    """

    name: ClassVar[str] = "aelyst"
    base_path: ClassVar[str] = "/v1"
    sample_settings: ClassVar[Mapping[str, Any]] = {"token": SecretStr("aelyst-demo-token")}

    def __init__(
        self,
        now: Callable[[], int],
        rng: Dice,
        settings: Mapping[str, Any] | None = None,
        *,
        rate: int | None = wire.PATH_RATE.count,
        signing_key: str = "aelyst-demo-signing-key",
    ) -> None:
        """Begin with nothing seen."""
        self.seen: list[Seen] = []
        self.languages: dict[str, str] = {}
        self.identities: dict[str, Mapping[str, str]] = {}
        self.requests: list[tuple[Request, Response]] = []
        self.settings = settings or self.sample_settings
        self.signing_key = signing_key
        self._now = now
        self._rng = rng
        self._rate = rate
        self._queued = 0
        self._last_id = 0
        self._calls: defaultdict[tuple[str, str], deque[int]] = defaultdict(deque)
        self._heard: dict[tuple[str, int], int] = {}
        self._last_channel: dict[str, int] = {}
        self._messages: dict[tuple[str, str], dict[str, Any]] = {}

    def queue_next(self, count: int = 1) -> None:
        """Answer the next `count` messages with 449, "in queue", and send none of them."""
        self._queued = count

    def meet(self, identifier: str, channel: str) -> None:
        """Let a contact (`id:..`, `email:..`, `phone:..`) have been in touch on a channel, long ago."""
        self._last_channel[identifier] = _IDS[channel]

    def handle(self, request: Request) -> Response:
        """Answer POST /contact/{identifier}/message and GET /contact/{identifier}/message/{messageId}."""
        try:
            response = self._answer(request)
        except _Refusal as refusal:
            response = _refused(refusal.code, refusal.why, refusal.headers)
        self.requests.append((request, response))
        return response

    def refuse(self, code: str) -> Response:
        """The error answer with this code; on the wire its HTTP status is the same."""
        number = int(code) if code.isascii() and code.isdigit() else 0
        if number not in ERROR:
            raise ValueError(f"Aelyst's codes are HTTP statuses from 400 to 599, not {code}")
        return _refused(number, headers={"retry-after": "1"} if number == TOO_MANY else {})

    def says(self, channel: str, contact: str, text: str) -> Hook:
        """The webhook for a text message."""
        return self._received(channel, contact, {"type": "text", "text": text})

    def presses(self, channel: str, contact: str, choice: Button) -> Hook:
        """The webhook for pressing a quick reply: a text, its title."""
        return self.says(channel, contact, choice.title)

    def sends(self, channel: str, contact: str, kind: str, url: str, caption: str = "") -> Hook:
        """The webhook for a medium; a voice note is an audio like any other."""
        if kind not in wire.ATTACHMENT_OF:
            raise ValueError(f"a medium is one of {', '.join(wire.ATTACHMENT_OF)}, not {kind}")
        named = wire.ATTACHMENT_OF[kind]
        ext, mime = _FILES[named]
        attachment = {
            "type": named,
            "url": url,
            "isPending": False,
            "fileName": url.rpartition("/")[2],
            "ext": ext,
            "size": str(self._rng.randrange(1_000, 1_000_000)),
            "mime": mime,
        }
        words = {"text": caption} if caption else {}
        return self._received(channel, contact, {"type": "attachment", "attachment": attachment, **words})

    def locates(self, channel: str, contact: str, latitude: float, longitude: float) -> Hook:
        """The webhook for a location, in degrees."""
        return self._received(channel, contact, {"type": "location", "latitude": latitude, "longitude": longitude})

    def status(self, seen: Seen, value: StatusValue) -> Hook | None:
        """None, since no webhook tells it; a request for the message tells it from now on."""
        for (_, message_id), message in self._messages.items():
            if message_id == seen.message_id:
                message["status"].append({"value": value, "timestamp": self._now() // SECOND})
        return None

    def agent_says(self, channel: str, contact: str, text: str) -> Hook:
        """The webhook for a text that a person typed in Aelyst's inbox."""
        told = {"message": {"type": "text", "text": text}, "sender": {"source": wire.AGENT, "userId": 7}}
        return self._hook(wire.SENT, _channel_id(channel), contact, told)

    def echo(self, seen: Seen) -> Hook:
        """The webhook for a message of ours, as Aelyst sends it to whoever asked for outgoing messages."""
        (message,) = (each for (_, number), each in self._messages.items() if number == seen.message_id)
        told = {"messageId": message["messageId"], "message": message["message"], "sender": {"source": "api"}}
        return self._hook(wire.SENT, message["channelId"], str(message["contactId"]), told)

    def _received(self, channel: str, contact: str, content: Mapping[str, Any]) -> Hook:
        number, channel_id = _contact_id(contact), _channel_id(channel)
        self._heard[(f"id:{number}", channel_id)] = self._now()
        self._last_channel[f"id:{number}"] = channel_id
        if contact.startswith("+"):
            self._last_channel[f"phone:{contact}"] = channel_id
        return self._hook(wire.RECEIVED, channel_id, contact, {"message": content})

    def _hook(self, event_type: str, channel_id: int, contact: str, told: Mapping[str, Any]) -> Hook:
        """A signed webhook; `told` is what its message says beside ids and time."""
        number = told.get("messageId") or self._next_id()
        body = {
            "event_type": event_type,
            "event_id": str(UUID(int=self._rng.getrandbits(128), version=4)),
            "contact": {
                **_contact(contact, self.languages.get(contact), self._now() // SECOND),
                **self.identities.get(contact, {}),
            },
            "channel": {
                "id": channel_id,
                "name": f"Demo {CHANNELS[channel_id]}",
                "source": CHANNELS[channel_id],
                "meta": "{}",
                "created_at": 1_749_000_000,
            },
            "message": {
                "messageId": number,
                "channelMessageId": f"emulated.{number}",
                "contactId": _contact_id(contact),
                "channelId": channel_id,
                "traffic": wire.INCOMING if event_type == wire.RECEIVED else wire.OUTGOING,
                "timestamp": self._now() // SECOND,
                **told,
            },
        }
        data = orjson.dumps(body)
        headers = {"content-type": "application/json", wire.SIGNATURE: sign(data, self.signing_key)}
        return Hook(body=data, headers=headers)

    def _answer(self, request: Request) -> Response:
        _authorise(request, self.settings["token"].get_secret_value())
        parts = [unquote(part) for part in request.path.split("/")]
        match parts:
            case ["", "contact", identifier, "message"]:
                allowed = "POST"
            case ["", "contact", identifier, "message", _]:
                allowed = "GET"
            case _:
                raise _Refusal(404)
        if request.method != allowed:
            raise _Refusal(405)
        if not re.fullmatch(r"id:\d+|email:[^@\s]+@[^@\s]+|phone:\+?\d+", identifier, re.ASCII):
            raise _Refusal(400, "identifier")
        limits = self._count(request)
        if allowed == "GET":
            message = self._messages.get((identifier, parts[-1]))
            if message is None:
                raise _Refusal(404)
            return _json(200, message, limits)
        return self._take(request, identifier, limits)

    def _count(self, request: Request) -> Mapping[str, str]:
        """Hold the method and path to their rate; the headers that tell of it."""
        if self._rate is None:
            return {}
        calls, now = self._calls[(request.method, request.path)], self._now()
        while calls and calls[0] <= now - SECOND:
            calls.popleft()
        left = self._rate - len(calls)
        limits = {"x-ratelimit-limit": str(self._rate), "x-ratelimit-remaining": str(max(left - 1, 0))}
        if left <= 0:
            wait = ceil((calls[0] + SECOND - now) / SECOND)
            raise _Refusal(TOO_MANY, headers={**limits, "retry-after": str(wait)})
        calls.append(now)
        return limits

    def _take(self, request: Request, identifier: str, limits: Mapping[str, str]) -> Response:
        try:
            told = read_body(request.body or b"")
        except ValueError as error:
            raise _Refusal(400, str(error)) from None
        channel_id = self._last_channel.get(identifier) if told.channel_id is None else told.channel_id
        if channel_id is None or channel_id not in CHANNELS:
            raise _Refusal(400, "channelId")
        self._check(told, identifier, channel_id)
        if self._queued:
            self._queued -= 1
            raise _Refusal(449)
        number = self._next_id()
        contact = identifier.removeprefix("id:")
        self._messages[(identifier, str(number))] = {
            "messageId": number,
            "channelMessageId": f"emulated.{number}",
            "contactId": _contact_id(contact),
            "channelId": channel_id,
            "traffic": wire.OUTGOING,
            "message": told.message.model_dump(by_alias=True, exclude_unset=True),
            "status": [{"value": "pending", "timestamp": self._now() // SECOND}],
            "sender": {"source": "api"},
        }
        where = identifier if told.channel_id is None else f"{channel_id}:{contact}"
        self.seen.append(_seen(told.message, CHANNELS[channel_id], where, str(number)))
        return _json(200, {"messageId": number}, limits)

    def _check(self, told: Body, identifier: str, channel_id: int) -> None:
        """What depends on the channel."""
        source, content = CHANNELS[channel_id], told.message
        is_template = isinstance(content, TemplateMessage)
        if isinstance(content, CustomPayloadMessage) and (
            told.channel_id is None or source not in wire.PAYLOAD_SOURCES
        ):
            raise _Refusal(400, "custom_payload")
        if is_template and source != wire.TEMPLATE_SOURCE:
            raise _Refusal(400, "whatsapp_template")
        heard = self._heard.get((identifier, channel_id))
        if heard is None or self._now() - heard <= _WINDOW:
            return
        is_tagged = isinstance(content, TextMessage) and content.message_tag is not None
        if source in wire.TAGGED_SOURCES and not is_tagged:
            raise _Refusal(400, "messageTag is required outside the 24 hour window")
        if source == wire.TEMPLATE_SOURCE and not is_template:
            raise _Refusal(400, "only a template outside the 24 hour window")

    def _next_id(self) -> int:
        """Ids climb, and begin with the time in seconds, as theirs seem to."""
        self._last_id = max(self._last_id + 1, self._now())
        return self._last_id


def _contact_id(contact: str) -> int:
    """A contact's number: its own digits, or a number made of its name."""
    if contact.isascii() and contact.isdigit() and len(contact) < 16:  # noqa: PLR2004 - of these all are exact
        return int(contact)
    return int.from_bytes(hashlib.sha256(contact.encode()).digest()[:6])


def _channel_id(channel: str) -> int:
    if channel not in _IDS:
        raise ValueError(f"a channel is one of {', '.join(_IDS)}, not {channel}")
    return _IDS[channel]


def _contact(contact: str, language: str | None, now: int) -> dict[str, Any]:
    return {
        "id": _contact_id(contact),
        "status": "open",
        "lifecycle": None,
        "firstName": contact,
        "lastName": None,
        "email": None,
        "phone": contact if contact.startswith("+") else None,
        "language": language,
        "profilePic": None,
        "countryCode": None,
        "assignee": None,
        "created_at": now,
        "tags": [],
        "custom_fields": [],
    }


def _seen(content: Content, channel: str, conversation_id: str, message_id: str) -> Seen:
    """What the contact has on the phone. There is no key on this wire."""
    kind, text, url, choices = "raw", "", "", list[Button]()
    match content:
        case TextMessage(text=text):
            kind = "text"
        case AttachmentMessage(attachment=attachment):
            kind, url = _KINDS[attachment.type], attachment.url
        case QuickReplyMessage(title=text, replies=replies):
            kind, choices = "buttons", [Button(title, title) for title in replies]
        case TemplateMessage(template=template):
            kind, text = "template", template.name
    return Seen(
        key="",
        channel=channel,
        conversation_id=conversation_id,
        kind=kind,
        text=text,
        choices=tuple(choices),
        url=url,
        message_id=message_id,
    )


def _json(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    named = {"content-type": "application/json", **(headers or {})}
    return Response(status=status, headers=named, body=orjson.dumps(body))


def _refused(code: int, why: str = "", headers: Mapping[str, str] | None = None) -> Response:
    message = _REASONS.get(code, "Error.")
    return _json(code, {"code": code, "message": f"{message} {why}" if why else message}, headers)


def _authorise(request: Request, token: str) -> None:
    headers = {name.lower(): value for name, value in request.headers.items()}
    if headers.get("authorization") != f"Bearer {token}":
        raise _Refusal(401)
    if request.body is not None and headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise _Refusal(400, "Content-Type")
