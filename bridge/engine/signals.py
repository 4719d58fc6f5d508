"""Signals: what happened outside, told to a conversation in its order."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.errors import HandlerError, KeyTaken, NoThread
from bridge.events import Contact, Signal, encode_event
from bridge.store.lifecycle import InboxState
from bridge.store.records import Arrival, Receipt
from bridge.strict_json import has_nul, not_json
from bridge.units import moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.clock import Clock
    from bridge.events import ThreadRef
    from bridge.store.port import Store

LONGEST: Final = 200
"""Characters of a signal's name, and of a key."""
LARGEST: Final = 64 * 1024
"""Bytes of a signal's data: a dialog remembers them in its journal."""


class Signals:
    """Takes signals for the threads of a store."""

    def __init__(self, store: Store, clock: Clock, name: Callable[[], str]) -> None:
        """`name` makes the names of events."""
        self._store = store
        self._clock = clock
        self._name = name

    async def send(self, ref: ThreadRef, name: str, data: Any = None, *, key: str | None = None) -> str:  # noqa: ANN401 - any JSON
        """Store a signal for a thread, once under a key of its account; the key of its event.

        Raises:
            HandlerError: the name, the data or the key cannot be kept.
            NoThread: the conversation has not begun.
            KeyTaken: another signal was sent under the key before.
            StoreError: it is not stored.
        """
        for what, text in (("name", name), ("key", key)):
            if text is not None and (not 0 < len(text) <= LONGEST or not_json(text, "it")):
                raise HandlerError(f"a signal's {what} is a text of 1 to {LONGEST} characters")
        if problem := not_json(data, "its data"):
            raise HandlerError(f"a signal holds JSON: {problem}")
        said = orjson.dumps([ref.channel, ref.conversation_id, name, data])
        if len(said) > LARGEST or has_nul([name, data]):
            raise HandlerError(f"a signal holds at most {LARGEST} bytes, and no NUL character")
        if await self._store.find_thread(ref) is None:
            raise NoThread("the conversation has not begun")
        digest = None if key is None else hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
        now, own = self._clock.now(), f"by hand:signal:{digest or self._name()}"
        event = Signal(id=own, contact=Contact(id=ref.conversation_id), at=moment(now), name=name, data=data)
        arrival = Arrival(
            account=ref.account,
            key=own,
            ref=ref,
            event=event,
            encoded=encode_event(event),
            raw=said,
            state=InboxState.OPEN,
            received_at=now,
        )
        (receipt,) = await self._store.receive([arrival])
        if receipt is Receipt.CONFLICT:
            raise KeyTaken(f"another signal was sent under the key {key!r} before")
        return own
