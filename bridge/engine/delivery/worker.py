"""One account's messages out of the outbox: each thread's in order, each attempt decided once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bridge.engine.delivery.client import Attempt
from bridge.engine.delivery.outcomes import SILENCED, Outcomes
from bridge.engine.lanes import Lanes
from bridge.errors import Broken, ClaimLost, NotSent, OutcomeUnknown, Rejected, SendError
from bridge.log import log, outcome_of
from bridge.planning.plan import plan
from bridge.providers.port import Outbound
from bridge.store.lifecycle import OutboxState, Outcome
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Collection

    from bridge.config.accounts import Account
    from bridge.engine.delivery.client import Client
    from bridge.engine.delivery.outcomes import DeliveryTools
    from bridge.store.records import OutboxRow

_PROBE: Final = 30 * SECOND
"""A refused account pauses for this long before its next message tries again."""
_FRESH: Final = 60 * SECOND
"""A message younger than this keeps the plan that was made when it was committed."""
_DIED: Final = "the process died while it was sent"


class DeliveryWorker:
    """The lanes of one account's messages: a slow or dead provider delays no other account."""

    def __init__(self, account: Account, client: Client, tools: DeliveryTools, *, concurrency: int) -> None:
        """Nothing leaves until `start`."""
        self.account = account.name
        self.name = f"delivery {account.name}"
        self._provider = account.provider
        self._settings = account.settings
        self._client = client
        self._tools = tools
        self._outcomes = Outcomes(account.name, tools)
        self._suspects: Collection[int] = ()
        self._at_most_once = account.settings.at_most_once and not account.settings.provider_dedupes
        """Whether an unknown outcome ends the message; a provider that dedupes may get it again."""
        self._since: dict[int, int] = {}
        """When each message that waits for another attempt first failed: giving up counts from there."""
        self._paused_until = 0
        self.paused = ""
        """Why the account is paused; "" while it is not."""
        self.lanes: Lanes[OutboxRow] = Lanes(self, tools.clock, concurrency=concurrency)

    async def start(self) -> None:
        """Take up what waits in the store."""
        self._suspects = self._tools.store.suspects("out")
        await self.lanes.start()

    def resolve(self, row_ids: Collection[int]) -> None:
        """Drop messages that wait for another attempt: a status told their outcome."""
        self.lanes.forget(row_ids)
        for row_id in row_ids:
            self._since.pop(row_id, None)

    async def heads(self, after_seq: int, limit: int) -> list[OutboxRow]:
        """See lanes.Source."""
        return await self._tools.store.outbox_heads(after_seq, limit, self.account)

    async def more(self, thread_id: int, seq: int, limit: int) -> list[OutboxRow]:
        """See lanes.Source."""
        return await self._tools.store.outbox_after(thread_id, seq, limit)

    async def work(self, row: OutboxRow) -> OutboxRow | None:
        """Try to send one message."""
        try:
            again = await self._begin(row)
        except ClaimLost:
            self._since.pop(row.id, None)
            raise
        if again is None:
            self._since.pop(row.id, None)
        return again

    async def _begin(self, row: OutboxRow) -> OutboxRow | None:
        now = self._tools.clock.now()
        if row.attempt > 1 and not await self._is_open(row):
            return None
        if row.attempt == 0:
            row = replace(row, attempt=1)
        fit = await self._fit(row, now)
        if fit is None:
            return None
        row = fit
        self._paused_until = min(self._paused_until, now + _PROBE)  # also when the clock was set back
        if self._paused_until > now:
            return replace(row, available_at=self._paused_until)
        if self.paused:
            self._paused_until = now + _PROBE  # this message is the probe; the rest waits for its outcome
        if self._at_most_once:
            if row.claimed:
                await self._outcomes.end(row, OutboxState.DEAD, Outcome.UNKNOWN, _DIED)
                return None
            await self._tools.store.claim_delivery(row.id, now)
        elif row.id in self._suspects:
            self._suspects = {row_id for row_id in self._suspects if row_id != row.id}
            row = replace(row, attempt=row.attempt + 1)
            await self._outcomes.retry(row, now, Outcome.UNKNOWN, _DIED)
        return await self._try(row)

    async def _fit(self, row: OutboxRow, now: int) -> OutboxRow | None:
        """The message as it may leave now; None for one that is silenced, expired or outside its window."""
        thread = self._tools.store.peek(row.thread_id) or await self._tools.store.thread(row.thread_id)
        if thread.hold.silences(row.seq) and not row.claimed and row.id not in self._suspects:
            await self._outcomes.silence(row, now)
            return None
        if row.expires_at is not None and row.expires_at <= now:
            reason = "it was worth nothing any more when it could leave"
            await self._outcomes.end(row, OutboxState.EXPIRED, reason=reason)
            return None
        carries = self._provider.capabilities(row.ref.channel)
        if carries.window is None or now - row.created_at < _FRESH:
            return row
        made = plan(row.message, carries, now=now, last_heard=thread.last_heard)
        if len(made.parts) == 1:
            return replace(row, message=made.parts[0])
        reason = made.dropped or "it waited too long for its window, and its fallback takes several messages"
        await self._outcomes.end(row, OutboxState.DEAD, reason=reason)
        return None

    def _is_silenced(self, row: OutboxRow) -> bool:
        """Whether a person took the conversation while the message waited for its slot."""
        thread = self._tools.store.peek(row.thread_id)
        return thread is not None and thread.hold.silences(row.seq)

    async def _is_open(self, row: OutboxRow) -> bool:
        """Whether a message that waited is still to be sent: a status may have told its outcome meanwhile."""
        heads = await self._tools.store.outbox_after(row.thread_id, row.seq - 1, 1)
        return bool(heads) and heads[0].id == row.id

    async def _try(self, row: OutboxRow) -> OutboxRow | None:
        """Send, and write down the outcome; until both are done the next start suspects the message."""
        self._tools.store.mark("out", row.id, running=True)
        written = True
        attempt = Attempt(unwanted=lambda: SILENCED if self._is_silenced(row) else "")
        try:
            return await self._send(row, attempt)
        except asyncio.CancelledError:
            written = not attempt.requests
            if written and self._at_most_once:  # nothing left yet: the claim is void
                await self._outcomes.retry(row, 0, None, "stopped before it left")
            raise
        except Broken:
            written = False
            raise
        finally:
            if written:
                self._tools.store.mark("out", row.id, running=False)

    async def _send(self, row: OutboxRow, attempt: Attempt) -> OutboxRow | None:
        outbound = Outbound(
            key=row.key, thread=row.ref, message=row.message, address=row.address, created_at=row.created_at
        )
        try:
            sent = await self._client.send(outbound, attempt)
        except SendError as error:
            return await self._failed(row, error, attempt.encode())
        self._resume()
        await self._outcomes.sent(row, sent, attempt.encode())
        return None

    async def _failed(self, row: OutboxRow, error: SendError, exchange: bytes) -> OutboxRow | None:
        """Decide about a message that was not, or not provably, sent."""
        reason = f"{error.reason} ({error.code})" if error.code and error.code not in error.reason else error.reason
        if isinstance(error, Rejected):
            self._resume()
            await self._outcomes.end(
                row, OutboxState.DEAD, Outcome.REJECTED, reason, exchange, logged=outcome_of(error)
            )
            return None
        if isinstance(error, NotSent) and error.pause:
            return await self._pause(row, reason, exchange, logged=outcome_of(error))
        outcome = Outcome.UNKNOWN if isinstance(error, OutcomeUnknown) else Outcome.NOT_SENT
        if outcome is Outcome.UNKNOWN and self._at_most_once:
            await self._outcomes.end(row, OutboxState.DEAD, outcome, reason, exchange, logged=outcome_of(error))
            return None
        now = self._tools.clock.now()
        again_at = self._again_at(row, error, now)
        if again_at is None:
            tries = f"given up after {row.attempt} tries"
            logged = f"{tries}: {outcome_of(error)}"
            await self._outcomes.end(row, OutboxState.DEAD, outcome, f"{tries}: {reason}", exchange, logged=logged)
            return None
        again = replace(row, attempt=row.attempt + 1, available_at=again_at)
        await self._outcomes.retry(again, now, outcome, reason, exchange)
        log.warning(
            "message_not_sent",
            account=row.ref.account,
            thread=row.thread_id,
            key=row.key,
            attempt=row.attempt,
            outcome=outcome,
            reason=outcome_of(error),
            seconds=round((again_at - now) / SECOND, 1),
        )
        return again

    def _again_at(self, row: OutboxRow, error: SendError, now: int) -> int | None:
        """When to try again, or None to give up; after an unknown outcome not before `resolve_window` is over."""
        asked = error.retry_after if isinstance(error, NotSent | OutcomeUnknown) else None
        since = self._since.setdefault(row.id, now)
        again_at = self._tools.backoff.again_at(row.attempt, now, self._tools.rng, since=since, retry_after=asked)
        if again_at is None or not isinstance(error, OutcomeUnknown) or self._settings.provider_dedupes:
            return again_at
        return max(again_at, now + round(self._settings.resolve_window * SECOND))

    async def _pause(self, row: OutboxRow, reason: str, exchange: bytes, *, logged: str) -> OutboxRow:
        """Pause the account, which is refused and not the message; the attempt does not count."""
        now = self._tools.clock.now()
        self._paused_until = now + _PROBE
        if not self.paused:
            log.error("account_paused", account=self.account, reason=logged, seconds=_PROBE // SECOND)
        self.paused = reason
        again = replace(row, available_at=self._paused_until)
        await self._outcomes.retry(again, now, Outcome.NOT_SENT, reason, exchange)
        return again

    def _resume(self) -> None:
        """End a pause: the provider judged a message, so it accepts the account."""
        if self.paused:
            log.info("account_resumed", account=self.account)
            self.paused, self._paused_until = "", 0
