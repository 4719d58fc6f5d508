"""Messages: everything that a handler can say, on any provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence  # noqa: TC003 - pydantic reads the annotations
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path  # noqa: TC003 - the same
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias, TypeGuard, get_args

import orjson
from pydantic import TypeAdapter, ValidationError

from bridge.keys import as_text
from bridge.strict_json import json_bytes

if TYPE_CHECKING:
    from pydantic import ConfigDict
    from pydantic_core import ErrorDetails

    from bridge.keys import Key

_POLE: Final = 90
_OURS: Final = frozenset({"path", "data"})
_DATE_LINE: Final = 180
Format: TypeAlias = Literal["markdown"]
"""How a text is written."""
_FORMATS: Final = frozenset({None, *get_args(Format)})
_At: TypeAlias = datetime | None
_Expires: TypeAlias = datetime | timedelta | None
"""These keep their classes where a test has frozen the clock, which puts another datetime into every module."""


class _Strict:
    """Unknown keys in a message's JSON are errors."""

    __slots__ = ()
    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class _Message(_Strict):
    """The fields of every message.

    `reply_to` is the id of the message it answers. `tag` is the provider's reason to write outside a messaging
    window. `at` is the time to send it (aware). `expires` is the end of its worth (aware, or from now). `fallback`
    are messages to send instead, if the channel or its window does not take this one.
    """

    kind: ClassVar[str] = ""

    reply_to: str | None = field(default=None, kw_only=True)
    tag: str | None = field(default=None, kw_only=True)
    at: _At = field(default=None, kw_only=True)
    expires: _Expires = field(default=None, kw_only=True)
    fallback: Sequence[Outgoing] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        """Refuse a message that no provider can send, at the line that makes it."""
        for name, moment in (("at", self.at), ("expires", self.expires)) if self.at or self.expires else ():
            if isinstance(moment, datetime) and moment.tzinfo is None:
                raise ValueError(f"{name}= needs a time zone: {moment.isoformat()} has none")
        self._check()

    def _check(self) -> None:
        """Check the fields of one kind."""


@dataclass(frozen=True, slots=True)
class Text(_Message):
    """Plain text; with `format="markdown"` its marks become what the channel shows."""

    kind: ClassVar[str] = "text"

    text: str
    format: Format | None = field(default=None, kw_only=True)

    def _check(self) -> None:
        _want(self.text, "Text needs a text")
        if self.format not in _FORMATS:
            raise ValueError(f'Text has format="markdown" or none, not {self.format!r}')


@dataclass(frozen=True, slots=True)
class _Media(_Message):
    """The provider fetches it from `url`; a file of ours, by its `path` or as `data`, it fetches from the bridge."""

    url: str = ""
    name: str = field(default="", kw_only=True)
    caption: str = field(default="", kw_only=True)
    path: str | Path | None = field(default=None, kw_only=True)
    data: bytes | None = field(default=None, kw_only=True, repr=False)

    @property
    def is_file(self) -> bool:
        """Whether it is a file of ours."""
        return self.path is not None or self.data is not None

    def _check(self) -> None:
        kind = type(self).__name__
        given = (bool(self.url), self.path is not None, self.data is not None)
        _want(any(given), f"{kind} needs a url, or a file: path= or data=")
        _want(sum(given) == 1, f"{kind} takes one of a url, path= and data=")
        _want(self.data is None or self.name, f"{kind}(data=...) needs a name=, like photo.jpg")


@dataclass(frozen=True, slots=True)
class Image(_Media):
    """A picture, fetched by the provider from `url`, or a file of ours."""

    kind: ClassVar[str] = "image"


@dataclass(frozen=True, slots=True)
class Video(_Media):
    """A film, fetched by the provider from `url`, or a file of ours."""

    kind: ClassVar[str] = "video"


@dataclass(frozen=True, slots=True)
class Audio(_Media):
    """A piece of sound, fetched by the provider from `url`, or a file of ours."""

    kind: ClassVar[str] = "audio"


@dataclass(frozen=True, slots=True)
class Voice(_Media):
    """A voice note, fetched by the provider from `url`, or a file of ours."""

    kind: ClassVar[str] = "voice"


@dataclass(frozen=True, slots=True)
class Document(_Media):
    """A file, fetched by the provider from `url`, or a file of ours."""

    kind: ClassVar[str] = "document"


