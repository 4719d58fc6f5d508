"""How a broadcast is made: a draft with its message, then its recipients, each looked at before anything leaves."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from bridge.engine.broadcasts.wording import Wording
from bridge.engine.turns.sending import destination
from bridge.errors import HandlerError, KeyTaken, NoThread
from bridge.events import ThreadRef
from bridge.store.broadcasts import Bounds, Broadcast, BroadcastMove, Recipient
from bridge.units import micros

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from bridge.clock import Clock
    from bridge.config.accounts import Account
    from bridge.messages import Outgoing
    from bridge.store.port import Store

ROWS: Final = 500
"""Recipients that are added at once: they are stored in one transaction, and others wait for that."""
_AT_ONCE: Final = 20
"""Recipients that are looked at in one go."""
_LONGEST: Final = 64 * 1024
"""Bytes of the columns of one recipient."""


class Row(NamedTuple):
    """A recipient as it is asked for: its place in the list, whom it names, and its columns.

    `to` is a text that the gateway understands, or the number of a thread.
    """

    number: int
    to: str | int
    columns: Mapping[str, str]


class Flaw(NamedTuple):
    """Why a recipient is left out; `repeated`: because the list has the conversation already."""

    number: int
    reason: str
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """What a broadcast says, where (None: as each recipient's text tells), and what a person calls it."""

    wording: Wording
    channel: str | None = None
    title: str = ""

    def encode(self) -> bytes:
        """As JSON."""
        return orjson.dumps({"messages": self.wording.messages, "channel": self.channel, "title": self.title})

    @classmethod
    def decode(cls, content: bytes) -> Content:
        """What `encode` gave."""
        values = orjson.loads(content)
        return cls(Wording(values["messages"]), values["channel"], values["title"])


def _id_under(account: str, key: str) -> str:
    return hashlib.blake2b(f"{account}\n{key}".encode(), digest_size=8).hexdigest()


def read_wording(message: object, columns: Collection[str] | None) -> Wording:
    """What a broadcast says, if recipients with these columns can be told so. Raises HandlerError."""
    try:
        wording = Wording.read(message)
        if columns is not None:
            wording.check(columns)
    except ValueError as error:
        raise HandlerError(f"the message of the broadcast: {error}") from None
    return wording


class Composer:
    """Makes broadcasts in a store."""

    def __init__(self, store: Store, accounts: Mapping[str, Account], clock: Clock, name: Callable[[], str]) -> None:
        """`name` makes names of random digits."""
        self._store = store
        self._accounts = accounts
        self._clock = clock
        self._name = name

    async def begin(
        self,
        account: str,
        message: object,
        *,
        channel: str | None = None,
        at: datetime | None = None,
        bounds: Bounds = Bounds(),  # noqa: B008 - a value
        title: str = "",
        columns: Collection[str] | None = None,
        key: str | None = None,
    ) -> str:
        """Begin a draft; its id. `message` is JSON: one, or one for each gateway; see Wording.

        `columns` are those that all recipients have, if that is known. Under a `key` there is one of an account.

        Raises:
            HandlerError: there is no such account, or the message makes no sense.
            KeyTaken: another one was begun under the key.
        """
        if account not in self._accounts:
            raise HandlerError(f"the account {account} is not configured")
        if at is not None and at.tzinfo is None:
            raise HandlerError("a broadcast begins at a time with a time zone, like 2026-12-24T09:00+07:00")
        if not (0 <= bounds.failures <= 1 and 0 <= bounds.opt_outs <= 1 and bounds.at_least > 0):
            raise HandlerError("a broadcast stops at shares between 0 and 1, of a number of messages")
        wording = read_wording(message, columns)
        now = self._clock.now()
        broadcast = Broadcast(
            id=_id_under(account, key) if key is not None else self._name()[:10],
            account=account,
            content=Content(wording, channel, title).encode(),
            bounds=bounds,
            begins_at=now if at is None else micros(at),
            created_at=now,
            updated_at=now,
        )
        if key is not None and (before := await self._store.broadcast(broadcast.id)) is not None:
            if (before.content, before.bounds) != (broadcast.content, broadcast.bounds):
                raise KeyTaken(f"another broadcast was begun under the key {key!r} before")
            return before.id
        await self._store.add_broadcast(broadcast)
        return broadcast.id

    async def add(self, broadcast_id: str, rows: Sequence[Row]) -> list[Flaw]:
        """Add recipients to a draft, at most ROWS; those that are left out, each with the reason.

        Raises:
            HandlerError: there is no such draft, or these are too many.
        """
        if len(rows) > ROWS:
            raise HandlerError(f"at most {ROWS} recipients are added at once, and these are {len(rows)}")
        broadcast = await self._store.broadcast(broadcast_id)
        if broadcast is None or broadcast.account not in self._accounts:
            raise HandlerError(f"there is no broadcast {broadcast_id}")
        content, flaws, recipients = Content.decode(broadcast.content), [], []
        for count, row in enumerate(rows):
            if count % _AT_ONCE == 0:
                await asyncio.sleep(0)  # replies go on meanwhile
            try:
                recipients.append(await self._recipient(broadcast.account, content, row))
            except (ValueError, TypeError, HandlerError, NoThread) as error:
                flaws.append(Flaw(row.number, str(error)))
        repeated = await self._store.add_recipients(broadcast_id, recipients)
        if repeated is None:
            raise HandlerError(f"the broadcast {broadcast_id} has begun: it takes no more recipients")
        flaws += [Flaw(number, "the contact is in the list before", repeated=True) for number in repeated]
        return sorted(flaws)

    async def start(self, broadcast_id: str) -> bool:
        """Start a draft, or resume what is paused; False: neither is there."""
        return await self._move(broadcast_id, BroadcastMove.STARTED)

    async def pause(self, broadcast_id: str) -> bool:
        """Release nothing more until it is resumed; False: it does not run."""
        return await self._move(broadcast_id, BroadcastMove.PAUSED, "a person paused it")

    async def cancel(self, broadcast_id: str) -> bool:
        """Release nothing more; False: it is over, or there is none."""
        return await self._move(broadcast_id, BroadcastMove.CANCELLED, "a person cancelled it")

    async def _move(self, broadcast_id: str, move: BroadcastMove, reason: str = "") -> bool:
        return await self._store.move_broadcast(broadcast_id, move, self._clock.now(), reason)

    async def _recipient(self, account: str, content: Content, row: Row) -> Recipient:
        """A recipient to whom something can be said. Raises ValueError, HandlerError, NoThread."""
        if isinstance(row.to, int):
            ref, to = (await self._store.thread(row.to)).ref, ""
            if ref.account != account:
                raise HandlerError(f"conversation {row.to} is of another account than {account}")
        else:
            to = row.to.strip()
            if not to:
                raise ValueError("it names nobody")
            ref = destination(self._accounts, account, to, content.channel).ref
        fields = orjson.dumps(dict(row.columns))
        if len(fields) > _LONGEST:
            raise ValueError(f"its columns have {len(fields)} bytes, and they may have {_LONGEST}")
        content.wording.message(ref.provider, ref.channel, row.columns)
        return Recipient(number=row.number, to=to, channel=ref.channel, conversation=ref.conversation_id, fields=fields)


def addressee(broadcast: Broadcast, account: Account, recipient: Recipient) -> str | ThreadRef:
    """Whom the message of a recipient goes to."""
    if recipient.to:
        return recipient.to
    return ThreadRef(broadcast.account, account.provider.name, recipient.channel, recipient.conversation)


def message_for(content: Content, account: Account, recipient: Recipient) -> Outgoing:
    """The message of a recipient. Raises ValueError."""
    columns = orjson.loads(recipient.fields)
    return content.wording.message(account.provider.name, recipient.channel, columns)
