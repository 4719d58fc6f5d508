"""What a provider may be able to do beyond the port; the engine asks each with isinstance.

All of it is as pure as the port: generators that yield requests and are sent responses, driven by bridge.client.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, TypeVar, runtime_checkable

from bridge.providers.port import Request, Response

if TYPE_CHECKING:
    from bridge.events import ThreadRef
    from bridge.providers.port import Credential, Inbound
    from bridge.units import PerPeriod

T = TypeVar("T")

Exchange: TypeAlias = Generator[Request, Response, T]
"""Yields each request and is sent its response; returns its result or raises a SendError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """What the provider told when it was asked: events, oldest first, as a webhook would have brought them.

    `unmappable` holds what is not understood, each as JSON and with the reason. `cursor` is where the next question
    begins; once it is stored, nothing before it is asked for again.
    """

    inbound: Sequence[Inbound]
    unmappable: Sequence[tuple[bytes, str]] = ()
    cursor: str = ""


@runtime_checkable
class Polls(Protocol):
    """Lists the messages of a conversation, for accounts without webhooks."""

    poll_every: float
    """Seconds from one round to the next."""

    @property
    def polled(self) -> Sequence[str]:
        """The names of what is to be asked for, each with a cursor of its own; none: polling is off."""
        ...

    def first_cursor(self, now: int) -> str:
        """Where to begin with what was never asked for; `now` is in microseconds."""
        ...

    def poll(self, name: str, cursor: str, now: int, credential: Credential | None) -> Exchange[Polled]:
        """Everything since `cursor`. Raises a SendError out of the generator."""
        ...


@runtime_checkable
class TellsFates(Protocol):
    """Tells what became of a message when it is asked, because no webhook does."""

    fates_every: float | None
    """Seconds from one round to the next; None: fates are not asked for."""
    fates_for: float
    """Seconds after which a message is not asked after any more."""

    def ask_fate(self, thread: ThreadRef, message_id: str, now: int, credential: Credential | None) -> Exchange[Polled]:
        """The Status events of one message so far. Raises a SendError out of the generator."""
        ...


class Registration(Protocol):
    """One URL that the provider posts webhooks to."""

    @property
    def id(self) -> str: ...  # noqa: D102 - as the class says
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def url(self) -> str: ...  # noqa: D102
    @property
    def active(self) -> bool: ...  # noqa: D102
    @property
    def events(self) -> Sequence[str]: ...  # noqa: D102


class Registrations(Protocol):
    """All URLs the provider posts to; each method's generator raises a SendError."""

    def list(self) -> Exchange[Sequence[Registration]]:
        """All there are."""
        ...

    def ensure(self, name: str, url: str, place: str) -> Exchange[Registration]:
        """Have `url` posted to, once.

        A registration of it, or of another secret at `place` (the URL without its secret), is made this one instead
        of adding a second.
        """
        ...

    def delete(self, registration_id: str) -> Exchange[None]:
        """Take one out; that it is not there (any more) is no error."""
        ...


@runtime_checkable
class Registers(Protocol):
    """Lets webhook URLs be registered over its API."""

    webhooks: Registrations


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a conversation is: its `address` is what a message to it carries beside it, `phone` in E.164.

    `identities` say whose it is, as those of its events will.
    """

    channel: str
    conversation_id: str
    address: Mapping[str, str] = field(default_factory=dict)
    phone: str | None = None
    identities: tuple[tuple[str, str], ...] = ()


@runtime_checkable
class Begins(Protocol):
    """Can write to somebody who has not written."""

    def place_of(self, to: str, channel: str | None) -> Place:
        """The conversation with `to`, as the gateway names people; without a channel where that leaves one choice.

        Raises:
            ValueError: there is none; the text says what to give instead.
        """
        ...


@runtime_checkable
class LimitsPaths(Protocol):
    """Allows so much for each method and path, beside whatever the account as a whole may do."""

    path_rate: PerPeriod


PATH_RATE: Final = "path_rate"
OWN_ID: Final = "own_id"
"""Of LimitsPaths and NamesItself, where it is asked often: `isinstance` is a hundred times slower for a protocol."""


@runtime_checkable
class NamesItself(Protocol):
    """Knows by which id its account is a contact of others: two accounts of one bridge must not talk to each other."""

    @property
    def own_id(self) -> str | None:
        """The id; None where the settings do not tell."""
        ...


@runtime_checkable
class ServesMedia(Protocol):
    """Has media at its own base URL that want its credentials. No link to another host ever gets these."""

    def media_headers(self, credential: Credential | None) -> Mapping[str, str]:
        """The headers of a request for a medium."""
        ...


@runtime_checkable
class Warns(Protocol):
    """Knows of something that a person has to do in time."""

    def token_warning(self, now: int) -> str | None:
        """What to do about the token, or None while there is nothing; `now` is in microseconds."""
        ...


@runtime_checkable
class Expires(Protocol):
    """Has a token that a person has to renew."""

    @property
    def expires_at(self) -> int | None:
        """When it expires (microseconds); None: nobody has told."""
        ...


@runtime_checkable
class WarnsOfSettings(Protocol):
    """Knows of settings that are valid and yet surprise."""

    def setting_warnings(self) -> Mapping[str, str]:
        """Why, by the account's key; `threadbridge check` shows them."""
        ...


__all__ = [
    "Begins",
    "Exchange",
    "Expires",
    "LimitsPaths",
    "NamesItself",
    "Place",
    "Polled",
    "Polls",
    "Registers",
    "Registration",
    "Registrations",
    "ServesMedia",
    "TellsFates",
    "Warns",
    "WarnsOfSettings",
]
