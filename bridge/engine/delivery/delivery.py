"""Messages out of the outbox: each thread's in order, each try recorded, each outcome decided once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bridge.engine.delivery.client import Exchange
from bridge.engine.lanes import Lanes
from bridge.errors import Broken, ClaimLost, NotSent, OutcomeUnknown, Rejected, SendError, StoreError
from bridge.log import log, outcome_of
from bridge.planning.plan import plan
from bridge.providers.port import Outbound
from bridge.store.lifecycle import OutboxState, Outcome
from bridge.store.records import OutboxRow, Retry, Settled
from bridge.units import SECOND

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from bridge.clock import Clock
    from bridge.config.accounts import Account
    from bridge.engine.backoff import Backoff
    from bridge.engine.delivery.client import Client
    from bridge.store.port import Store

_PROBE: Final = 30 * SECOND
"""How long a refused account is left alone before its next message tries again."""
_RECORD_PAUSE: Final = 0.5
_SILENCED: Final = "a person took the conversation before it could leave"
_FRESH: Final = 60 * SECOND
"""A message younger than this goes as it was planned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a delivery works with."""

    store: Store
    clock: Clock
    rng: random.Random
    backoff: Backoff


class AccountDelivery:
    """The lanes of one account's messages: a slow or dead provider holds up nobody else's."""

    def __init__(self, account: Account, client: Client, tools: Tools, *, concurrency: int) -> None:
        """Nothing leaves until `start`."""
        self.name = f"delivery {account.name}"
        self._account = account
        self._client = client
        self._tools = tools
        self._suspects: Collection[int] = ()
        self._at_most_once = account.settings.at_most_once and not account.settings.provider_dedupes
        """Whether an unknown outcome is left at that; where the provider dedupes, repeating it is safe."""
        self._since: dict[int, int] = {}
        """When each message that waits to be tried again first failed: giving up counts from there."""
        self._paused_until = 0
        self.paused = ""
        """Why the account is left alone, as long as it is."""
        self.lanes: Lanes[OutboxRow] = Lanes(self, tools.clock, concurrency=concurrency)

    async def start(self) -> None:
        """Take up what waits in the store."""
        self._suspects = self._tools.store.suspects("out")
        await self.lanes.start()

    def resolve(self, row_ids: Collection[int]) -> None:
        """A status told the outcome of messages that were to be tried again."""
        self.lanes.forget(row_ids)
        for row_id in row_ids:
            self._since.pop(row_id, None)

    async def heads(self, after_seq: int, limit: int) -> list[OutboxRow]:
        """See lanes.Source."""
        return await self._tools.store.outbox_heads(after_seq, limit, self._account.name)

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
            self._paused_until = now + _PROBE  # this message is the probe; the others wait for what comes of it
        if self._at_most_once:
            if row.claimed:
                await self._settle(row, OutboxState.DEAD, Outcome.UNKNOWN, "the process died while it was sent")
                return None
            await self._tools.store.claim_delivery(row.id, now)
        elif row.id in self._suspects:
            self._suspects = {each for each in self._suspects if each != row.id}
            row = replace(row, attempt=row.attempt + 1)
            await self._retry(row, now, Outcome.UNKNOWN, "the process died while it was sent", b"")
        return await self._try(row)

    async def _fit(self, row: OutboxRow, now: int) -> OutboxRow | None:
        """The message as it may leave now: what waited may be worth nothing any more, or find its window closed."""
        thread = self._tools.store.peek(row.thread_id) or await self._tools.store.thread(row.thread_id)
        if thread.hold.silences(row.seq) and not row.claimed and row.id not in self._suspects:
            await self._silence(row, now)
            return None
        if row.expires_at is not None and row.expires_at <= now:
            await self._settle(row, OutboxState.EXPIRED, reason="it was worth nothing any more when it could leave")
            return None
        carries = self._account.provider.capabilities(row.ref.channel)
        if carries.window is None or now - row.created_at < _FRESH:
            return row
        made = plan(row.message, carries, now=now, last_heard=thread.last_heard)
        if len(made.parts) == 1:
            return replace(row, message=made.parts[0])
        reason = made.dropped or "it waited too long for its window, and its fallback takes several messages"
        await self._settle(row, OutboxState.DEAD, reason=reason)
        return None

    def _is_silenced(self, row: OutboxRow) -> bool:
        """Whether a person took the conversation while the message waited for its place among the requests."""
        thread = self._tools.store.peek(row.thread_id)
        return thread is not None and thread.hold.silences(row.seq)

    async def _silence(self, row: OutboxRow, now: int) -> None:
        """A person spoke in the conversation: what the bot said before is kept as a dead letter, and not sent."""
        settled = Settled(
            row_id=row.id,
            thread_id=row.thread_id,
            attempt=row.attempt,
            state=OutboxState.DEAD,
            at=now,
            reason=_SILENCED,
        )
        await self._record(lambda: self._tools.store.settle_delivery(settled))
        log.warning("message_dropped", thread=row.thread_id, key=row.key, reason=_SILENCED)

    async def _is_open(self, row: OutboxRow) -> bool:
        """Whether a message that waited still wants to leave: a status may have told that it arrived after all."""
        found = await self._tools.store.outbox_after(row.thread_id, row.seq - 1, 1)
        return bool(found) and found[0].id == row.id

    async def _try(self, row: OutboxRow) -> OutboxRow | None:
        """Send, and write down what came of it; until both are done the message is a suspect for the next start."""
        self._tools.store.mark("out", row.id, running=True)
        written = True
        exchange = Exchange(unwanted=lambda: _SILENCED if self._is_silenced(row) else "")
        try:
            return await self._exchange(row, exchange)
        except asyncio.CancelledError:
            written = not exchange.requests
            if written and self._at_most_once:
                await self._retry(row, 0, None, "stopped before it left", b"")  # the claim is void: nothing left yet
            raise
        except Broken:
            written = False
            raise
        finally:
            if written:
                self._tools.store.mark("out", row.id, running=False)

    async def _exchange(self, row: OutboxRow, exchange: Exchange) -> OutboxRow | None:
        outbound = Outbound(
            key=row.key, thread=row.ref, message=row.message, address=row.address, created_at=row.created_at
        )
        try:
            sent = await self._client.send(outbound, exchange)
        except SendError as error:
            return await self._failed(row, error, exchange.encode())
        self._resume()
        settled = Settled(
            row_id=row.id,
            thread_id=row.thread_id,
            attempt=row.attempt,
            state=OutboxState.SENT,
            at=self._tools.clock.now(),
            outcome=Outcome.SENT,
            message_id=sent.message_id,
            status=sent.status,
            exchange=exchange.encode(),
        )
        await self._record(lambda: self._tools.store.settle_delivery(settled))
        log.debug("message_sent", account=row.ref.account, thread=row.thread_id, key=row.key, attempt=row.attempt)
        return None

    async def _failed(self, row: OutboxRow, error: SendError, exchange: bytes) -> OutboxRow | None:
        """What becomes of a message that was not, or not provably, sent."""
        reason = f"{error.reason} ({error.code})" if error.code and error.code not in error.reason else error.reason
        now = self._tools.clock.now()
        if isinstance(error, Rejected):
            self._resume()
            await self._settle(row, OutboxState.DEAD, Outcome.REJECTED, reason, exchange, told=outcome_of(error))
            return None
        if isinstance(error, NotSent) and error.pause:
            return await self._pause(row, reason, exchange, told=outcome_of(error))
        outcome = Outcome.UNKNOWN if isinstance(error, OutcomeUnknown) else Outcome.NOT_SENT
        if outcome is Outcome.UNKNOWN and self._at_most_once:
            await self._settle(row, OutboxState.DEAD, outcome, reason, exchange, told=outcome_of(error))
            return None
        retry_after = error.retry_after if isinstance(error, NotSent | OutcomeUnknown) else None
        again_at = self._tools.backoff.again_at(
            row.attempt, now, self._tools.rng, since=self._since.setdefault(row.id, now), retry_after=retry_after
        )
        if again_at is None:
            tries = f"given up after {row.attempt} tries"
            told = f"{tries}: {outcome_of(error)}"
            await self._settle(row, OutboxState.DEAD, outcome, f"{tries}: {reason}", exchange, told=told)
            return None
        if outcome is Outcome.UNKNOWN and not self._account.settings.provider_dedupes:
            again_at = max(again_at, now + round(self._account.settings.resolve_window * SECOND))
        again = replace(row, attempt=row.attempt + 1, available_at=again_at)
        await self._retry(again, now, outcome, reason, exchange)
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

    async def _pause(self, row: OutboxRow, reason: str, exchange: bytes, *, told: str) -> OutboxRow:
        """The account and not the message is refused: leave it alone, then let this message try again, uncounted."""
        now = self._tools.clock.now()
        self._paused_until = now + _PROBE
        if not self.paused:
            log.error("account_paused", account=self._account.name, reason=told, seconds=_PROBE // SECOND)
        self.paused = reason
        again = replace(row, available_at=self._paused_until)
        await self._retry(again, now, Outcome.NOT_SENT, reason, exchange)
        return again

    def _resume(self) -> None:
        """The provider took or refused a message, and so takes the account."""
        if self.paused:
            log.info("account_resumed", account=self._account.name)
            self.paused, self._paused_until = "", 0

    async def _retry(self, again: OutboxRow, now: int, outcome: Outcome | None, reason: str, exchange: bytes) -> None:
        retry = Retry(
            row_id=again.id,
            thread_id=again.thread_id,
            attempt=again.attempt,
            reason=reason,
            available_at=again.available_at,
            at=now,
            exchange=exchange,
            outcome=outcome,
        )
        await self._record(lambda: self._tools.store.retry_delivery(retry))

    async def _settle(
        self,
        row: OutboxRow,
        state: OutboxState,
        outcome: Outcome | None = None,
        reason: str = "",
        exchange: bytes = b"",
        *,
        told: str = "",
    ) -> None:
        """Write down how a message's journey ended; `told` is what the log says where `reason` is not ours alone."""
        settled = Settled(
            row_id=row.id,
            thread_id=row.thread_id,
            attempt=row.attempt,
            state=state,
            at=self._tools.clock.now(),
            outcome=outcome,
            reason=reason,
            exchange=exchange,
        )
        await self._record(lambda: self._tools.store.settle_delivery(settled))
        log.error(
            "message_dead" if state is OutboxState.DEAD else "message_expired",
            account=row.ref.account,
            thread=row.thread_id,
            key=row.key,
            attempt=row.attempt,
            outcome=outcome or "",
            reason=told or reason,
        )

    async def _record(self, write: Callable[[], Awaitable[None]]) -> None:
        """What happened on the wire has to be written down, however long the store takes to come back."""
        while True:
            try:
                return await write()
            except (Broken, ClaimLost):
                raise  # ClaimLost: a status told the outcome while the message was on the wire
            except StoreError as error:
                log.warning("store_unavailable", account=self._account.name, reason=str(error))
                await self._tools.clock.sleep(_RECORD_PAUSE)


class Delivery:
    """All accounts' deliveries."""

    def __init__(self, accounts: Sequence[AccountDelivery], names: Sequence[str]) -> None:
        """`names` are the accounts', in the same order."""
        self.accounts = dict(zip(names, accounts, strict=True))

    async def start(self) -> None:
        """Take up what waits in the store."""
        for each in self.accounts.values():
            await each.start()

    def offer(self, rows: Sequence[OutboxRow]) -> None:
        """Messages that were just committed. Those of an account that is no longer configured wait in the store."""
        by_account: dict[str, list[OutboxRow]] = {}
        for row in rows:
            by_account.setdefault(row.ref.account, []).append(row)
        for name, own in by_account.items():
            if name in self.accounts:
                self.accounts[name].lanes.offer(own)

    def resolve(self, row_ids: Sequence[int]) -> None:
        """Messages that a status proved sent."""
        for each in self.accounts.values():
            each.resolve(row_ids)

    async def settle(self) -> None:
        """Return when nothing is being sent."""
        for each in self.accounts.values():
            await each.lanes.settle()

    async def stop(self, seconds: float) -> None:
        """Begin nothing new, let what is on the wire come back."""
        await asyncio.gather(*(each.lanes.stop(seconds) for each in self.accounts.values()))
