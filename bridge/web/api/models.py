"""What goes in and out of the REST API. The OpenAPI document is made of these models."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from bridge.engine.signals import LONGEST
from bridge.messages import Outgoing, decode_message
from bridge.strict_json import has_nul, not_json

MOST: Final = 200
"""Things on one page."""
CURSOR: Final = r"^[0-9a-f]{1,16}-[0-9a-f]{1,16}$"
_LETTER_CURSOR: Final = r"^([0-9a-f]{1,16}\.)?[0-9a-f]{1,16}-[0-9a-f]{1,16}$"
_SAYS: Final = r"^[^\x00]+$"
Named = Annotated[str, Field(min_length=1, max_length=LONGEST, pattern=_SAYS)]
AccountName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", examples=["shop"])]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Out(BaseModel):
    model_config = ConfigDict(frozen=True)


class Problem(_Out):
    """RFC 9457."""

    type: Literal["about:blank"]
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = Field(default=None, description="Each with its place, `at`, and its `reason`")


class NotHttp(_Out):
    """A request that could not be read."""

    error: str


# Messages


_TIME: Final = "a time, like 2026-01-31T09:30:00Z"
_EXACTLY: Final[dict[str, tuple[tuple[type, ...], str]]] = {
    "at": ((str, type(None)), _TIME),
    "expires": ((str, int, float, type(None)), f"{_TIME}, or seconds from now"),
    "latitude": ((int, float), "a number"),
    "longitude": ((int, float), "a number"),
}
"""What a message takes in a file may be written in more ways: here each field has the types of the document."""


def _message(value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError('want a message, like {"kind": "text", "text": "..."}')  # noqa: TRY004 - pydantic collects these
    if problem := not_json(value, "the message"):
        raise ValueError(problem)
    if has_nul(value):
        raise ValueError("a text holds a NUL character")
    for name, (types, want) in _EXACTLY.items():
        if name in value and (isinstance(value[name], bool) or not isinstance(value[name], types)):
            raise ValueError(f"{name}: want {want}")
    return decode_message(value)


class Send(_In):
    """A message to a conversation, which need not have begun."""

    account: AccountName
    to: Annotated[str, Field(min_length=1, max_length=512, pattern=_SAYS, examples=["+6281234567890"])]
    channel: Annotated[str, Field(min_length=1, max_length=64, pattern=_SAYS)] | None = None
    message: Annotated[Outgoing, BeforeValidator(_message)]
    idempotency_key: Named | None = Field(default=None, description="Sends once: the same again changes nothing")
    send_at: AwareDatetime | None = Field(default=None, description="Not before")


class Write(_In):
    """What a person writes in a conversation, which is theirs from then on."""

    message: Annotated[Outgoing, BeforeValidator(_message)]
    idempotency_key: Named | None = Field(default=None, description="Sends once: the same again changes nothing")


class PlanOut(_Out):
    """What the message becomes on its channel: its parts, what they give up, or why it is not sent at all."""

    parts: list[dict[str, Any]]
    given_up: list[str]
    dropped: str | None


class Accepted(_Out):
    """The message is stored, and waits for its turn in the order of its conversation."""

    id: str
    plan: PlanOut


class Part(_Out):
    """One message at the gateway. `id` is its idempotency key, `message_id` what the gateway calls it."""

    id: str
    kind: str
    state: Literal["open", "sent", "dead", "expired", "dropped"]
    outcome: str | None
    status: str | None
    reason: str | None
    message_id: str | None
    attempt: int
    at: datetime


class MessageState(_Out):
    """Where a message stands."""

    id: str
    account: str
    thread: str
    state: Literal["accepted", "held", "scheduled", "sending", "sent", "expired", "dead", "dropped", "nothing to send"]
    reason: str | None
    at: datetime
    send_at: datetime | None
    parts: list[Part]


# Conversations


class Page(_In):
    """A page of a list. `cursor` is `next` of the page before."""

    limit: Annotated[int, Field(ge=1, le=MOST)] = 50
    cursor: Annotated[str, Field(pattern=CURSOR)] | None = None


class ThreadsAsked(Page):
    """Which conversations; one alone by its account, channel and conversation."""

    text: Annotated[str, Field(max_length=200)] = Field(
        default="", description="Stands in the name, the phone number or an id of the contact"
    )
    account: AccountName | None = None
    held: bool | None = Field(default=None, description="Those that a person has; false: those that the bot has")
    waits: bool = Field(default=False, description="Only those in which something waits")
    dead: bool = Field(default=False, description="Only those of which something was given up")
    channel: Annotated[str, Field(max_length=64, pattern=_SAYS)] | None = None
    conversation: Annotated[str, Field(max_length=512, pattern=_SAYS)] | None = None


class Person(_Out):
    """The contact."""

    id: str
    name: str
    phone: str | None
    email: str | None
    locale: str | None


class ThreadNamed(_Out):
    """Which conversation it is."""

    id: str
    account: str
    provider: str
    channel: str
    conversation: str


class ThreadOut(ThreadNamed):
    """A conversation. `held` says that a person has it, and `note` is for them."""

    contact: Person | None
    step: str | None
    held: bool
    note: str | None
    open_events: int
    open_messages: int
    kept_events: int
    reason: str | None
    last_at: datetime


class Threads(_Out):
    """Conversations, the latest first."""

    items: list[ThreadOut]
    next: str | None


class Said(_Out):
    """Something said: by the contact (in), or by the bot (out). `content` is the event, or the message."""

    id: str
    direction: Literal["in", "out"]
    kind: str
    state: str
    status: str | None
    at: datetime
    content: dict[str, Any]


class History(_Out):
    """What was said in a conversation, the latest first."""

    items: list[Said]
    next: str | None


class Note(_In):
    """For the person who takes the conversation."""

    note: Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")] = ""


class SignalIn(_In):
    """Something that happened outside: it answers a dialog that waits for its name."""

    name: Named
    data: Any = None
    idempotency_key: Named | None = Field(default=None, description="Comes once: the same again changes nothing")


# People


class ContactsAsked(Page):
    """Which people; those of one identity by its value, like a phone number."""

    identity: Annotated[str, Field(min_length=1, max_length=512, pattern=_SAYS)] | None = None


class IdentityOut(_Out):
    """What names a person at an account, as its gateway asserts."""

    account: str
    kind: str
    value: str


class ContactOut(_Out):
    """A person. `merged` are other contacts who turned out to be them; `opted_out` the accounts where they did so."""

    id: str
    name: str
    merged: list[str]
    identities: list[IdentityOut]
    fields: dict[str, Any]
    tags: list[str]
    locale: str | None
    timezone: str | None
    threads: list[str]
    opted_out: list[str]
    created_at: datetime


class Contacts(_Out):
    """People, those first met last first."""

    items: list[ContactOut]
    next: str | None


class OtherContact(_In):
    """The contact who is the same person."""

    other: Annotated[str, Field(min_length=1, max_length=100, pattern=_SAYS)]


class ErasedContact(_Out):
    """A person who is erased: how many rows of each kind were removed, and what still holds some of them."""

    id: str
    removed: dict[str, int]
    left: list[str]


class Done(_Out):
    """It is stored, and takes effect in the conversation's order."""

    id: str


