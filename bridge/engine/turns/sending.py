"""Messages that answer nothing: whom they go to, and the events that carry them into the order of a thread."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import orjson

from bridge.conversation.contact import Person
from bridge.conversation.effects import Destination, Sending, keyed
from bridge.conversation.turn import as_messages
from bridge.engine.media.sending import have_files
from bridge.errors import HandlerError, KeyTaken
from bridge.events import Contact, Send, ThreadRef, encode_event
from bridge.messages import encode_message
from bridge.providers.optional import Begins
from bridge.store.lifecycle import InboxState
from bridge.store.people.identities import encode_identities
from bridge.store.records import Arrival, Receipt
from bridge.strict_json import not_json
from bridge.units import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from bridge.clock import Clock
    from bridge.config.accounts import Account
    from bridge.conversation.turn import Reply, To
    from bridge.engine.turns.reaching import Reach
    from bridge.engine.turns.signing import Signer
    from bridge.messages import Outgoing
    from bridge.store.port import Store

SENT: Final = -1
"""In place of the part of a plan: tells what a turn sends from what it replies."""
SEND_SIZE: Final = 4 * 1024 * 1024
"""Bytes that one turn may send to other threads: they are stored in one transaction, and others wait for that."""
_LONGEST: Final = 512
"""Characters of what names a conversation; see bridge.engine.ingest."""


def person(to: To, account: str | None, channel: str | None) -> Destination | None:
    """A person, to be reached at `account` (None: anywhere); None for who is not known to the bridge."""
    number = to.person if isinstance(to, Person) else None
    if number is None:
        return None
    assert isinstance(to, Person)
    return Destination(ref=ThreadRef(account or "", "", channel or "", ""), contact=to.plain, person=number)


def destination(accounts: Mapping[str, Account], account: str, to: To, channel: str | None) -> Destination:
    """The conversation with `to`, also one that has not begun.

    Raises:
        HandlerError: there is none, or the gateway cannot begin it.
    """
    if isinstance(to, ThreadRef):
        if to.account not in accounts:
            raise HandlerError(f"the account {to.account} is not configured")
        return Destination(ref=to, contact=Contact(id=to.conversation_id))
    name: object = to.id if isinstance(to, Contact) else to
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST or not_json(name, "it") or "\0" in name:
        raise HandlerError(f"send() takes a thread, a contact, or a text of 1 to {_LONGEST} characters that names one")
    if account not in accounts:
        raise HandlerError(f"the account {account} is not configured")
    provider = accounts[account].provider
    if not isinstance(provider, Begins):
        raise HandlerError(f"{provider.name} cannot begin a conversation; give a thread that has begun")
    try:
        place = provider.place_of(name, channel)
    except ValueError as error:
        raise HandlerError(f"{account} ({provider.name}): {error}") from None
    ref = ThreadRef(account, provider.name, place.channel, place.conversation_id)
    contact = to if isinstance(to, Contact) else Contact(id=place.conversation_id, phone=place.phone)
    return Destination(ref=ref, contact=contact, address=place.address, identities=place.identities)


def arrival_of(sending: Sending, messages: Sequence[Outgoing], own: str, now: int, *, human: bool = False) -> Arrival:
    """The event that carries messages to their thread. `own` names it, unless its author gave a key.

    `messages` are those of `sending` as they leave: their typed keys are signed. What is said under a key is compared
    without that, because a signature may hold a time.
    """
    ref, key = sending.to.ref, event_key(sending.key) if sending.key is not None else f"send:{own}"
    event = Send(
        id=key,
        contact=sending.to.contact,
        at=moment(now),
        messages=tuple(encode_message(message).decode() for message in messages),
        human=human,
    )
    said = [orjson.Fragment(encode_message(message)) for message in sending.messages]
    raw = {"channel": ref.channel, "to": ref.conversation_id, "messages": said}
    return Arrival(
        account=ref.account,
        key=key,
        ref=ref,
        event=event,
        encoded=encode_event(event),
        raw=orjson.dumps(raw),
        state=InboxState.OPEN,
        address=sending.to.address,
        received_at=now,
        identities=encode_identities(sending.to.identities) if sending.to.identities else b"",
    )


def event_key(key: str) -> str:
    """The event key of messages sent under a key: a digest, because event keys are logged."""
    return f"send:key:{hashlib.blake2b(key.encode(), digest_size=16).hexdigest()}"


def check_sends(arrivals: Sequence[Arrival]) -> None:
    """Raises HandlerError for more than one transaction should hold."""
    if (size := sum(len(arrival.encoded) for arrival in arrivals)) > SEND_SIZE:
        raise HandlerError(f"a turn sends {size} bytes, and it may {SEND_SIZE}: send in several turns")


class Sender:
    """Sends messages from outside of turns."""

    def __init__(
        self,
        store: Store,
        accounts: Mapping[str, Account],
        signer: Signer,
        clock: Clock,
        name: Callable[[], str],
        reach: Reach,
    ) -> None:
        """`name` makes the names of events, `reach` finds where a person is written to."""
        self._reach = reach
        self._store = store
        self._accounts = accounts
        self._signer = signer
        self._clock = clock
        self._name = name

    async def send(
        self,
        account: str,
        to: To,
        *said: Reply,
        channel: str | None,
        at: datetime | None,
        key: str | None,
        human: bool = False,
    ) -> str:
        """Store messages for a conversation, once under a key; the key of the event that carries them.

        A person who says so (`human`) has the conversation from then on.

        Raises:
            HandlerError: the gateway can begin no such conversation, or something among the messages cannot be said.
            KeyTaken: other messages were sent under the key before.
            StoreError: they are not stored.
        """
        arrival = await self.arrival(account, to, *said, channel=channel, at=at, key=key, human=human)
        (receipt,) = await self._store.receive([arrival])
        if receipt is Receipt.CONFLICT:
            raise KeyTaken(f"other messages were sent under the key {key!r} before")
        return arrival.key

    async def arrival(
        self,
        account: str,
        to: To,
        *said: Reply,
        channel: str | None,
        at: datetime | None = None,
        key: str | None,
        human: bool = False,
    ) -> Arrival:
        """The event that carries messages to their conversation, not stored yet. Raises HandlerError, StoreError."""
        if at is not None and at.tzinfo is None:
            raise HandlerError("send() takes `at` with a time zone, such as datetime.now(UTC)")
        messages = [message if at is None else replace(message, at=at) for message in as_messages(said)]
        if not messages:
            raise HandlerError("send() takes a message at least")
        if have_files(messages):
            raise HandlerError("files are sent in turns alone: turn.send(to, Image(path=...)); here give a link")
        known = person(to, account, channel)
        where = await self._reach.found(known) if known else destination(self._accounts, account, to, channel)
        sending = Sending(to=where, messages=messages, key=keyed(key))
        ref, now = sending.to.ref, self._clock.now()
        await self._signer.start()
        limit = self._accounts[ref.account].provider.capabilities(ref.channel).button_key
        signed, long_keys = self._signer.seal(messages, ref, limit, now)
        arrival = arrival_of(sending, signed, self._name(), now, human=human)
        check_sends([arrival])
        await self._signer.keep(long_keys)
        return arrival
