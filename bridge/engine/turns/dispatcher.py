"""Turns, step by step: batch, judge, match and run an event, then commit its effects or decide about its failure."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from bridge.conversation.exceptions import Interrupted
from bridge.conversation.suspension import StoreSignal, StoreWatch
from bridge.conversation.turn import draft_of
from bridge.engine.handoff import is_with_bot
from bridge.engine.lanes import Lanes
from bridge.engine.media.sending import Files
from bridge.engine.patience import Patiences
from bridge.engine.shares import Places, Shares
from bridge.engine.turns.commit import CommitBuilder, Prepared
from bridge.engine.turns.dialogs import Dialogs, Misfit
from bridge.engine.turns.execution import Bounds, NoThread, Threads
from bridge.engine.turns.failure import Failures
from bridge.engine.turns.gathering import Gathering
from bridge.engine.turns.guard import Guard
from bridge.engine.turns.interruption import Interruptions
from bridge.engine.turns.invocation import Invocation
from bridge.engine.turns.judging import DOUBT, Judge
from bridge.engine.turns.leftovers import Leftovers
from bridge.engine.turns.marks import Marks
from bridge.engine.turns.matching import Matcher
from bridge.engine.turns.media import MediaReading, any_medium
from bridge.engine.turns.meter import TurnMeter
from bridge.engine.turns.outages import Outages
from bridge.engine.turns.probation import Probation
from bridge.engine.turns.reaching import Reach
from bridge.engine.turns.services import TurnServices, turn_of
from bridge.engine.turns.signing import NO_KEYS, Signer
from bridge.engine.turns.silence import is_silent
from bridge.engine.turns.unwritten import Unwritten
from bridge.errors import Broken, ClaimLost, HandlerError, StatementFailed, ThreadMoved, Unavailable
from bridge.events import Echo
from bridge.frozen import changed
from bridge.log import has_debug, kind_of, log
from bridge.routing.router import rulebook_of
from bridge.routing.rules import NO_SCOPE
from bridge.units import SECOND

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

    from bridge.clock import Clock
    from bridge.config.accounts import Account
    from bridge.engine.media.contents import Contents
    from bridge.engine.turns.batching import Batch
    from bridge.engine.turns.execution import Executor
    from bridge.engine.turns.policy import TurnPolicy
    from bridge.routing.rules import Match
    from bridge.store.port import Store
    from bridge.store.records import InboxRow, ThreadRow

_THREADS: Final = Threads()
_NO_THREAD: Final = 2 * SECOND
"""How long an event waits that could get no thread."""


class Dispatcher:
    """Runs turns, one at a time in each thread."""

    name = "turns"

    def __init__(
        self,
        store: Store,
        accounts: Mapping[str, Account],
        policy: TurnPolicy,
        clock: Clock,
        rng: random.Random,
        *,
        concurrency: int,
        executor: Executor = _THREADS,
        contents: Contents | None = None,
        files: Files | None = None,
        meter: TurnMeter | None = None,
    ) -> None:
        """Nothing runs until `start`. `contents` has the bytes of media, where they are kept; `files` keeps ours."""
        self._meter = meter = meter or TurnMeter(clock)
        self._store = store
        self._accounts = accounts
        self._policy = policy
        self._book = rulebook_of(policy.router)
        attempts = policy.backoff.attempts
        self._clock = clock
        self._executor = executor
        self._signer = Signer(store, rng)
        self._judge = Judge(store, self._signer, clock)
        self._dialogs = Dialogs(store, self._book, clock, executor)
        self._matcher = Matcher(self._book, self._dialogs, policy.consent)
        self._marks = Marks(store)
        self._interruptions = Interruptions(self._matcher, self._marks)
        files = files or Files(store, None, clock, rng, public_url=None, limit=0, lasts=0)
        reach = Reach(store, accounts, policy.channels, clock)
        self._builder = CommitBuilder(
            accounts, self._signer, clock, reach, files, policy.return_after, policy.consent.quiet
        )
        self._failures = Failures(store, policy.backoff, clock, rng, self._builder, meter)
        self._guard = Guard(policy.guard, clock, counters=meter.counters)
        self._unwritten = Unwritten()
        self._probation = Probation(store, self._failures, attempts)
        self._patiences = Patiences()
        self._slow = Places(Shares(policy.slow_concurrency, len(accounts)))
        self.lanes: Lanes[InboxRow] = Lanes(self, clock, concurrency=concurrency, groups=accounts)
        self.media = MediaReading(store, contents, clock, self.lanes.wake)
        self._outages = Outages(clock, self.lanes.wake, give_up_after=policy.give_up_after)
        self._gathering = Gathering(
            store,
            self._book,
            self._judge,
            self._matcher,
            self._marks,
            self._interruptions,
            self._probation,
            self.media,
            attempts=attempts,
        )
        self._leftovers = Leftovers(store, clock, self.lanes.wake, accounts=len(accounts), attempts=attempts)

    @property
    def paused(self) -> dict[str, str]:
        """The handlers whose events wait because they fail for everybody, each with the reason."""
        return self._outages.paused

    async def start(self) -> None:
        """Take up what waits in the store; what was running when the last process died is on probation."""
        await self._signer.start()
        await self.lanes.start(self._probation.start())

    def inherited(self, *, missed: bool) -> None:
        """See store.Listener."""
        self.lanes.look_again(self._probation.start(), everywhere=missed)

    def offer(self, rows: Sequence[InboxRow]) -> None:
        """Rows that were just committed, in commit order."""
        self._interruptions.offer(rows)
        self.lanes.offer(rows)

    def group(self, row: InboxRow) -> str:
        """See lane.Source."""
        return row.ref.account

    async def heads(self, after_seq: int, limit: int, group: str | None) -> list[InboxRow]:
        """See lane.Source."""
        now = self._clock.now()
        return [row.as_of(now) for row in await self._store.inbox_heads(after_seq, limit, group)]

    async def more(self, thread_id: int, seq: int, limit: int) -> list[InboxRow]:
        """See lane.Source."""
        now = self._clock.now()
        return [row.as_of(now) for row in await self._store.inbox_after(thread_id, seq, limit)]

    async def work(self, row: InboxRow) -> InboxRow | None:
        """One turn: None when its event is settled, else the event as it is to be tried again."""
        if row.attempt == 0:
            row = changed(row, attempt=1)
        if (end := self._unwritten.take(row.id)) is not None:
            return await self._unwritten.again(row, end)
        if row.ref.account not in self._accounts:
            await self._failures.give_up(row, f"the account {row.ref.account} is not configured")
            return None
        if (until := self._leftovers.wait(row.id)) is not None:
            return await self._behind_itself(row, until)
        if isinstance(row.event, Echo):
            judged = await self._judge.judged(row)
            if judged is None:
                return changed(row, available_at=self._clock.now() + DOUBT)
            row = judged
        if row.id in self._probation.suspects:
            admitted = await self._probation.admitted(row)
            if admitted is None:
                return None
            row = admitted
        return await self._begin(row)

    async def _behind_itself(self, row: InboxRow, until: int) -> InboxRow | None:
        """An event whose last run has not ended: it waits for that, and no longer than its tries could take."""
        if until > self._clock.now():
            return changed(row, available_at=until)
        await self._failures.give_up(row, "given up: its last run did not end")
        return None

    async def _begin(self, row: InboxRow, *, aside: bool = False) -> InboxRow | None:
        """The turn that begins with a row, as its thread stands now."""
        thread = await self._store.thread(row.thread_id)
        try:
            if not is_with_bot(row, thread) and await is_silent(row, thread, self._judge, self._matcher, self._marks):
                await self._store.commit_turn(self._builder.of_silence(row, thread))
                self._meter.end(row, "kept")
                return None
            if (verdict := self._guard.verdict(row, thread)) is not None:
                return await self._held_back(row, thread, verdict)
            if not self._outages.any_paused() and (batch := self._gathering.at_once(row, thread)) is not None:
                return await self._turn(row, batch, thread)
            return await self._answer(row, thread, aside=aside)
        except ThreadMoved:
            self._meter.end(row, "repeated")
            log.info("turn_repeated", thread=row.thread_id, event_key=row.key, attempt=row.attempt)
            return row
        except NoThread as error:
            log.warning("no_thread", thread=row.thread_id, event_key=row.key, reason=str(error))
            return changed(row, available_at=self._clock.now() + _NO_THREAD)
        finally:
            self._interruptions.end(thread.id)
            self._meter.leave(thread.id)

    async def _held_back(self, row: InboxRow, thread: ThreadRow, verdict: str | int) -> InboxRow | None:
        """An event of a contact that floods, which waits; or of a loop, whose conversation is held."""
        if isinstance(verdict, int):
            return changed(row, available_at=verdict)
        await self._store.commit_turn(self._builder.of_guarding(row, thread, f"loop guard: {verdict}"))
        self._meter.end(row, "guarded")
        self._guard.held(row, verdict)
        return None

    async def _answer(self, row: InboxRow, thread: ThreadRow, *, aside: bool = False) -> InboxRow | None:
        """The turn that begins with a row, now or when it is due; one that may take long waits for its own limit."""
        now = self._clock.now()
        meant = await self._judge.meant(row, thread)
        if meant is None:
            return changed(row, available_at=now + DOUBT)
        batch = await self._gathering.batch(row, meant, thread)
        if (due_at := await self._gathering.due_at(batch, now)) > now:
            return changed(row, attempt=batch.head.attempt, available_at=due_at)
        handler = self._handler(batch, thread) if self._outages.any_paused() and not aside else ""
        if (parked := self._outages.parked(handler, row)) is not None:
            return changed(parked, attempt=batch.head.attempt)
        if self._outages.reason(handler):  # what fails for everybody is tried with one event: another may be the reason
            batch = batch.alone()
        try:
            if (batch.options.timeout or 0) <= self._policy.timeout or aside:
                return await self._turn(row, batch, thread)
            with self.lanes.aside(row):
                async with self._slow.place(row.ref.account):
                    return await self._begin(row, aside=True)  # the thread may be another one after that wait
        finally:
            self._outages.ended(handler, row)

    def _handler(self, batch: Batch, thread: ThreadRow) -> str:
        """The name of the handler that a batch leads to, as far as that is known before its turn."""
        handler = batch.handler
        if handler is None:
            with self._marks.around(batch.head):
                handler = self._matcher.handler(batch.head.event, thread)
        return handler.name if handler is not None else ""

    async def _turn(self, row: InboxRow, batch: Batch, thread: ThreadRow) -> InboxRow | None:
        """Run the turn of a batch, and commit it."""
        now, watch = self._clock.now(), StoreWatch()
        self._meter.begin(row, now)
        if thread.dialog is not None or any_medium(batch.rows):
            batch = await self.media.enter(batch, watch)
        seconds = batch.options.timeout or self._policy.timeout
        with self._leftovers.turn(batch.rows, seconds) as ticket:
            bounds = Bounds(seconds, self._patiences, self._interruptions.watch(batch), ticket)
            invocation = self._invocation(batch, thread, watch, bounds, now)
            error, match = await invocation.run(), invocation.match
            handler = match.handler if match is not None else None
            fits = error is not None or batch.led_to(handler)
            prepared: Prepared | BaseException
            prepared = (
                error if error is not None else await self._builder.prepared(batch, invocation.draft, thread, handler)
            )
        if not fits:
            return await self._turn(row, batch.alone(), thread)
        if handler is not None and error is None:
            self._outages.worked(handler.name)
        if isinstance(prepared, BaseException):
            return await self._failed(row, batch, thread, match, prepared)
        try:
            await self._commit(batch, prepared)
        except Unavailable:
            self._unwritten.keep(row.id, partial(self._commit, batch, prepared))
            raise
        except (ClaimLost, Broken):
            raise
        except Exception as refused:  # noqa: BLE001 - what a store cannot take is the turn's fault, and counts as an attempt
            return await self._failed(row, batch, thread, match, refused)
        if (
            prepared.commit.thread.hold is not thread.hold
            and (is_held := prepared.commit.thread.is_held) != thread.is_held
        ):
            log.info("thread_held" if is_held else "thread_returned", thread=thread.id, event_key=row.key)
        return None

    def _invocation(self, batch: Batch, thread: ThreadRow, watch: StoreWatch, bounds: Bounds, now: int) -> Invocation:
        services = TurnServices(self._store, self._accounts, self._dialogs, batch, self._policy.texts, thread, watch)
        turn = turn_of(services, now)
        return Invocation(turn, draft_of(turn), thread, self._book, self._matcher, self._executor, bounds)

    async def _commit(self, batch: Batch, prepared: Prepared) -> None:
        if prepared.long_keys:
            await self._signer.keep(prepared.long_keys)
        head = batch.rows[0]
        self._meter.committing(head, prepared.commit)
        await self._store.commit_turn(prepared.commit)
        self._meter.committed(head, prepared.commit)
        self._guard.committed(head, prepared.commit)
        self._interruptions.forget(batch)
        if len(batch.rows) > 1:
            self.lanes.done(prepared.commit.thread.id, batch.newest.seq)
        if has_debug():
            log.debug("turn_committed", thread=head.thread_id, event_key=head.key, attempt=head.attempt)

    async def _failed(
        self, row: InboxRow, batch: Batch, thread: ThreadRow, match: Match | None, error: BaseException
    ) -> InboxRow | None:
        """A turn that raised: an error handler of the bot may answer it, else the turn is tried again or given up."""
        row = changed(row, attempt=batch.head.attempt)
        if isinstance(error, Interrupted):
            self._interruptions.count(batch)
            self._meter.end(row, "interrupted")
            log.debug("turn_interrupted", thread=row.thread_id, event_key=row.key, attempt=row.attempt)
            return row
        if isinstance(error, Misfit):
            return await self._without(row, batch, thread, match, error)
        tell = log.debug if match is not None and self._outages.reason(match.handler.name) else log.warning
        tell(
            "turn_failed",
            thread=row.thread_id,
            event_key=row.key,
            attempt=row.attempt,
            handler=match.handler.name if match else getattr(row.event, "handler", None) or "",
            reason=kind_of(error),
            traceback=error,
        )
        try:
            if await self._recovered(batch, thread, match, error):
                return None
        except StoreSignal as signal:
            raise signal.error from None
        name = match.handler.name if match is not None else ""
        if overdue := self._outages.overdue(name, row):
            return await self._unwritten.write(row.id, lambda: self._failures.give_up(row, overdue, error))
        if match is not None and (parked := self._outages.failed(name, row, error)) is not None:
            return parked
        return await self._unwritten.write(row.id, lambda: self._again(batch, row, error))

    async def _again(self, batch: Batch, row: InboxRow, error: BaseException) -> InboxRow | None:
        """The event as it is to be tried again; None: it is given up."""
        again = await self._failures.retry(batch, row, error)
        if again is None:
            self._interruptions.forget(batch)
        return again

    async def _without(
        self, row: InboxRow, batch: Batch, thread: ThreadRow, match: Match | None, misfit: Misfit
    ) -> InboxRow | None:
        """The turn of a dialog that cannot go on: as an error handler answers a mistake, or as the script declares."""
        fate = await self._dialogs.fate(misfit, thread)
        ended, mistake = changed(thread, dialog=None), HandlerError(misfit.mistake)
        recovered = bool(misfit.mistake) and await self._recovered(batch.alone(), ended, match, mistake)
        about = {"thread": row.thread_id, "event_key": row.key, "handler": misfit.dialog}
        log.error("dialog_changed", **about, reason=misfit.reason, outcome="finish" if recovered else fate.action)
        if recovered or fate.action != "handoff":
            return None if recovered else await self._turn(row, batch.alone(), fate.instead)
        left = Prepared(self._builder.of_silence(batch.head, fate.instead), NO_KEYS)
        return await self._unwritten.write(row.id, lambda: self._commit(batch.alone(), left))

    async def _recovered(self, batch: Batch, thread: ThreadRow, match: Match | None, error: BaseException) -> bool:
        """Commit the turn as an error handler of the bot leaves it; False: no such handler, or it failed too."""
        handler = self._book.match_error(error, match.scope if match else NO_SCOPE)
        if handler is None:
            return False
        seconds = batch.options.timeout or self._policy.timeout
        ticket = self._leftovers.turn(batch.rows, seconds)
        bounds = Bounds(seconds, self._patiences, None, ticket)
        invocation = self._invocation(batch, thread, StoreWatch(), bounds, self._clock.now())
        try:
            with ticket:
                await invocation.recover(handler, error, match)
                prepared: Prepared | BaseException
                prepared = await self._builder.prepared(batch, invocation.draft, thread, handler)
        except (asyncio.CancelledError, StoreSignal, NoThread):
            raise
        except BaseException as second:  # noqa: BLE001 - an error handler may raise anything, too
            prepared = second
        finally:
            invocation.draft.close()
        if isinstance(prepared, Prepared):
            try:
                await self._unwritten.write(batch.head.id, partial(self._commit, batch, prepared))
            except StatementFailed as second:
                prepared = second
            else:
                return True
        log.warning("error_handler_failed", thread=thread.id, handler=handler.name, reason=kind_of(prepared))
        return False