# Dead letters


_Reason = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$", description="A text in it")]
_Age = Annotated[float, Field(ge=0, le=3660 * 86_400, description="Seconds")]
LetterState = Literal["dead", "quarantined"]


class AuditAsked(Page):
    """Which changes."""

    account: AccountName | None = None


class LettersAsked(AuditAsked):
    """Which dead letters."""

    reason: _Reason = ""
    older_than: _Age = 0
    state: LetterState | None = None


class Letter(_Out):
    """Something given up (`dead`) or not understood (`quarantined`)."""

    id: str
    account: str
    thread: str = Field(description="Its channel and conversation, or nothing")
    kind: str
    state: str
    reason: str
    attempt: int
    at: datetime


class WholeLetter(Letter):
    """With what it holds: the webhook's body or the message, JSON where it is."""

    content: Any
    trace: str | None
    tries: list[dict[str, Any]]


class Letters(_Out):
    """Dead letters, the newest first."""

    items: list[Letter]
    next: str | None


Action = Literal["replay", "drop"]


class Choice(_In):
    """What to do with which dead letters: by account, by a text in their reason, by age, and by state."""

    action: Action
    account: AccountName | None = None
    reason: _Reason = ""
    older_than: _Age = 0
    state: LetterState | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Annotated[str, Field(pattern=_LETTER_CURSOR)] | None = None


class RefusedLetter(_Out):
    """A dead letter that stays one."""

    id: str
    reason: str


class Changed(_Out):
    """What was done; `next` goes on with the rest."""

    done: list[str]
    refused: list[RefusedLetter]
    next: str | None


# The audit


class AuditedOut(_Out):
    """A change that was asked for: who, what, when."""

    id: str
    at: datetime
    who: str
    what: str
    account: str
    target: str


class Audit(_Out):
    """What was asked for, the latest first."""

    items: list[AuditedOut]
    next: str | None
