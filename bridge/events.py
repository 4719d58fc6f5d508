"""Events: normalised, immutable facts that the webhooks of all providers become."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Protocol, get_args

import orjson

from bridge.errors import MediaError
from bridge.strict_json import json_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from os import PathLike
    from typing import BinaryIO

MessageKind = Literal[
    "text", "image", "video", "audio", "voice", "document", "location", "contact", "sticker", "unknown"
]
MESSAGE_KINDS: Final = frozenset(get_args(MessageKind))

StatusValue = Literal["sent", "delivered", "read", "failed"]
Stale = Literal["forged", "expired", "unknown"]

GROUP: Final = "group"
"""The channel of a conversation where many listen: it belongs to none of them."""

STATUS_VALUES: Final = frozenset(get_args(StatusValue))


@dataclass(frozen=True, slots=True)
class ThreadRef:
    """One ordered conversation: unique by account, channel and conversation id. The account gives the provider."""

    account: str
    provider: str
    channel: str
    conversation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """The person on the other side, as far as the provider knows. `locale` is a language, like "id" or "pt-BR"."""

    id: str
    name: str = ""
    phone: str | None = None
    email: str | None = None
    avatar: str | None = None
    locale: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A file of the contact. `url` is "" until the provider makes it available; `size` is in bytes.

    The url is the gateway's, and may be dead within minutes. The bytes stay: in a turn `read`, `open` and `save` give
    them, where `[media] store` is set. From then on `mime_type` and `size` are those of the bytes, and `sha256` their
    hash; before, they are what the gateway says. `inbox_id` is where the store has the event, and set in a turn.
    """

    url: str
    name: str = ""
    mime_type: str = ""
    size: int | None = None
    caption: str = ""
    sha256: str = field(default="", compare=False)
    inbox_id: int | None = field(default=None, repr=False, compare=False)

    async def read(self) -> bytes:
        """The bytes. Raises MediaError when there are none."""
        return await _source().read(self)

    async def open(self) -> BinaryIO:
        """The bytes as a file to read, which its reader closes. Raises MediaError when there are none."""
        return await _source().open(self)

    async def save(self, path: str | PathLike[str]) -> None:
        """Write the bytes to a file. Raises MediaError when there are none."""
        await _source().save(self, path)


class MediaSource(Protocol):
    """Where the bytes of media are, in a turn; each method raises MediaError."""

    async def read(self, media: Media) -> bytes: ...  # noqa: D102 - as Media has it
    async def open(self, media: Media) -> BinaryIO: ...  # noqa: D102
    async def save(self, media: Media, path: str | PathLike[str]) -> None: ...  # noqa: D102


MEDIA: Final[ContextVar[MediaSource | None]] = ContextVar("media", default=None)
"""Of the turn that runs: a medium is a value, also one that a dialog has remembered."""


