"""What comes in: the normalised, immutable facts every provider's webhooks are mapped to."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, get_args

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

MessageKind = Literal[
    "text", "image", "video", "audio", "voice", "document", "location", "contact", "sticker", "unknown"
]
MESSAGE_KINDS: Final = frozenset(get_args(MessageKind))

StatusValue = Literal["sent", "delivered", "read", "failed"]
Stale = Literal["forged", "expired", "unknown"]

STATUS_VALUES: Final = frozenset(get_args(StatusValue))


@dataclass(frozen=True, slots=True)
class ThreadRef:
    """One ordered conversation: unique by account, channel and conversation id; the provider comes with the account."""

    account: str
    provider: str
    channel: str
    conversation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """The person on the other side, as far as the provider tells."""

    id: str
    name: str = ""
    phone: str | None = None
    email: str | None = None
    avatar: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A file the contact sent. `url` is "" while the provider has not made it available; `size` is in bytes."""

    url: str
    name: str = ""
    mime_type: str = ""
    size: int | None = None
    caption: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A location the contact sent, in degrees."""

    latitude: float
    longitude: float
    name: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What all events have: the provider's id of the fact, who, when (aware, UTC), and the webhook's own JSON."""

    tag: ClassVar[str] = "event"

    id: str
    contact: Contact
    at: datetime
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Event):
    """The contact said something. `reply_to` is the id of the message it answers."""

    tag: ClassVar[str] = "message"

    text: str = ""
    kind: MessageKind = "text"
    media: Media | None = None
    location: Place | None = None
    reply_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Postback(Event):
    """The contact pressed a button or chose from a list: the key we attached comes back.

    A typed key (bridge.Key) comes back `sealed` and is shown in `key` without its seal, `Track[7]`. One that is not
    good (any more) is `stale` instead, and `key` is as it came: "forged" for this conversation, "expired", or
    "unknown" where what it stood for is gone. Both are for the turn, and no part of the event as stored.
    """

    tag: ClassVar[str] = "postback"

    key: str
    title: str = ""
    reply_to: str | None = None
    stale: Stale | None = None
    sealed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Event):
    """What became of a message we sent; `message_id` is the provider's id of it, or the key we sent it under."""

    tag: ClassVar[str] = "status"

    message_id: str
    value: StatusValue
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo(Event):
    """A message from our side coming back: our own, or typed by a human agent (`human`)."""

    tag: ClassVar[str] = "echo"

    text: str = ""
    kind: MessageKind = "text"
    media: Media | None = None
    human: bool = False
    message_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrecognised(Event):
    """Authentic, of a known conversation, of a kind we do not know: `type` is the provider's own word for it."""

    tag: ClassVar[str] = "unrecognised"

    type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer(Event):
    """A timer of this thread is due: not from outside, but in the thread's order like everything else.

    `message` (as JSON text) is said, or the function `handler` ("module:qualname") is called with `arguments`; neither
    when `unless` is "replied" and the contact wrote since: in a turn that made a later version of the thread than the
    one it was set in (`since`). `set_at` is in microseconds. `model` ("module:qualname") is what whoever set it saw the
    state as, if that was a model: the function sees it so too.
    """

    tag: ClassVar[str] = "timer"

    name: str = ""
    set_at: int = 0
    since: int = 0
    unless: str | None = None
    message: str | None = None
    handler: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handoff(Event):
    """A person takes the thread, by a command or as the gateway tells; `note` is for them.

    The bot is silent until it is returned.
    """

    tag: ClassVar[str] = "handoff"

    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned(Event):
    """The bot has the thread again: a person returned it, or it was quiet for long enough (`quiet`).

    `missed` are the last events that came meanwhile, at most 100, oldest first: what the contact said is among them,
    what the person said is not (see `Turn.history`). A rule for Returned decides what to make of it; without one the
    person has answered it all.
    """

    tag: ClassVar[str] = "returned"

    quiet: bool = False
    missed: tuple[Event, ...] = field(default=(), compare=False)


EVENT_TYPES: Final[Mapping[str, type[Event]]] = MappingProxyType(
    {cls.tag: cls for cls in (Message, Postback, Status, Echo, Unrecognised, Timer, Handoff, Returned)}
)
_UNSTORED: Final = frozenset({"raw", "stale", "sealed", "missed"})
_PARTS: Final[Mapping[str, type[Any]]] = MappingProxyType({"contact": Contact, "media": Media, "location": Place})
_STORED: Final[Mapping[type[Event], tuple[str, ...]]] = MappingProxyType(
    {cls: tuple(f.name for f in fields(cls) if f.name not in _UNSTORED) for cls in EVENT_TYPES.values()}
)


def takes_over(event: Event | None) -> bool:
    """Whether an event gives its thread to a person: their own words, or a command."""
    return isinstance(event, Handoff) or (isinstance(event, Echo) and event.human)


def encode_event(event: Event) -> bytes:
    """The event without its raw webhook, as JSON in UTF-8.

    Raises:
        ValueError: a text in it cannot be stored the same everywhere (a NUL or a lone surrogate).
    """
    try:
        data = orjson.dumps({name: getattr(event, name) for name in _STORED[type(event)]})
    except orjson.JSONEncodeError as error:
        message = f"not storable: {error}"
        raise ValueError(message) from None
    if rb"\u0000" in data and "\0" in _texts(event):
        message = "not storable: a text holds a NUL character"
        raise ValueError(message)
    return data


def decode_event(tag: str, data: bytes, raw: Mapping[str, Any] | None = None) -> Event:
    """The inverse of `encode_event`, given the event's `tag`."""
    values: dict[str, Any] = orjson.loads(data)
    for name, cls in _PARTS.items():
        if values.get(name) is not None:
            values[name] = cls(**values[name])
    values["at"] = datetime.fromisoformat(values["at"])
    return EVENT_TYPES[tag](raw=raw or {}, **values)


def _texts(value: object) -> str:
    """All text inside an event, joined: only used to look for characters, on the rare path."""
    if isinstance(value, str):
        return value
    names = getattr(value, "__dataclass_fields__", ())
    return " ".join(_texts(getattr(value, name)) for name in names if name != "raw")
