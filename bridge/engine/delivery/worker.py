"""One account's messages out of the outbox: each thread's in order, each attempt decided once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from bridge.engine.counters import SENT
from bridge.engine.delivery.blame import Blame, blame_of
from bridge.engine.delivery.client import Attempt, Withheld, unwatched
from bridge.engine.delivery.fitness import Unfit, fit
from bridge.engine.delivery.outcomes import MAY_BE_OUT, Outcomes
from bridge.engine.delivery.pause import Pause
from bridge.engine.lanes import Lanes
from bridge.errors import Broken, ClaimLost, NotSent, OutcomeUnknown, Rejected, SendError, StoreError
from bridge.frozen import changed
from bridge.log import log, outcome_of
from bridge.planning.plan import Bar
from bridge.providers.port import Outbound
from bridge.store.answering import answered_by
from bridge.store.consent import forbids
from bridge.store.lifecycle import OutboxState, Outcome
from bridge.store.people.identities import addressee_of
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Collection

    from bridge.config.accounts import Account
    from bridge.engine.delivery.client import Client
    from bridge.engine.delivery.outcomes import DeliveryTools
    from bridge.store.records import OutboxRow, ThreadRow

_FOR_EVER: Final = 365 * 86_400.0
_DIED: Final = "the process died while it was sent"


@dataclass(slots=True)
class _Wait:
    """A message that did not leave yet: giving up counts from `since` (microseconds), and goes by time alone."""

    since: int
    failures: int = 0


class DeliveryWorker:
    """The lanes of one account's messages: a slow or dead provider delays no other account."""

    def __init__(
        self, account: Account, client: Client, tools: DeliveryTools, *, concurrency: int, by_age: bool = False
    ) -> None:
        """Nothing leaves until `start`. With `by_age`, giving up counts from when a message was said."""
        self.account = account.name
        self.name = f"delivery {account.name}"
        self._provider = account.provider
        self._limits_paths = account.limits_paths is not None
        self._settings = account.settings
        self.client = client
        self._tools = tools
        self._outcomes = Outcomes(account.name, tools)
        self._suspects: Collection[int] = ()
        self._at_most_once = account.settings.at_most_once and not account.settings.provider_dedupes
        """Whether an unknown outcome ends the message; a provider that dedupes may get it again."""
        self._by_age = by_age
        self._waits: dict[int, _Wait] = {}
        """Of each message that waits for another attempt, or for the end of a pause."""
        self.lanes: Lanes[OutboxRow] = Lanes(self, tools.clock, concurrency=concurrency)
        self._pause = Pause(account.name, tools.clock, tools.rng, self.lanes.wake, self._tell_others)
        self._telling: set[asyncio.Task[None]] = set()

    @property
    def paused(self) -> str:
        """Why the account is paused; "" while it is not."""
        return self._pause.reason

    async def start(self) -> None:
        """Take up what waits in the store."""
        self._suspects = self._tools.store.suspects("out")
        await self.lanes.start()

    def follow(self, reason: str, seconds: float) -> None:
        """See store.Listener.paused."""
        self._pause.follow(reason, seconds)

    def _tell_others(self, reason: str, seconds: float) -> None:
        async def tell() -> None:
            with suppress(StoreError):  # then they find out by themselves
                await self._tools.store.tell_pause(self.account, reason, seconds)

        task = asyncio.get_running_loop().create_task(tell(), name=f"tell of {self.account}")
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    def inherited(self, *, missed: bool) -> None:
        """See store.Listener."""
        self._suspects = {*self._suspects, *self._tools.store.suspects("out")}
        self.lanes.look_again({}, everywhere=missed)

    def resolve(self, row_ids: Collection[int]) -> None:
        """Drop messages that wait for another attempt: a status told their outcome."""
        self.lanes.forget(row_ids)
        self._pause.forget(row_ids)
        for row_id in row_ids:
            if self._waits.pop(row_id, None) is not None:
                self._tools.counters.ended(self.account, Outcome.RESOLVED, dead=False)

    def group(self, row: OutboxRow) -> str:
        """See lane.Source: all messages are of one account."""
        return row.ref.account

    async def heads(self, after_seq: int, limit: int, _: str | None = None) -> list[OutboxRow]:
        """See lane.Source."""
        now = self._tools.clock.now()
        return [row.as_of(now) for row in await self._tools.store.outbox_heads(after_seq, limit, self.account)]

    async def more(self, thread_id: int, seq: int, limit: int) -> list[OutboxRow]:
        """See lane.Source."""
        now = self._tools.clock.now()
        return [row.as_of(now) for row in await self._tools.store.outbox_after(thread_id, seq, limit)]

    async def work(self, row: OutboxRow) -> OutboxRow | None:
        """Try to send one message."""
        ended = True
        try:
            again = await self._try(row) if self._is_usual(row) else row
            if again is row:  # unusual, or withheld: now its thread is looked at first
                again = await self._begin(row)
            ended = again is None
        except ClaimLost:
            raise
        except BaseException:
            ended = False
            raise
        finally:
            if ended:
                self._waits.pop(row.id, None)
            self._pause.leave(row.id)
        return again

    def _is_usual(self, row: OutboxRow) -> bool:
        """Whether one look at its thread is enough, the last one: nothing is known that might hold the message."""
        return (
            row.attempt == 1
            and not row.available_at
            and not row.claimed
            and not self._at_most_once
            and not self._pause.reason
            and row.id not in self._waits
            and row.id not in self._suspects
        )

    async def _begin(self, row: OutboxRow) -> OutboxRow | None:
        self._pause.take(row.id)
        if row.available_at:
            row = changed(row, available_at=0)  # what it waited for is over
        if (row.attempt > 1 or row.id in self._waits) and not await self._is_open(row):
            return None
        if row.attempt == 0:
            row = changed(row, attempt=1)
        thread = await self._tools.store.thread(row.thread_id)
        if forbids(thread, row):
            row = changed(row, answers=await answered_by(self._tools.store, thread, row))
        ready = self._fit(row, thread)
        if isinstance(ready, Unfit):
            await self._end_unfit(row, ready)
            return None
        row = ready
        if not self._pause.admits(row.id):
            return await self._held(row, self.paused, self.paused)
        if row.claimed and self._at_most_once:
            await self._outcomes.end(row, OutboxState.DEAD, Outcome.UNKNOWN, _DIED)
            return None
        if row.id in self._suspects and not self._at_most_once:
            self._suspects = {row_id for row_id in self._suspects if row_id != row.id}
            row = changed(row, attempt=row.attempt + 1, unanswered=True)
            await self._outcomes.retry(row, self._tools.clock.now(), Outcome.UNKNOWN, _DIED)
        return await self._try(row)

    def _fit(self, row: OutboxRow, thread: ThreadRow) -> OutboxRow | Unfit:
        """The message as it may leave now."""
        may_be_out = row.claimed or row.id in self._suspects
        return fit(row, thread, self._provider.capabilities, self._tools.clock.now(), may_be_out=may_be_out)

    async def _end_unfit(self, row: OutboxRow, unfit: Unfit) -> None:
        if unfit.bar is Bar.PERSON:
            await self._outcomes.silence(row, self._tools.clock.now())
        else:
            reason = unfit.reason + (MAY_BE_OUT if row.unanswered else "")
            await self._outcomes.end(row, unfit.state, reason=reason, bar=unfit.bar)

    async def _look(self, row: OutboxRow, attempt: Attempt) -> None:
        """After the last wait, right before the bytes leave: may the message still leave, and as it is?"""
        if attempt.left:
            return
        if self._at_most_once:
            attempt.claimed = True
            await self._tools.store.claim_delivery(row.id, self._tools.clock.now())
        ready = self._fit(row, await self._tools.store.claimed(row.thread_id))
        is_same = ready is row or (not isinstance(ready, Unfit) and ready.message == row.message)
        if not is_same or not self._pause.admits(row.id):
            raise Withheld
        attempt.left = True

    async def _is_open(self, row: OutboxRow) -> bool:
        """Whether a message that waited is still to be sent: a status may have told its outcome meanwhile."""
        heads = await self._tools.store.outbox_after(row.thread_id, row.seq - 1, 1)
        return bool(heads) and heads[0].id == row.id

    async def _try(self, row: OutboxRow) -> OutboxRow | None:
        """Send, and write down the outcome; until both are done the next start suspects the message."""
        self._tools.store.mark("out", row.id, running=True)
        written = True
        attempt = Attempt()
        attempt.leave = partial(self._look, row, attempt)
        thread, address = addressee_of(row)
        outbound = Outbound(key=row.key, thread=thread, message=row.message, address=address, created_at=row.created_at)
        judged, began = self._pause.judged, self._tools.clock.now()
        try:
            try:
                sent = await self.client.send(outbound, attempt)
            except Withheld:
                if attempt.claimed:
                    await self._outcomes.retry(row, self._tools.clock.now(), None, "withheld before it left")
                return row  # and looked at anew, at once
            except SendError as error:
                self._outcomes.attempted(row, _outcome(error).value, attempt.micros, began)
                return await self._failed(row, error, attempt.encode(), proven=self._pause.judged > judged)
            self._outcomes.attempted(row, SENT, attempt.micros, began)
            self._pause.prove(row.id)
            await self._outcomes.sent(row, sent, attempt.encode())
        except asyncio.CancelledError:
            written = not attempt.left
            if written and attempt.claimed:  # nothing left yet: the claim is void
                await self._outcomes.retry(row, 0, None, "stopped before it left")
            raise
        except Broken:
            written = False
            raise
        finally:
            attempt.leave = unwatched  # else each attempt is a cycle, which waits for the collector with its message
            if written:
                self._tools.store.mark("out", row.id, running=False)
        return None

    async def _failed(self, row: OutboxRow, error: SendError, exchange: bytes, *, proven: bool) -> OutboxRow | None:
        """Decide about a message that was not, or not provably, sent.

        `proven`: the provider judged another message of the account meanwhile.
        """
        reason = f"{error.reason} ({error.code})" if error.code and error.code not in error.reason else error.reason
        logged = outcome_of(error)
        blame = blame_of(
            error,
            path_limits=self._limits_paths,
            harmless=self._settings.provider_dedupes,
        )
        self._tell(row, error, blame, reason)
        if isinstance(error, Rejected):
            await self._outcomes.end(row, OutboxState.DEAD, Outcome.REJECTED, reason, exchange, logged=logged)
            return None
        outcome = _outcome(error)
        if outcome is Outcome.UNKNOWN and self._at_most_once:
            await self._outcomes.end(row, OutboxState.DEAD, outcome, reason, exchange, logged=logged)
            return None
        now = self._tools.clock.now()
        wait = self._wait_of(row, now)
        wait.failures += 1
        counts = blame.costs(proven=proven)
        again_at = self._again_at(row, error, now, wait, counts=counts)
        if again_at is None:
            tries = f"given up after {max(row.attempt, wait.failures)} tries"
            await self._outcomes.end(
                row, OutboxState.DEAD, outcome, f"{tries}: {reason}", exchange, logged=f"{tries}: {logged}"
            )
            return None
        unanswered = row.unanswered or outcome is Outcome.UNKNOWN
        again = changed(row, attempt=row.attempt + counts, available_at=again_at, tried_at=now, unanswered=unanswered)
        if self.paused and not self._resolves_later(error):
            again = changed(again, available_at=now)
            await self._outcomes.retry(again, now, outcome, reason, exchange, free=not counts)
            return await self._held(again, reason, logged)
        await self._outcomes.retry(again, now, outcome, reason, exchange, free=not counts)
        log.warning(
            "message_not_sent",
            account=row.ref.account,
            thread=row.thread_id,
            key=row.key,
            attempt=row.attempt,
            outcome=outcome,
            reason=logged,
            seconds=round((again_at - now) / SECOND, 1),
        )
        return again

    def _tell(self, row: OutboxRow, error: SendError, blame: Blame, reason: str) -> None:
        """Tell the pause what a failure says about the account."""
        logged = outcome_of(error)
        if blame.holds_account:
            asked = error.retry_after if isinstance(error, NotSent) else None
            self._pause.begin(row.id, reason, logged=logged, refused=blame is Blame.CREDENTIAL, asked=asked)
        elif blame.doubts_account:
            self._pause.doubt(row.id, row.thread_id, reason, logged=logged)
        else:
            self._pause.prove(row.id)

    def _wait_of(self, row: OutboxRow, now: int) -> _Wait:
        return self._waits.setdefault(row.id, _Wait(row.created_at if self._by_age else now))

    def _resolves_later(self, error: SendError) -> bool:
        """Whether a status may yet settle what has no answer: `resolve_window` is waited for first."""
        unknown = isinstance(error, OutcomeUnknown) and not self._settings.provider_dedupes
        return unknown and self._settings.resolve_window > 0

    def _again_at(self, row: OutboxRow, error: SendError, now: int, wait: _Wait, *, counts: bool) -> int | None:
        """When to try again, or None to give up; after an unknown outcome not before `resolve_window` is over."""
        asked = error.retry_after if isinstance(error, NotSent | OutcomeUnknown) else None
        again_at = self._tools.backoff.again_at(
            row.attempt if counts else 0,
            now,
            self._tools.rng,
            since=wait.since,
            retry_after=asked,
            failures=wait.failures,
        )
        if again_at is None or not self._resolves_later(error):
            return again_at
        return max(again_at, now + round(self._settings.resolve_window * SECOND))

    async def _held(self, row: OutboxRow, reason: str, logged: str) -> OutboxRow | None:
        """The message waits for the end of the pause, as long as it may wait at all."""
        now = self._tools.clock.now()
        wait = self._wait_of(row, now)
        gives_up = wait.since + round((self._tools.backoff.give_up_after or _FOR_EVER) * SECOND)
        if gives_up <= now:
            given_up = "given up: the account was paused for too long"
            await self._outcomes.end(
                row, OutboxState.DEAD, None, f"{given_up}: {reason}", logged=f"{given_up}: {logged}"
            )
            return None
        if self._pause.admits(row.id):  # the pause is over, or its next probe is due, since this try was written down
            return changed(row, available_at=0)
        self._pause.wait(row.id)
        until = gives_up if row.expires_at is None else min(gives_up, row.expires_at)
        return changed(row, available_at=max(until, now + 1))


def _outcome(error: SendError) -> Outcome:
    if isinstance(error, Rejected):
        return Outcome.REJECTED
    return Outcome.UNKNOWN if isinstance(error, OutcomeUnknown) else Outcome.NOT_SENT
