"""What a provider is to the engine: pure functions over requests and responses, no socket, no clock, no disk.

A provider's folder holds the same files everywhere: `wire.py` (field names and tables), `inbound.py` (webhook to
events), `outbound.py` (message to requests, answers to outcomes), `emulator.py` (the other end, for tests) and
`__init__.py` with the class that puts them together.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, TypeAlias, runtime_checkable

from pydantic import BaseModel, ConfigDict

from bridge.frozen import dataclass
from bridge.planning.capabilities import Capabilities
from bridge.providers.fields import Rate, Seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.events import Event, StatusValue, ThreadRef
    from bridge.messages import Button, Outgoing


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One authenticated HTTP request from a provider, for one account.

    `channel` is the route's {channel} (None where the provider has none); `json` is the decoded `body`;
    `received_at` is in microseconds and stands in for a time the webhook does not give.
    """

    channel: str | None
    body: bytes
    json: dict[str, Any]
    received_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """One event out of a webhook.

    `key` names the event, the same on every redelivery; it is unique within the conversation. A gateway may give
    several event ids to one message, so the message's own id is the better name. `former_keys` are the names that
    earlier releases gave the same event, where that differs from `key`.
    `conversation_id` is None where only the message that a Status speaks of tells the thread.
    `address` is whatever an answer has to carry beside the thread (a reply token); opaque to everybody else.
    `with_person` is whether the gateway says that a person has the conversation; None: it does not say.
    `identities` are what it says of who the contact is, all of one person (see bridge.providers.naming).
    """

    key: str
    channel: str
    conversation_id: str | None
    event: Event
    address: Mapping[str, str] = field(default_factory=dict)
    with_person: bool | None = None
    former_keys: tuple[str, ...] = field(default=(), compare=False)
    identities: tuple[tuple[str, str], ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound:
    """One message to send: one outbox row, one provider call.

    `key` is the idempotency key, a UUID in text form, the same over every attempt, crash and restore.
    `created_at` (microseconds) is when the row was committed: what a request says of time comes from here, so that
    a repeated request is the same request.
    """

    key: str
    thread: ThreadRef
    message: Outgoing
    address: Mapping[str, str] = field(default_factory=dict)
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request to the provider: `path` is appended to the account's base_url; `body` is JSON or None."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The provider's answer: header names in lower case, at most 1 MiB of body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The provider took the message: its own id for it (if it gives one) and how far it says it is."""

    message_id: str | None = None
    status: StatusValue | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A token obtained from the provider; renewed from `renew_at` on (microseconds; None: used until refused)."""

    token: str = field(repr=False)
    renew_at: int | None = None


Sending: TypeAlias = Generator[Request, Response, Sent]
"""Yields each request and is sent its response; returns Sent or raises a SendError."""

Authenticating: TypeAlias = Generator[Request, Response, Credential]
"""Yields each request and is sent its response; returns a Credential or raises a SendError."""


class AccountSettings(BaseModel):
    """The keys every account may have; a provider's own Settings add the rest. Unknown keys are errors.

    `stop`, `start` and `confirm` stand in for those of [consent].
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: str
    rate: Rate | None = None
    timeout: Seconds = 10.0
    at_most_once: bool = False
    provider_dedupes: bool = False
    resolve_window: Seconds = 0.0
    stop: tuple[str, ...] | None = None
    start: tuple[str, ...] | None = None
    confirm: str | None = None


class Provider(Protocol):
    """One account at a gateway. Built from its settings; holds no state that a restart would miss."""

    name: ClassVar[str]
    Settings: ClassVar[type[AccountSettings]]
    auth: ClassVar[tuple[str, ...]]
    """The inbound auth schemes that make sense here, the default first (contract: Configuration)."""
    secret_headers: ClassVar[frozenset[str]]
    """Names, in lower case, of request headers that must never be seen in a log."""
    relays: ClassVar[Mapping[str, Capabilities]]
    """What each channel that is known by name can carry."""

    base_url: str
    channels: tuple[str, ...] | None
    """The route's {channel} must be one of these; None: the route has none."""

    def capabilities(self, channel: str) -> Capabilities:
        """What `channel` can carry, also one that is not in `relays`: the provider may have more by now."""
        ...

    def parse(self, webhook: Webhook) -> Sequence[Inbound]:
        """The events in a webhook; none when it is understood and means nothing to a bot.

        Raises:
            Unmappable: it is not what the provider documents; stored, quarantined, answered 200.
        """
        ...

    def send(self, outbound: Outbound, credential: Credential | None) -> Sending:
        """The exchange that sends one message. Raises a SendError out of the generator when it is not sent."""
        ...

    def authenticate(self, now: int) -> Authenticating | None:
        """The exchange that obtains a credential, or None for an account whose credentials are fixed."""
        ...


class ProviderType(Protocol):
    """How a provider is made: the class itself."""

    name: str
    Settings: type[AccountSettings]
    auth: tuple[str, ...]
    relays: Mapping[str, Capabilities]

    def __call__(self, account: str, settings: Any) -> Provider:  # noqa: ANN401 - each provider has its own Settings
        """The provider for one configured account; `settings` is an instance of its `Settings`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One message as it reached an emulator, in the words of the engine: what the contact has on the phone."""

    key: str
    channel: str
    conversation_id: str
    kind: str
    text: str = ""
    choices: Sequence[Button] = ()
    url: str = ""
    message_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A webhook an emulator would POST: `channel` goes into the route for providers whose route has one."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    channel: str | None = None


class Emulator(Protocol):
    """The provider's side, strict against its documentation: a pure function from request to response.

    Made as `Emulator(now, rng, settings)`: `now` gives microseconds, `rng` makes ids, and `settings` are the keys of
    the account whose credentials it accepts (left out: those of `sample_settings`).

    `seen` holds every message it accepted, in order; `requests` every request, good or bad, beside its response.
    It makes the webhooks that a contact's actions cause, and never sends them itself. What only some emulators can do
    has a protocol of its own: HonoursKeys, Refuses, HasBasePath, TellsAgents, TellsLanguages, TellsIdentities.
    """

    name: ClassVar[str]
    sample_settings: ClassVar[Mapping[str, Any]]
    """The account keys (all but base_url and inbound) of an account made up for this emulator."""

    settings: Mapping[str, Any]
    seen: list[Seen]
    requests: list[tuple[Request, Response]]

    def handle(self, request: Request) -> Response:
        """Answer a request as the provider documents it; `request.path` begins after base_url."""
        ...

    def says(self, channel: str, contact: str, text: str) -> Hook:
        """The webhook for a text message of a contact."""
        ...

    def presses(self, channel: str, contact: str, choice: Button) -> Hook:
        """The webhook for pressing a button (or what the provider makes of it: a text with its title)."""
        ...

    def sends(self, channel: str, contact: str, kind: str, url: str, caption: str = "") -> Hook:
        """The webhook for a medium (image, video, audio, voice, document) of a contact."""
        ...

    def locates(self, channel: str, contact: str, latitude: float, longitude: float) -> Hook:
        """The webhook for a location of a contact."""
        ...

    def status(self, seen: Seen, value: StatusValue) -> Hook | None:
        """The webhook for the fate of a message, or None where the provider has no such webhook."""
        ...


@runtime_checkable
class HonoursKeys(Protocol):
    """An emulator whose wire has a place for the idempotency key.

    While `honours_keys` is true, it answers a repeated key again and does not take the message a second time.
    """

    honours_keys: bool


@runtime_checkable
class TellsLanguages(Protocol):
    """An emulator whose webhooks have a place for the language of a contact: `languages`, by contact."""

    languages: dict[str, str]


@runtime_checkable
class TellsIdentities(Protocol):
    """An emulator whose webhooks have a place for further names of a contact: `identities`, by contact and kind."""

    identities: dict[str, Mapping[str, str]]


@runtime_checkable
class Refuses(Protocol):
    """An emulator that can give each error its provider documents."""

    def refuse(self, code: str) -> Response:
        """The error answer with this code. Raises ValueError for a code the provider does not have."""
        ...


@runtime_checkable
class HasBasePath(Protocol):
    """An emulator of a gateway whose documented base URL has a path."""

    base_path: ClassVar[str]


@runtime_checkable
class TellsAgents(Protocol):
    """An emulator of a gateway that posts what a person writes in the gateway's own inbox."""

    def agent_says(self, channel: str, contact: str, text: str) -> Hook:
        """The webhook for a text that a person on our side writes to a contact."""
        ...


class Dice(Protocol):
    """Where an emulator's ids come from. `random.Random` is one; the providers themselves import no randomness."""

    def getrandbits(self, bits: int, /) -> int:
        """A number of that many random bits."""
        ...

    def randrange(self, start: int, stop: int | None = None, /) -> int:
        """A number from `start` up to and without `stop`, or from 0 up to and without `start`."""
        ...


class EmulatorType(Protocol):
    """How an emulator is made: the class itself."""

    name: str
    sample_settings: Mapping[str, Any]

    def __call__(self, now: Callable[[], int], rng: Dice, settings: Mapping[str, Any] | None = None) -> Emulator:
        """The other end of the account with these settings, or of the sample's; `now` gives microseconds."""
        ...


SECRET_HEADERS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
"""Header names, in lower case, that are secret at every provider."""

__all__ = [
    "SECRET_HEADERS",
    "AccountSettings",
    "Authenticating",
    "Capabilities",
    "Credential",
    "Dice",
    "Emulator",
    "EmulatorType",
    "HasBasePath",
    "HonoursKeys",
    "Hook",
    "Inbound",
    "Outbound",
    "Provider",
    "ProviderType",
    "Refuses",
    "Request",
    "Response",
    "Seen",
    "Sending",
    "Sent",
    "TellsAgents",
    "TellsIdentities",
    "TellsLanguages",
    "Webhook",
]