def _source() -> MediaSource:
    source = MEDIA.get()
    if source is None:
        raise MediaError("a medium is read in a turn of a running bridge")
    return source


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A location of the contact, in degrees."""

    latitude: float
    longitude: float
    name: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Any event: the provider's id of it, its contact, its time (aware, UTC), and the webhook's own JSON."""

    tag: ClassVar[str] = "event"

    id: str
    contact: Contact
    at: datetime
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Event):
    """A message of the contact. `reply_to` is the id of the message it answers."""

    tag: ClassVar[str] = "message"

    text: str = ""
    kind: MessageKind = "text"
    media: Media | None = None
    location: Place | None = None
    reply_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Postback(Event):
    """A press of a button or a choice from a list, with the key that was attached to it.

    A typed key (bridge.Key) comes back in `sealed`; `key` shows it without its seal, `Track[7]`. An invalid one is
    `stale` instead, with the raw key: "forged" for this conversation, "expired", or "unknown": its class or its
    stored value is gone. `sealed` and `stale` exist in the turn only, and are not stored.
    """

    tag: ClassVar[str] = "postback"

    key: str
    title: str = ""
    reply_to: str | None = None
    stale: Stale | None = None
    sealed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Event):
    """The status of an outgoing message; `message_id` is the provider's id, or the idempotency key."""

    tag: ClassVar[str] = "status"

    message_id: str
    value: StatusValue
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo(Event):
    """An outgoing message that the provider reports: the bot's own, or a human agent's (`human`)."""

    tag: ClassVar[str] = "echo"

    text: str = ""
    kind: MessageKind = "text"
    media: Media | None = None
    human: bool = False
    message_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrecognised(Event):
    """An authentic event of an unknown kind; `type` is the provider's own word for it."""

    tag: ClassVar[str] = "unrecognised"

    type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer(Event):
    """A timer of this thread is due. It takes its turn in the thread's order, like any event.

    `message` (JSON text) is said, or the function `handler` ("module:qualname") is called with `arguments`. Neither
    happens if `unless` is "replied" and the contact wrote in a later version of the thread than `since`. `set_at` is
    in microseconds. `model` ("module:qualname") is the model of the state in the turn that set the timer: the function
    sees the same. A timer with `held` has its turn while a person has the thread too, until they do something there.
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
    held: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handoff(Event):
    """A person takes the thread, by a command or by the gateway's report; `note` is for them.

    The bot is silent until the thread is returned.
    """

    tag: ClassVar[str] = "handoff"

    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned(Event):
    """The bot has the thread again: a person returned it, or it was quiet for long enough (`quiet`).

    `missed` are the last events of the meantime, at most 100, oldest first. The contact's messages are among them;
    the person's are not (see `Turn.history`). Without a rule for Returned, the person has answered them all.
    """

    tag: ClassVar[str] = "returned"

    quiet: bool = False
    missed: tuple[Event, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Send(Event):
    """Messages of the bot that answer no event of this thread, by turn.send, bridge.send or `threadbridge send`.

    They wait for their turn in the thread's order. `messages` holds each as JSON text. A person wrote what is `human`,
    in the console or by the REST API: it takes the thread from the bot, and leaves at once.
    """

    tag: ClassVar[str] = "send"

    messages: tuple[str, ...] = ()
    human: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal(Event):
    """Something happened outside, like a payment: by the REST API or bridge.signal, in the thread's order.

    It answers a dialog that waits for its `name`; else a rule may take it: `@router.on(Signal)`. `data` is JSON.
    """

    tag: ClassVar[str] = "signal"

    name: str
    data: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Event):
    """A job is due, by its schedule (then `at` is its time) or by hand. Its turn answers nobody."""

    tag: ClassVar[str] = "job"

    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged(Event):
    """Two contacts are one person, of whom this is a thread: by the word of a gateway, or of an operator (`by_hand`).

    They are `person` from now on, and `other` is the number of the one that was merged. Fields and tags are theirs
    together already. The person has said nothing, so that a reply begins something, and is no answer.
    """

    tag: ClassVar[str] = "merged"

    person: int = 0
    other: int = 0
    by_hand: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmerged(Event):
    """An operator parted two contacts who were one person: this is a thread of `person`, and not of `other`."""

    tag: ClassVar[str] = "unmerged"

    person: int = 0
    other: int = 0


EVENT_TYPES: Final[Mapping[str, type[Event]]] = MappingProxyType(
    {
        cls.tag: cls
        for cls in (
            *(Message, Postback, Status, Echo, Unrecognised),
            *(Timer, Handoff, Returned, Send, Signal, Job, Merged, Unmerged),
        )
    }
)
_UNSTORED: Final = frozenset({"raw", "stale", "sealed", "missed"})
_PARTS: Final[Mapping[str, type[Any]]] = MappingProxyType({"contact": Contact, "media": Media, "location": Place})


def _stored(cls: type[Event]) -> Callable[[Event], dict[str, Any]]:
    """What gives the stored fields of an event, written out as dataclasses write out `__init__`.

    So orjson is given plain dictionaries: with a dataclass in them it takes twice as long.
    """
    named = {f.name: f"event.{f.name}" for f in fields(cls) if f.name not in _UNSTORED}
    named["contact"] = _display({f.name: f"event.contact.{f.name}" for f in fields(Contact)})
    made: Callable[[Event], dict[str, Any]] = eval(f"lambda event: {_display(named)}")  # noqa: S307 - of our own names
    return made


def _display(named: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{name!r}: {value}" for name, value in named.items()) + "}"


_STORED: Final = MappingProxyType({cls: _stored(cls) for cls in EVENT_TYPES.values()})


_FIELDS: Final[Mapping[type[Any], frozenset[str]]] = MappingProxyType(
    {cls: frozenset(f.name for f in fields(cls)) for cls in _PARTS.values()}
)
"""A later version may have stored more: it is left out."""


FROM_CONTACT: Final = (Message, Postback)
"""The events in which a contact speaks: a tuple, because a union would be made anew wherever one is asked for."""
_FROM_US: Final = (Echo, Send)


def takes_over(event: Event | None) -> bool:
    """Whether an event gives its thread to a person: by their own words, or by a command."""
    return isinstance(event, Handoff) or speaks_for_us(event)


def speaks_for_us(event: Event | None) -> bool:
    """Whether an event is the words of a person on our side: at the gateway, or in the console."""
    return isinstance(event, _FROM_US) and event.human


_BACKSLASH: Final = ord("\\")
"""A number is searched for at once; to find that bytes are none takes an exception."""


def encode_event(event: Event) -> bytes:
    """The event without its raw webhook, as JSON in UTF-8.

    Raises:
        ValueError: a text in it has a NUL or a lone surrogate, which not every store keeps.
    """
    try:
        data = json_bytes(_STORED[type(event)](event))
    except orjson.JSONEncodeError as error:
        raise ValueError(f"not storable: {error}") from None
    if _BACKSLASH in data and rb"\u0000" in data and "\0" in _texts(event):
        raise ValueError("not storable: a text holds a NUL character")
    return data


def decode_event(tag: str, data: bytes, raw: Mapping[str, Any] | None = None) -> Event:
    """The inverse of `encode_event`, given the event's `tag`."""
    values: dict[str, Any] = orjson.loads(data)
    for name, cls in _PARTS.items():
        if values.get(name) is not None:
            known = _FIELDS[cls]
            values[name] = cls(**{key: value for key, value in values[name].items() if key in known})
    values["at"] = datetime.fromisoformat(values["at"])
    if tag == Send.tag:
        values["messages"] = tuple(values["messages"])
    return EVENT_TYPES[tag](raw=raw or {}, **values)


def _texts(value: object) -> str:
    """All text inside an event, joined."""
    if isinstance(value, str):
        return value
    names = getattr(value, "__dataclass_fields__", ())
    return " ".join(_texts(getattr(value, name)) for name in names if name != "raw")