@dataclass(frozen=True, slots=True)
class Location(_Message):
    """A point on the map, in degrees."""

    kind: ClassVar[str] = "location"

    latitude: float
    longitude: float
    name: str = field(default="", kw_only=True)

    def _check(self) -> None:
        if not (-_POLE <= self.latitude <= _POLE and -_DATE_LINE <= self.longitude <= _DATE_LINE):
            raise ValueError(f"no such place: {self.latitude}, {self.longitude}")


@dataclass(frozen=True, slots=True, init=False)
class Button(_Strict):
    """One button: `key` comes back in the Postback, the contact reads `title`.

    The key may be a typed one, Track(no=7); `key` holds its text.
    """

    key: str
    title: str

    def __init__(self, key: str | Key, title: str) -> None:
        """Raises HandlerError for a typed key whose values do not fit its fields."""
        object.__setattr__(self, "key", as_text(key))
        object.__setattr__(self, "title", title)


@dataclass(frozen=True, slots=True)
class Buttons(_Message):
    """A text with buttons. A `header` may be a text or a medium; a `footer` is a text."""

    kind: ClassVar[str] = "buttons"

    text: str
    buttons: Sequence[Button]
    header: str | Image | Video | Document | None = field(default=None, kw_only=True)
    footer: str | None = field(default=None, kw_only=True)

    def _check(self) -> None:
        _want(self.text, "Buttons needs a text")
        _want_choices("Buttons", self.buttons)


@dataclass(frozen=True, slots=True, init=False)
class Row(_Strict):
    """One line of a Menu: `key`, which may be a typed one, comes back in the Postback."""

    key: str
    title: str
    description: str = ""

    def __init__(self, key: str | Key, title: str, description: str = "") -> None:
        """Raises HandlerError for a typed key whose values do not fit its fields."""
        object.__setattr__(self, "key", as_text(key))
        object.__setattr__(self, "title", title)
        object.__setattr__(self, "description", description)


@dataclass(frozen=True, slots=True)
class Section(_Strict):
    """Rows of a Menu under a title."""

    title: str
    rows: Sequence[Row]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Menu(_Message):
    """A text with a list to choose from; `title` is the list's own title."""

    kind: ClassVar[str] = "menu"

    text: str
    title: str
    sections: Sequence[Section]
    header: str | Image | Video | Document | None = field(default=None, kw_only=True)
    footer: str | None = field(default=None, kw_only=True)

    def _check(self) -> None:
        _want(self.text, "Menu needs a text")
        _want_choices("Menu", [row for section in self.sections for row in section.rows])


@dataclass(frozen=True, slots=True)
class Template(_Message):
    """A message that the provider stores and has approved, filled with `params`."""

    kind: ClassVar[str] = "template"

    name: str
    language: str | None = field(default=None, kw_only=True)
    params: Mapping[str, Any] = field(default_factory=dict, kw_only=True)

    def _check(self) -> None:
        _want(self.name, "Template needs a name")


@dataclass(frozen=True, slots=True)
class Card(_Strict):
    """One card of Cards; `image` is a URL."""

    title: str
    buttons: Sequence[Button] = field(default=(), kw_only=True)
    image: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class Cards(_Message):
    """A row of cards side by side, where the channel has them."""

    kind: ClassVar[str] = "cards"

    cards: Sequence[Card]

    def _check(self) -> None:
        _want(self.cards, "Cards needs a card")
        if keyed := [button for card in self.cards for button in card.buttons]:
            _want_choices("Cards", keyed)


@dataclass(frozen=True, slots=True)
class Raw(_Message):
    """The provider's own payload, sent unchanged: for messages that no other class describes."""

    kind: ClassVar[str] = "raw"

    payload: Mapping[str, Any]


Outgoing: TypeAlias = (
    Text | Image | Video | Audio | Voice | Document | Location | Buttons | Menu | Template | Cards | Raw
)
Medium: TypeAlias = Image | Video | Audio | Voice | Document
MEDIA_TYPES: Final = (Image, Video, Audio, Voice, Document)
MESSAGE_TYPES: Final[Mapping[str, type[Outgoing]]] = {
    cls.kind: cls for cls in (Text, Image, Video, Audio, Voice, Document, Location, Buttons, Menu, Template, Cards, Raw)
}
_FIELDS: Final = {kind: ("kind", *(own.name for own in fields(cls))) for kind, cls in MESSAGE_TYPES.items()}


