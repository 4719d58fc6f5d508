"""What goes in and out of the REST API about broadcasts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from bridge.engine.broadcasts.composing import ROWS
from bridge.store.broadcasts import Bounds, BroadcastState, RecipientState
from bridge.web.api.models import AccountName, Named, Page

_BOUNDS: Final = Bounds()
_Share = Annotated[float, Field(ge=0, le=1)]
_State = Literal["waiting", "released", "sent", "delivered", "read", "failed", "refused", "expired"]
_Text = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00]*$")]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Out(BaseModel):
    model_config = ConfigDict(frozen=True)


class RecipientIn(_In):
    """A contact, as `to` of a message or as the id of a conversation, and what the message says of them."""

    to: Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00]+$")] | None = None
    thread: str | None = None
    columns: dict[Named, _Text] = {}

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.to is None) == (self.thread is None):
            raise ValueError("want `to` or `thread`")
        return self


class Recipients(_In):
    """Recipients for a draft. Each has a number, from `first` on, and the same again under it change nothing."""

    first: Annotated[int, Field(ge=1, le=10**9)] = 1
    recipients: Annotated[list[RecipientIn], Field(max_length=ROWS)]
    skip: bool = Field(default=False, description="Leave out recipients that have a flaw")


class BroadcastIn(Recipients):
    """A message for many contacts, with `{column}` in its texts; or one for each `PROVIDER:CHANNEL` or `PROVIDER`."""

    account: AccountName
    message: dict[str, Any]
    recipients: Annotated[list[RecipientIn], Field(max_length=ROWS)] = []
    channel: Named | None = None
    title: Annotated[str, Field(max_length=200)] = ""
    send_at: AwareDatetime | None = Field(default=None, description="Not before")
    start: bool = Field(default=True, description="False leaves a draft, which takes more recipients")
    idempotency_key: Named | None = Field(default=None, description="Begins once: the same again changes nothing")
    stop_failures: _Share = Field(default=_BOUNDS.failures, description="Pause when more of the messages fail")
    stop_opt_outs: _Share = Field(default=_BOUNDS.opt_outs, description="Pause when more of the contacts opt out")
    stop_from: Annotated[int, Field(ge=1)] = _BOUNDS.at_least


class FlawOut(_Out):
    """A recipient that is left out; `repeated`: because the list has the contact already."""

    number: int
    reason: str
    repeated: bool


class BroadcastLine(_Out):
    """A broadcast in a list."""

    id: str
    account: str
    title: str
    state: BroadcastState
    reason: str | None
    created_at: datetime
    send_at: datetime


class BroadcastOut(BroadcastLine):
    """Where a broadcast stands. `states` counts its recipients; `unanswered` are tries without an answer.

    After such a try a message is sent again, so at most so many contacts have it twice.
    """

    recipients: int
    states: dict[RecipientState, int]
    opt_outs: int
    unanswered: int


class BroadcastBegun(BroadcastOut):
    """A broadcast that was begun."""

    left_out: list[FlawOut]


class LeftOut(_Out):
    """Recipients that were not added."""

    left_out: list[FlawOut]


class Broadcasts(_Out):
    """Broadcasts, the newest first."""

    items: list[BroadcastLine]
    next: str | None


class BroadcastsAsked(Page):
    """Which broadcasts."""

    account: AccountName | None = None


class RecipientsAsked(Page):
    """Which recipients."""

    state: _State | None = None


class RecipientOut(_Out):
    """What became of the message for one recipient."""

    number: int
    to: str
    channel: str
    state: RecipientState
    reason: str | None
    opted_out: bool
    unanswered: int


class RecipientsOut(_Out):
    """Recipients by their numbers."""

    items: list[RecipientOut]
    next: str | None
