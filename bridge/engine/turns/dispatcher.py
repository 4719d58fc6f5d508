"""Events out of the inbox: match, run the handler, plan its replies, commit; or decide what a failure means."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from bridge.callsite import call_site
from bridge.conversation.turn import Turn, as_messages
from bridge.engine.handoff import MISSED, is_too_late, returned, returns
from bridge.engine.lanes import Lanes
from bridge.engine.turns.batching import MOST, Bursts, history_of
from bridge.engine.turns.commit import Commits
from bridge.engine.turns.dialogs import Misfit, Scripts, is_for_a_dialog
from bridge.engine.turns.execution import Interrupted
from bridge.engine.turns.invocation import Passage
from bridge.engine.turns.signing import Seals
from bridge.errors import Broken, ClaimLost, HandlerError, ThreadMoved, Unavailable
from bridge.events import Echo, Message, Timer, takes_over
from bridge.log import kind_of, log, trace_of
from bridge.messages import decode_message
from bridge.planning.choices import answer
from bridge.routing.handlers import handler_of
from bridge.routing.loading import named_function
from bridge.routing.router import rulebook_of
from bridge.routing.rules import NO_SCOPE, Match
from bridge.routing.schedule import later
from bridge.store.lifecycle import InboxState
from bridge.store.records import InboxRow, Retry, Settled, ThreadRow, TurnCommit
from bridge.units import SECOND

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

    from bridge.clock import Clock
    from bridge.config.accounts import Account
    from bridge.engine.backoff import Backoff
    from bridge.engine.turns.batching import Burst
    from bridge.events import Event
    from bridge.messages import Outgoing
    from bridge.routing.router import Router
    from bridge.store.port import Store


_DOUBT: Final = SECOND // 4
"""After how long it is asked again whose words an echo has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What bounds a turn: `timeout` in seconds; of those that may take longer, `slow_concurrency` run at once.

    A thread that a person has is returned after `return_after` quiet seconds; None: it is not.
    """

    router: Router
    timeout: float
    backoff: Backoff
    slow_concurrency: int = 64
    return_after: float | None = 3600.0


class Dispatcher:
    """Runs turns, one at a time in each thread."""

    name = "turns"

    def __init__(
        self,
        store: Store,
        accounts: Mapping[str, Account],
        rules: Rules,
        clock: Clock,
        rng: random.Random,
        *,
        concurrency: int,
    ) -> None:
        """Nothing runs until `start`."""
        self._store = store
        self._accounts = accounts
        self._rules = rules
        self._clock = clock
        self._rng = rng
        self._seals = Seals(store, rng)
        self._commits = Commits(accounts, self._seals, clock, return_after=rules.return_after)
        self._book = rulebook_of(rules.router)
        self._scripts = Scripts(store, self._book, clock)
        self._suspects: frozenset[int] = frozenset()
        self._slow = asyncio.Semaphore(rules.slow_concurrency)
        self._bursts = Bursts(store, self._book, rules.backoff.attempts, meaning=self._opened, find=self._found)
        self.lanes: Lanes[InboxRow] = Lanes(self, clock, concurrency=concurrency)

    async def start(self) -> None:
        """Take up what waits in the store; what was running when the last process died starts last, one at a time."""
        await self._seals.start()
        self._suspects = self._store.suspects("in")
        await self.lanes.start(self._suspects)

    def offer(self, rows: Sequence[InboxRow]) -> None:
        """Rows that were just committed, in commit order."""
        self._bursts.offer(rows)
        self.lanes.offer(rows)

    async def heads(self, after_seq: int, limit: int) -> list[InboxRow]:
        """See lanes.Source."""
        return await self._store.inbox_heads(after_seq, limit)

    async def more(self, thread_id: int, seq: int, limit: int) -> list[InboxRow]:
        """See lanes.Source."""
        return await self._store.inbox_after(thread_id, seq, limit)

    async def work(self, row: InboxRow) -> InboxRow | None:
        """One turn."""
        if row.attempt == 0:
            row = replace(row, attempt=1)
        if row.ref.account not in self._accounts:
            await self._give_up(row, f"the account {row.ref.account} is not configured")
            return None
        judged = await self._judged(row)
        if judged is None:
            return replace(row, available_at=self._clock.now() + _DOUBT)
        row = judged
        if row.id in self._suspects:
            self._suspects -= {row.id}
            again = await self._died(row)
            if again is None:
                return None
            row = again
        thread = await self._store.thread(row.thread_id)
        try:
            if thread.is_held != returns(row.event) or is_too_late(row, thread):
                await self._store.commit_turn(self._commits.of_silence(row, thread))
                return None
            return await self._answer(row, thread)
        except ThreadMoved:
            log.info("turn_repeated", thread=row.thread_id, event_key=row.key, attempt=row.attempt)
            return row
        finally:
            self._bursts.end(thread.id)

    async def _judged(self, row: InboxRow) -> InboxRow | None:
        """An event, an echo that is not a person's words as our own; None while nobody knows."""
        if not (isinstance(row.event, Echo) and row.event.human):
            return row
        ours = await self._store.sent_by_us(row, self._clock.now())
        return None if ours is None else replace(row, event=replace(row.event, human=not ours))

    async def _answer(self, row: InboxRow, thread: ThreadRow, *, aside: bool = False) -> InboxRow | None:
        """The turn that begins with a row, now or when it is due; one that may take long waits for its own limit."""
        burst = await self._bursts.gather(row, thread)
        now = self._clock.now()
        if (due_at := burst.due_at(now)) > now:
            return replace(row, attempt=burst.head.attempt, available_at=due_at)
        if (burst.options.timeout or 0) <= self._rules.timeout or aside:
            return await self._turn(row, burst, thread)
        with self.lanes.aside():
            async with self._slow:
                return await self._answer(row, thread, aside=True)

    async def _turn(self, row: InboxRow, burst: Burst, thread: ThreadRow) -> InboxRow | None:
        seconds = burst.options.timeout or self._rules.timeout
        stop = self._bursts.watch(burst)
        passage = Passage(self._book, lambda turn: self._match(turn, thread), self._show_state, seconds, stop)
        turn = self._turn_of(burst, thread)
        self._mark(burst, running=True)
        try:
            turn.reply(*as_messages(await passage.go(turn)))
            if not burst.led_to(passage.match):
                turn.close()
                return await self._turn(row, burst.alone(), thread)
            commit = self._commits.of_turn(burst, turn, thread, passage.match.handler if passage.match else None)
        except asyncio.CancelledError:
            turn.close()
            raise
        except Interrupted:
            turn.close()
            self._bursts.interrupted(burst)
            log.debug("turn_interrupted", thread=row.thread_id, event_key=row.key, attempt=burst.head.attempt)
            return replace(row, attempt=burst.head.attempt)
        except Misfit as misfit:
            turn.close()
            return await self._without(row, burst, thread, misfit)
        except BaseException as error:  # noqa: BLE001 - a handler may raise anything, also SystemExit
            turn.close()
            return await self._failed(row, burst, thread, passage, error)
        finally:
            self._mark(burst, running=False)
        try:
            await self._commit(burst, commit)
        except (Unavailable, ClaimLost, Broken):
            raise
        except Exception as error:  # noqa: BLE001 - what a store cannot take is the turn's fault, and counts as an attempt
            return await self._failed(row, burst, thread, passage, error)
        log.debug("turn_committed", thread=row.thread_id, event_key=row.key, attempt=burst.head.attempt)
        if commit.thread.is_held != thread.is_held:
            log.info("thread_held" if commit.thread.is_held else "thread_returned", thread=thread.id, event_key=row.key)
        return None

    async def _without(self, row: InboxRow, burst: Burst, thread: ThreadRow, misfit: Misfit) -> InboxRow | None:
        """The turn of a dialog that cannot go on, as its script declares."""
        fate = await self._scripts.fate(misfit, thread)
        told = {"thread": row.thread_id, "event_key": row.key, "handler": misfit.dialog}
        log.error("dialog_changed", **told, reason=misfit.reason, outcome=fate.action)
        if fate.action != "handoff":
            return await self._turn(row, burst.alone(), fate.instead)
        await self._commit(burst.alone(), self._commits.of_silence(burst.head, fate.instead))
        return None

    def _turn_of(self, burst: Burst, thread: ThreadRow) -> Turn[Any, Any]:
        *older, event = burst.events
        return Turn(
            event,
            thread.ref,
            state=thread.state,
            step=thread.step,
            older=older,
            skipped=burst.skipped,
            dialog=thread.dialog,
            begin=lambda turn, dialog, arguments: self._scripts.begin(burst.head, turn, dialog, arguments),
            schedule=later,
            history=history_of(self._store, thread.id, {row.id for row in burst.rows}),
        )

    def _mark(self, burst: Burst, *, running: bool) -> None:
        for row in burst.rows:
            self._store.mark("in", row.id, running=running)

    async def _commit(self, burst: Burst, commit: TurnCommit) -> None:
        if self._seals.unkept:
            await self._seals.keep()
        await self._store.commit_turn(commit)
        self._bursts.forget(burst)
        if burst.others:
            self.lanes.done(commit.thread.id, burst.newest.seq)

    def _found(self, event: Event, thread: ThreadRow) -> Match | Outgoing | None:
        return self._match(Turn(event, thread.ref, step=thread.step, dialog=thread.dialog), thread)

    def _show_state(self, turn: Turn[Any, Any], match: Match) -> None:
        """Show a turn's state as its handler sees it."""
        event = turn.event
        if isinstance(event, Timer) and event.handler is not None:
            turn.take_shape(self._book.state_model_for_timer(event))
        else:
            turn.take_shape(match.scope.state_model)

    def _match(self, turn: Turn[Any, Any], thread: ThreadRow) -> Match | Outgoing | None:
        """Who is to handle an event: by the rules, or as a timer says; or what a timer says itself."""
        event = turn.event
        if (found := self._scripts.match(turn, thread)) is not None or is_for_a_dialog(event):
            return found
        if not isinstance(event, Timer):
            return self._book.match(event, thread.ref, turn.step)
        if event.unless == "replied" and thread.heard > event.since:
            return None
        if event.message is not None:
            return decode_message(event.message.encode())
        handler = handler_of(named_function(event.handler or ""), None, call_site())
        arguments = handler.accept(event.arguments)
        if arguments is None:
            raise handler.error("the arguments it was to be called with do not fit it any more")
        return Match(handler=handler, arguments=arguments)

    async def _opened(self, row: InboxRow, thread: ThreadRow) -> Event:
        """What an event is in its thread, a typed key that was pressed unpacked."""
        if returns(row.event):
            return returned(row.event, await self._store.held(thread.id, MISSED))
        while (judged := await self._judged(row)) is None:  # the head is known already: one of those behind it
            await self._clock.sleep(_DOUBT / SECOND)
        row = judged
        return await self._seals.open(self._meant(row.event, thread), thread)

    def _meant(self, event: Event, thread: ThreadRow) -> Event:
        """A text that answers an open choice is the press it stands for."""
        if isinstance(event, Message) and thread.choices:
            return answer(event, thread.choices) or event
        return event

    async def _failed(
        self, row: InboxRow, burst: Burst, thread: ThreadRow, passage: Passage, error: BaseException
    ) -> InboxRow | None:
        """A turn that raised: the bot's own error handler may answer it, else it is tried again, else given up."""
        reason, row = _reason(error), replace(row, attempt=burst.head.attempt)
        log.warning(
            "turn_failed",
            thread=row.thread_id,
            event_key=row.key,
            attempt=row.attempt,
            handler=passage.match.handler.name if passage.match else getattr(row.event, "handler", None) or "",
            reason=kind_of(error),
            traceback=trace_of(error),
        )
        commit = await self._caught(burst, thread, passage, error)
        if commit is not None:
            await self._commit(burst, commit)
            return None
        now = self._clock.now()
        again_at = self._rules.backoff.again_at(row.attempt, now, self._rng)
        if again_at is None and burst.others:
            again_at = now  # with a single attempt: each of them has it alone
        if again_at is None:
            self._bursts.forget(burst)
            await self._give_up(row, f"given up after {row.attempt} tries: {reason}")
            return None
        again = replace(row, attempt=row.attempt + 1, available_at=again_at)
        await self._store.retry_turn(
            Retry(
                row_id=row.id,
                thread_id=row.thread_id,
                attempt=again.attempt,
                reason=reason,
                available_at=again_at,
                at=now,
                others=[each.id for each in burst.others],
            )
        )
        return again

    async def _caught(
        self, burst: Burst, thread: ThreadRow, passage: Passage, error: BaseException
    ) -> TurnCommit | None:
        """The turn as an error handler of the bot leaves it: the failed handler's effects are gone."""
        handler = self._book.match_error(error, passage.match.scope if passage.match else NO_SCOPE)
        if handler is None:
            return None
        turn = self._turn_of(burst, thread)
        try:
            with suppress(HandlerError):  # where that is what failed, it is the mapping
                scope = passage.match.scope if passage.match else NO_SCOPE
                turn.take_shape(self._book.state_model_for_error(handler, scope))
            turn.reply(*as_messages(await passage.fail(turn, handler, error)))
            return self._commits.of_turn(burst, turn, thread, handler)
        except asyncio.CancelledError:
            raise
        except BaseException as second:  # noqa: BLE001 - as above
            log.warning("error_handler_failed", thread=thread.id, handler=handler.name, reason=kind_of(second))
            return None
        finally:
            turn.close()

    async def _died(self, row: InboxRow) -> InboxRow | None:
        """The last process died in this turn: that was an attempt too, also when nobody could count it as failed."""
        now = self._clock.now()
        reason = "the process died while it was handled"
        log.warning("turn_suspected", thread=row.thread_id, event_key=row.key, attempt=row.attempt, reason=reason)
        behind = await self._store.inbox_after(row.thread_id, row.seq, MOST) if self._suspects else ()
        others = [each.id for each in behind if each.id in self._suspects]
        if row.attempt >= self._rules.backoff.attempts and not others:
            await self._give_up(row, f"given up after {row.attempt} tries: {reason}")
            return None
        again = replace(row, attempt=row.attempt + 1)
        await self._store.retry_turn(
            Retry(
                row_id=row.id,
                thread_id=row.thread_id,
                attempt=again.attempt,
                reason=reason,
                available_at=0,
                at=now,
                others=others,
            )
        )
        self._suspects -= set(others)
        for each in others:
            self._store.mark("in", each, running=False)
        return again

    async def _give_up(self, row: InboxRow, reason: str) -> None:
        thread = await self._store.thread(row.thread_id)
        if takes_over(row.event) and not thread.is_held:
            await self._store.commit_turn(self._commits.of_taking(row, thread, reason))
            log.info("thread_held", thread=row.thread_id, event_key=row.key)
        else:
            await self._settle_dead(row, reason)
        log.error("event_dead", thread=row.thread_id, event_key=row.key, attempt=row.attempt)

    async def _settle_dead(self, row: InboxRow, reason: str) -> None:
        await self._store.settle_turn(
            Settled(
                row_id=row.id,
                thread_id=row.thread_id,
                attempt=row.attempt,
                state=InboxState.DEAD,
                at=self._clock.now(),
                reason=reason,
            )
        )


def _reason(error: BaseException) -> str:
    try:
        text = " ".join(str(error).encode("utf-8", "backslashreplace").decode().split())
    except Exception:  # noqa: BLE001 - an object may fail to say what it is
        text = "(it cannot say what it is)"
    name = type(error).__name__
    return f"{name}: {text}" if text else name