def choices_of(message: Outgoing) -> list[Button]:
    """The choices of a message, in the order the contact reads them."""
    match message:
        case Buttons(buttons=buttons):
            return list(buttons)
        case Menu(sections=sections):
            return [Button(row.key, row.title) for section in sections for row in section.rows]
        case Cards(cards=cards):
            return [button for card in cards for button in card.buttons]
        case _:
            return []


def encode_message(message: Outgoing) -> bytes:
    """The message as JSON in UTF-8: its kind and all fields that differ from their defaults."""
    if is_plain_text(message):  # the same, without a dictionary
        return b'{"kind":"text","text":%b}' % orjson.dumps(message.text)
    return json_bytes(_as_json(message))


def decode_message(data: bytes | Mapping[str, Any]) -> Outgoing:
    """A message from its JSON, as `encode_message` writes it and people write it in files.

    Raises:
        ValueError: it is no message; the text has the place and the reason.
    """
    try:
        values = dict(orjson.loads(data) if isinstance(data, bytes) else data)
    except (orjson.JSONDecodeError, TypeError, ValueError) as error:
        raise ValueError(f"not a JSON object: {error}") from None
    kind = values.pop("kind", None)
    if not isinstance(kind, str) or kind not in MESSAGE_TYPES:
        raise ValueError(f"kind: one of {', '.join(sorted(MESSAGE_TYPES))}")
    if not isinstance(fallback := values.get("fallback", ()), list | tuple):
        raise ValueError("fallback: want a list of messages")  # noqa: TRY004 - a mistake in a file, not in the program
    values["fallback"] = tuple(decode_message(other) for other in fallback)
    if isinstance(expires := values.get("expires"), bool):
        raise ValueError("expires: want a time, or seconds from now")  # noqa: TRY004 - as above
    if isinstance(expires, int | float):
        values["expires"] = _seconds(expires)
    for name in _OURS & values.keys():
        raise ValueError(f"{name}: unknown key")  # a file of this machine is for its handlers alone
    if isinstance(header := values.get("header"), dict):
        values["header"] = decode_message(header)
    try:
        return _adapter(kind).validate_python(values)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        lines = [f"{'.'.join(map(str, problem['loc'])) or kind}: {_reason(problem)}" for problem in problems]
        raise ValueError("; ".join(lines)) from None


def _reason(error: ErrorDetails) -> str:
    return str(error["ctx"]["error"]) if error["type"] == "value_error" else _REASONS.get(error["type"], error["msg"])


_REASONS: Final = {"missing": "missing", "unexpected_keyword_argument": "unknown key"}


def is_plain_text(message: Outgoing) -> TypeGuard[Text]:
    """Whether a message is a text and nothing else, as most are: all of its other fields are unset."""
    if type(message) is not Text or message.format or message.reply_to or message.tag or message.fallback:
        return False
    return message.at is None and message.expires is None


def _as_json(message: Outgoing) -> dict[str, Any]:
    return {
        name: _WRITTEN[name](value) if name in _WRITTEN else value
        for name in _FIELDS[message.kind]
        if (value := getattr(message, name)) is not None
        and (value or name == "payload" or value not in ("", (), [], {}))
    }


_WRITTEN: Final[Mapping[str, Callable[[Any], Any]]] = {
    "expires": lambda expires: expires.total_seconds() if isinstance(expires, timedelta) else expires,
    "fallback": lambda others: [*map(_as_json, others)],
    "header": lambda header: header if isinstance(header, str) else _as_json(header),
    "path": str,
    "data": lambda data: sha256(data).hexdigest(),
}
"""How fields are written that are no JSON as they are; files of ours only in a dialog's journal."""


def _seconds(number: float) -> timedelta:
    try:
        return timedelta(seconds=number)
    except (OverflowError, ValueError):
        raise ValueError(f"expires: {number} is no number of seconds from now") from None


def _want(value: object, message: str) -> None:
    if not value:
        raise ValueError(message)


def _want_choices(name: str, choices: Sequence[Button | Row]) -> None:
    _want(choices, f"{name} needs something to choose")
    for choice in choices:
        if not choice.key or not choice.title:
            raise ValueError(f"{name}: a choice needs a key and a title, not {choice.key!r} and {choice.title!r}")
    if len({choice.key for choice in choices}) < len(choices):
        raise ValueError(f"{name}: two choices have the same key")


@cache
def _adapter(kind: str) -> TypeAdapter[Outgoing]:
    """The adapter of a kind, built at its first message: all twelve take longer than a handler's other imports."""
    return TypeAdapter(MESSAGE_TYPES[kind])
