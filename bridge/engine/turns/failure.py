"""What a failed turn means: another try, one at once for each of its events, or a dead letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.errors import HandlerError, KeyTaken, MediaError
from bridge.events import takes_over
from bridge.frozen import changed
from bridge.log import kind_of, log
from bridge.log.tracebacks import trace_of
from bridge.store.lifecycle import InboxState
from bridge.store.records import Retry, Settled

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from bridge.clock import Clock
    from bridge.engine.backoff import Backoff
    from bridge.engine.turns.batching import Batch
    from bridge.engine.turns.commit import CommitBuilder
    from bridge.engine.turns.meter import TurnMeter
    from bridge.store.port import Store
    from bridge.store.records import InboxRow

DIED: Final = "the process died while it was handled"


class Failures:
    """Keeps what failed turns mean in a store."""

    def __init__(
        self,
        store: Store,
        backoff: Backoff,
        clock: Clock,
        rng: random.Random,
        builder: CommitBuilder,
        meter: TurnMeter,
    ) -> None:
        """`backoff` decides about retries."""
        self._meter = meter
        self._store = store
        self._backoff = backoff
        self._clock = clock
        self._rng = rng
        self._builder = builder

    async def retry(self, batch: Batch, row: InboxRow, error: BaseException) -> InboxRow | None:
        """The head of a batch for its next try; None: it is given up.

        A HandlerError is a mistake in the author's code, and the next try would make it again; a medium that is gone
        is gone the next time too, and so is a key that was used for other messages.
        """
        reason, now = _reason(error), self._clock.now()
        if _is_lasting(error) and not batch.others:
            await self.give_up(row, "given up at once", error)
            return None
        again_at = self._backoff.again_at(row.attempt, now, self._rng)
        if again_at is None and batch.others:
            again_at = now  # with a single attempt: each of the events has it alone
        if again_at is None:
            await self.give_up(row, f"given up after {row.attempt} tries", error)
            return None
        return await self._again(row, reason, now, again_at, [other.id for other in batch.others])

    async def survived(self, row: InboxRow, deaths: int) -> InboxRow | None:
        """An event that ran alone when the last process died, for its next try: nothing else has counted that one.

        None: the event is given up.
        """
        tries, now = max(row.attempt, deaths), self._clock.now()
        if tries < self._backoff.attempts:
            return await self._again(changed(row, attempt=tries), DIED, now, 0, ())
        counted = await self._again(changed(row, attempt=tries - 1), DIED, now, 0, ())  # those in company were not
        await self.give_up(counted, f"given up after {tries} tries: {DIED}")
        return None

    async def _again(self, row: InboxRow, reason: str, now: int, available_at: int, others: Sequence[int]) -> InboxRow:
        again = changed(row, attempt=row.attempt + 1, available_at=available_at, tried_at=now)
        await self._store.retry_turn(
            Retry(
                row_id=row.id,
                thread_id=row.thread_id,
                attempt=again.attempt,
                reason=reason,
                available_at=available_at,
                at=now,
                others=others,
            )
        )
        self._meter.retried(row)
        return again

    async def give_up(self, row: InboxRow, reason: str, error: BaseException | None = None) -> None:
        """Make an event a dead letter. A person who takes a thread by such an event has it all the same.

        The letter holds what the error says, and where in the code. The log holds no words of it.
        """
        logged = reason if error is None else f"{reason}: {kind_of(error)}"
        reason = reason if error is None else f"{reason}: {_reason(error)}"
        thread = await self._store.thread(row.thread_id)
        if takes_over(row.event) and not thread.is_held:
            await self._store.commit_turn(self._builder.of_taking(row, thread, reason))
            log.info("thread_held", thread=row.thread_id, event_key=row.key)
        else:
            await self._store.settle_turn(
                Settled(
                    row_id=row.id,
                    thread_id=row.thread_id,
                    attempt=row.attempt,
                    state=InboxState.DEAD,
                    at=self._clock.now(),
                    reason=reason,
                    trace="" if error is None else trace_of(error),
                )
            )
        self._meter.dead(row)
        log.error(
            "event_dead",
            account=row.ref.account,
            thread=row.thread_id,
            event_key=row.key,
            attempt=row.attempt,
            letter=f"in-{row.id}",
            reason=logged,
        )


def _is_lasting(error: BaseException) -> bool:
    return isinstance(error, HandlerError | KeyTaken) or (isinstance(error, MediaError) and error.lasting)


def _reason(error: BaseException) -> str:
    try:
        text = " ".join(str(error).encode("utf-8", "backslashreplace").decode().split())
    except Exception:  # noqa: BLE001 - an object may fail to say what it is
        text = "(it cannot say what it is)"
    name = type(error).__name__
    return f"{name}: {text}" if text else name
