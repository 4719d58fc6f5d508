"""Every operation of the REST API in one table: the routes and the OpenAPI document are made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bridge.web.api import audit, broadcast_models, broadcasts, contacts, letters, messages, models, threads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from pydantic import BaseModel

    from bridge.config.api import Scope
    from bridge.web.api.calls import Call

PREFIX: Final = "/api/v1"
_NO_THREAD: Final = {404: "There is no such conversation"}
_NO_CONTACT: Final = {404: "There is no such contact"}
_NO_LETTER: Final = {404: "There is no such dead letter"}
_NO_BROADCAST: Final = {404: "There is no such broadcast"}
_KEY_TAKEN: Final = "Another message was sent under this key, or its contact was erased since"
_NO_ACCOUNT: Final = {404: "There is no such account"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path. `refusals` are its own, beside those that every operation has."""

    method: str
    path: str
    scope: Scope
    act: Callable[[Call], Awaitable[BaseModel]]
    answer: type[BaseModel]
    status: int = 200
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    refusals: Mapping[int, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its operationId."""
        return self.act.__name__

    @property
    def summary(self) -> str:
        """What it does."""
        return (self.act.__doc__ or "").partition("\n")[0]


OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/messages",
        scope="send",
        act=messages.send,
        answer=models.Accepted,
        status=202,
        body=models.Send,
        refusals={**_NO_ACCOUNT, 409: _KEY_TAKEN},
    ),
    Operation(
        method="GET",
        path="/messages/{message_id}",
        scope="read",
        act=messages.look,
        answer=models.MessageState,
        refusals={404: "There is no such message"},
    ),
    Operation(
        method="GET",
        path="/threads",
        scope="read",
        act=threads.threads,
        answer=models.Threads,
        query=models.ThreadsAsked,
        refusals=_NO_ACCOUNT,
    ),
    Operation(
        method="GET",
        path="/threads/{thread_id}",
        scope="read",
        act=threads.thread,
        answer=models.ThreadOut,
        refusals=_NO_THREAD,
    ),
    Operation(
        method="GET",
        path="/threads/{thread_id}/messages",
        scope="read",
        act=threads.messages,
        answer=models.History,
        query=models.Page,
        refusals=_NO_THREAD,
    ),
    Operation(
        method="POST",
        path="/threads/{thread_id}/messages",
        scope="operate",
        act=messages.write,
        answer=models.Accepted,
        status=202,
        body=models.Write,
        refusals={**_NO_THREAD, 409: f"{_KEY_TAKEN}, or the contact opted out"},
    ),
    Operation(
        method="POST",
        path="/threads/{thread_id}/handoff",
        scope="operate",
        act=threads.hand_off,
        answer=models.Done,
        status=202,
        body=models.Note,
        refusals=_NO_THREAD,
    ),
    Operation(
        method="POST",
        path="/threads/{thread_id}/return",
        scope="operate",
        act=threads.give_back,
        answer=models.Done,
        status=202,
        refusals=_NO_THREAD,
    ),
    Operation(
        method="POST",
        path="/threads/{thread_id}/events",
        scope="send",
        act=threads.signal,
        answer=models.Done,
        status=202,
        body=models.SignalIn,
        refusals={**_NO_THREAD, 409: "Another event came under this key"},
    ),
    Operation(
        method="GET",
        path="/contacts",
        scope="read",
        act=contacts.contacts,
        answer=models.Contacts,
        query=models.ContactsAsked,
    ),
    Operation(
        method="GET",
        path="/contacts/{contact_id}",
        scope="read",
        act=contacts.contact,
        answer=models.ContactOut,
        refusals=_NO_CONTACT,
    ),
    Operation(
        method="POST",
        path="/contacts/{contact_id}/merge",
        scope="operate",
        act=contacts.merge,
        answer=models.ContactOut,
        body=models.OtherContact,
        refusals={**_NO_CONTACT, 409: "They are one person already, or in different databases"},
    ),
    Operation(
        method="POST",
        path="/contacts/{contact_id}/unmerge",
        scope="operate",
        act=contacts.unmerge,
        answer=models.ContactOut,
        refusals={**_NO_CONTACT, 409: "They are a person of their own"},
    ),
    Operation(
        method="POST",
        path="/contacts/{contact_id}/erase",
        scope="operate",
        act=contacts.erase,
        answer=models.ErasedContact,
        refusals=_NO_CONTACT,
    ),
    Operation(
        method="POST",
        path="/broadcasts",
        scope="send",
        act=broadcasts.broadcast,
        answer=broadcast_models.BroadcastBegun,
        status=202,
        body=broadcast_models.BroadcastIn,
        refusals={**_NO_ACCOUNT, 409: "Another broadcast was begun under this key"},
    ),
    Operation(
        method="GET",
        path="/broadcasts",
        scope="read",
        act=broadcasts.broadcasts,
        answer=broadcast_models.Broadcasts,
        query=broadcast_models.BroadcastsAsked,
        refusals=_NO_ACCOUNT,
    ),
    Operation(
        method="GET",
        path="/broadcasts/{broadcast_id}",
        scope="read",
        act=broadcasts.look_at_broadcast,
        answer=broadcast_models.BroadcastOut,
        refusals=_NO_BROADCAST,
    ),
    Operation(
        method="GET",
        path="/broadcasts/{broadcast_id}/recipients",
        scope="read",
        act=broadcasts.recipients,
        answer=broadcast_models.RecipientsOut,
        query=broadcast_models.RecipientsAsked,
        refusals=_NO_BROADCAST,
    ),
    Operation(
        method="POST",
        path="/broadcasts/{broadcast_id}/recipients",
        scope="send",
        act=broadcasts.add_recipients,
        answer=broadcast_models.LeftOut,
        body=broadcast_models.Recipients,
        refusals=_NO_BROADCAST,
    ),
    Operation(
        method="POST",
        path="/broadcasts/{broadcast_id}/resume",
        scope="send",
        act=broadcasts.resume,
        answer=broadcast_models.BroadcastOut,
        refusals={**_NO_BROADCAST, 409: "It is over, or runs"},
    ),
    Operation(
        method="POST",
        path="/broadcasts/{broadcast_id}/pause",
        scope="operate",
        act=broadcasts.pause,
        answer=broadcast_models.BroadcastOut,
        refusals={**_NO_BROADCAST, 409: "It does not run"},
    ),
    Operation(
        method="POST",
        path="/broadcasts/{broadcast_id}/cancel",
        scope="operate",
        act=broadcasts.cancel,
        answer=broadcast_models.BroadcastOut,
        refusals={**_NO_BROADCAST, 409: "It is over"},
    ),
    Operation(
        method="GET",
        path="/dead-letters",
        scope="read",
        act=letters.letters,
        answer=models.Letters,
        query=models.LettersAsked,
        refusals=_NO_ACCOUNT,
    ),
    Operation(
        method="POST",
        path="/dead-letters",
        scope="operate",
        act=letters.change_many,
        answer=models.Changed,
        body=models.Choice,
        refusals=_NO_ACCOUNT,
    ),
    Operation(
        method="GET",
        path="/dead-letters/{letter_id}",
        scope="read",
        act=letters.letter,
        answer=models.WholeLetter,
        refusals=_NO_LETTER,
    ),
    Operation(
        method="POST",
        path="/dead-letters/{letter_id}/replay",
        scope="operate",
        act=letters.replay,
        answer=models.Done,
        refusals={**_NO_LETTER, 409: "It is still not understood"},
    ),
    Operation(
        method="POST",
        path="/dead-letters/{letter_id}/drop",
        scope="operate",
        act=letters.drop,
        answer=models.Done,
        refusals=_NO_LETTER,
    ),
    Operation(
        method="GET",
        path="/audit",
        scope="operate",
        act=audit.audited,
        answer=models.Audit,
        query=models.AuditAsked,
        refusals=_NO_ACCOUNT,
    ),
)
