"""The cases of one provider, as data: the contract suite runs every line of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import orjson

from bridge.errors import SendError
from bridge.events import Event, Postback, StatusValue, ThreadRef
from bridge.providers.port import (
    AccountSettings,
    Credential,
    Emulator,
    Inbound,
    Outbound,
    Provider,
    ProviderType,
    Request,
    Response,
    Sent,
    Webhook,
)
from bridge.strict_json import read_object

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from random import Random

    from bridge.messages import Outgoing

T = TypeVar("T")

ACCOUNT: Final = "shop"
BASE_URL: Final = "https://gateway.example"
RECEIVED_AT: Final = 1_760_086_830_250_000
"""When every inbound sample arrives: 2025-10-10T09:00:30.25Z, in microseconds."""
CREATED_AT: Final = 1_760_086_900_125_000
"""When every outbound sample was committed: 2025-10-10T09:01:40.125Z, in microseconds."""
KEY: Final = "5b0e4a0e-7f6b-5c1d-9f55-3f0a8c3f3b11"
"""The idempotency key of every outbound sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A webhook and the events in it; `expected` is [] for one that means nothing to a bot.

    `raw` of the events is not compared; `settings` override those of the cases.
    """

    name: str
    webhook: Mapping[str, Any]
    expected: Sequence[Inbound]
    channel: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A webhook that must raise Unmappable with `reason` somewhere in its text."""

    name: str
    webhook: Mapping[str, Any]
    reason: str = ""
    channel: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request as it must be: headers by name exactly, `json` as the decoded body (None: no body)."""

    method: str
    path: str
    headers: Mapping[str, str]
    json: Any
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A message and the exact calls that send it.

    `answers` are what the calls get (default: the provider's `accepted`). `seen` are attributes of the emulator's
    `Seen` that are checked besides channel and conversation id.
    """

    name: str
    outbound: Outbound
    calls: Sequence[Call]
    answers: Sequence[Response] = ()
    seen: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The SendError that a send must end with; leave what its class does not have at the default."""

    error: type[SendError]
    code: str = ""
    retry_after: float | None = None
    unauthorised: bool = False
    pause: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Answers of the provider and the outcome they mean; `outbound` defaults to the first spoken message."""

    name: str
    answers: Sequence[Response]
    outcome: Sent | Failure
    outbound: Outbound | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A message that is Rejected before any request, with `reason` somewhere in the text."""

    name: str
    outbound: Outbound
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticated:
    """An exchange for a credential: its calls, their answers, and its outcome."""

    name: str
    calls: Sequence[Call]
    answers: Sequence[Response]
    outcome: Credential | Failure
    now: int = CREATED_AT
    settings: Mapping[str, Any] = field(default_factory=dict)


class MakesEmulator(Protocol):
    """An emulator's class, or a function that makes one."""

    def __call__(self, now: Callable[[], int], rng: Random, settings: Mapping[str, Any] | None = None) -> Emulator:
        """See bridge.providers.port.Emulator."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCases:
    """One provider, its emulator, and what the contract expects of both.

    `settings` are the account's keys without `provider`, with secrets as SecretStr; the emulator accepts them.
    `accepted` are the answers to a message that is taken. `channel` and `contact` go into the emulator's webhooks.
    `presses`, `locates`, `media` and `statuses` say what a press, a place, a medium and a fate become.
    """

    provider: ProviderType
    emulator: MakesEmulator
    settings: Mapping[str, Any]
    received: Sequence[Received]
    quarantined: Sequence[Quarantined] = ()
    spoken: Sequence[Spoken]
    accepted: Sequence[Response]
    answered: Sequence[Answered]
    refused: Sequence[Refused] = ()
    authenticated: Sequence[Authenticated] = ()
    credential: Credential | None = None
    channel: str
    contact: str
    presses: type[Event] = Postback
    locates: str = "location"
    media: Sequence[str] = ("image", "video", "audio", "voice", "document")
    statuses: frozenset[StatusValue] = frozenset()

    def build(self, overrides: Mapping[str, Any] | None = None) -> Provider:
        """The provider for the account of the cases, with some of its settings replaced."""
        values = {"base_url": BASE_URL, **self.settings, **(overrides or {}), "provider": self.provider.name}
        settings: AccountSettings = self.provider.Settings.model_validate(
            {name: value for name, value in values.items() if value is not None}
        )
        return self.provider(ACCOUNT, settings)

    def ref(self, conversation_id: str, channel: str | None = None) -> ThreadRef:
        """A thread of the account."""
        return ThreadRef(ACCOUNT, self.provider.name, channel or self.channel, conversation_id)


def outbound(
    thread: ThreadRef, message: Outgoing, address: Mapping[str, str] | None = None, key: str = KEY
) -> Outbound:
    """A message to send, committed at CREATED_AT."""
    return Outbound(key=key, thread=thread, message=message, address=address or {}, created_at=CREATED_AT)


def exchange(
    conversation: Generator[Request, Response, T], answers: Callable[[Request], Response] | Sequence[Response]
) -> tuple[list[Request], T | SendError]:
    """Play the network: the requests and the outcome.

    `answers` come in turn, the last one over and over; or a function computes them.
    """
    requests: list[Request] = []
    try:
        request = next(conversation)
        while True:
            requests.append(request)
            assert len(requests) < 10, "it never ends"
            given = answers(request) if callable(answers) else answers[min(len(requests), len(answers)) - 1]
            request = conversation.send(given)
    except StopIteration as end:
        result: T = end.value
        return requests, result
    except SendError as error:
        return requests, error


def answer(status: int, content: Any = None, body: bytes | None = None, **headers: str) -> Response:
    """A response with a JSON body (or the bytes given); `retry_after="5"` is the header retry-after."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is None:
        body = b"" if content is None else orjson.dumps(content)
        named = {"content-type": "application/json", **named}
    return Response(status=status, headers=named, body=body)


def webhook(content: Mapping[str, Any], channel: str | None = None) -> Webhook:
    """A webhook as the bridge hands it to `parse`."""
    body = body_of(content)
    return Webhook(channel=channel, body=body, json=read_object(body), received_at=RECEIVED_AT)


def body_of(content: Mapping[str, Any]) -> bytes:
    """A webhook's JSON."""
    try:
        return orjson.dumps(content)
    except orjson.JSONEncodeError:  # half a character stands in JSON only as an escape; or a number of many digits
        return _ESCAPED.encode(content).encode()


_ESCAPED: Final = json.JSONEncoder(separators=(",", ":"))
