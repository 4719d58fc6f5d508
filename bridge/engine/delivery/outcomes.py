"""What becomes of each message is written to the store, and to the log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from bridge.engine.counters import SENT, Counters
from bridge.errors import Broken, ClaimLost, StoreError
from bridge.log import has_debug, log
from bridge.planning.plan import Bar
from bridge.store.lifecycle import OutboxState, Outcome
from bridge.store.records import Retry, Settled
from bridge.units import SECOND

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable

    from bridge.clock import Clock
    from bridge.engine.backoff import Backoff
    from bridge.engine.spans import Spans
    from bridge.providers.port import Sent
    from bridge.store.port import Store
    from bridge.store.records import OutboxRow

T = TypeVar("T")

SILENCED: Final = "a person took the conversation before it could leave"
TAKEN: Final = "a person took the conversation"
MAY_BE_OUT: Final = "; an earlier try had no answer, so the contact may have it"
_STORE_SECONDS: Final = 0.5
"""How long to wait for a store that is unavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryTools:
    """What a delivery works with."""

    store: Store
    clock: Clock
    rng: random.Random
    backoff: Backoff
    counters: Counters = field(default_factory=Counters)
    spans: Spans | None = None


class Outcomes:
    """Writes down the outcome of one account's messages, however long the store takes to come back."""

    def __init__(self, account: str, tools: DeliveryTools) -> None:
        """`account` is for the log."""
        self._account = account
        self._store = tools.store
        self._clock = tools.clock
        self._counters = tools.counters
        self._spans = tools.spans

    def attempted(self, row: OutboxRow, outcome: str, micros: int, began: int) -> None:
        """A try ended; its requests took so many `micros`, and all of it since `began`."""
        self._counters.attempts[self._account, outcome] += 1
        self._counters.attempt_seconds[self._account].add(max(0, micros) / SECOND)  # the clock may have been set back
        if self._spans is not None:
            self._spans.attempted(row, outcome, began, self._clock.now())

    async def sent(self, row: OutboxRow, sent: Sent, exchange: bytes) -> None:
        """The provider took the message."""
        settled = Settled(
            row_id=row.id,
            thread_id=row.thread_id,
            attempt=row.attempt,
            state=OutboxState.SENT,
            at=self._clock.now(),
            outcome=Outcome.SENT,
            message_id=sent.message_id,
            status=sent.status,
            exchange=exchange,
        )
        await self._record(self._store.settle_delivery, settled)
        self._counters.ended(self._account, SENT, dead=False)
        if has_debug():
            log.debug("message_sent", account=self._account, thread=row.thread_id, key=row.key, attempt=row.attempt)

    async def retry(
        self,
        again: OutboxRow,
        now: int,
        outcome: Outcome | None,
        reason: str,
        exchange: bytes = b"",
        *,
        free: bool = False,
    ) -> None:
        """The message is tried again; `again` is its row as it is then. `free`: the try did not count."""
        retry = Retry(
            row_id=again.id,
            thread_id=again.thread_id,
            attempt=again.attempt,
            reason=reason,
            available_at=again.available_at,
            at=now,
            exchange=exchange,
            outcome=outcome,
            free=free,
        )
        await self._record(self._store.retry_delivery, retry)
        self._counters.retries[self._account, "message"] += 1

    async def end(
        self,
        row: OutboxRow,
        state: OutboxState,
        outcome: Outcome | None = None,
        reason: str = "",
        exchange: bytes = b"",
        *,
        logged: str = "",
        bar: Bar | None = None,
    ) -> None:
        """The message is not sent. The log says `logged` where `reason` holds words of the provider."""
        await self._end(row, state, self._clock.now(), outcome, reason, exchange)
        became = bar or outcome or Outcome.NOT_SENT
        self._counters.ended(self._account, became, dead=state is OutboxState.DEAD)
        log.error(
            "message_dead" if state is OutboxState.DEAD else "message_expired",
            account=row.ref.account,
            thread=row.thread_id,
            key=row.key,
            attempt=row.attempt,
            outcome=outcome or "",
            reason=logged or reason,
            letter=f"out-{row.id}" if state is OutboxState.DEAD else "",
        )

    async def silence(self, row: OutboxRow, now: int) -> None:
        """A person spoke in the conversation: an earlier message of the bot becomes a dead letter."""
        reason = TAKEN + MAY_BE_OUT if row.unanswered else SILENCED
        await self._end(row, OutboxState.DEAD, now, None, reason, b"")
        self._counters.ended(self._account, Bar.PERSON, dead=True)
        log.warning("message_dropped", thread=row.thread_id, key=row.key, reason=reason)

    async def _end(
        self, row: OutboxRow, state: OutboxState, at: int, outcome: Outcome | None, reason: str, exchange: bytes
    ) -> None:
        settled = Settled(
            row_id=row.id,
            thread_id=row.thread_id,
            attempt=row.attempt,
            state=state,
            at=at,
            outcome=outcome,
            reason=reason,
            exchange=exchange,
        )
        await self._record(self._store.settle_delivery, settled)

    async def _record(self, write: Callable[[T], Awaitable[None]], end: T) -> None:
        """Write, and wait for a store that is unavailable: what happened on the wire must not be lost."""
        while True:
            try:
                return await write(end)
            except (Broken, ClaimLost):
                raise  # ClaimLost: a status told the outcome while the message was on the wire
            except StoreError as error:
                log.warning("store_unavailable", account=self._account, reason=str(error))
                await self._clock.sleep(_STORE_SECONDS)
