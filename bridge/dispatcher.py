"""Events out of the inbox: match, run the handler, plan its replies, commit; or decide what a failure means."""

from __future__ import annotations

import asyncio
import traceback
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from bridge.calling import call_site, handler_of
from bridge.clock import micros, moment
from bridge.events import Message, Postback, Timer, decode_event
from bridge.lanes import Lanes
from bridge.messages import Text, decode_message, encode_message
from bridge.passage import Passage
from bridge.planner import answer, expires_at, next_choices, plan
from bridge.rules import Match
from bridge.store import InboxRow, InboxState, Retry, Saying, Settled, ThreadRow, TimerRow, TurnCommit
from bridge.telemetry import log
from bridge.timers import named_function
from bridge.turn import Entry, Turn, as_messages

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from bridge.accounts import Account
    from bridge.backoff import Backoff
    from bridge.calling import Handler
    from bridge.clock import Clock
    from bridge.events import Event
    from bridge.messages import Outgoing
    from bridge.planner import Choice, Plan
    from bridge.router import Router
    from bridge.store import Store

KEYS: Final = uuid.UUID("b5f2a0de-5b4e-5f0b-8f1e-6f1d3c0f7a11")
"""The namespace of idempotency keys; it never changes, or restored messages would leave again under other keys."""
_QUESTION_MARKS: Final = ("?", "？", "؟")  # noqa: RUF001 - those of other scripts are meant


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What bounds a turn: `timeout` in seconds."""

    router: Router
    timeout: float
    backoff: Backoff


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
        self._suspects: frozenset[int] = frozenset()
        self.lanes: Lanes[InboxRow] = Lanes(self, clock, concurrency=concurrency)

    async def start(self) -> None:
        """Take up what waits in the store; what was running when the last process died starts last, one at a time."""
        self._suspects = self._store.suspects("in")
        await self.lanes.start(self._suspects)

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
        if row.id in self._suspects:
            self._suspects -= {row.id}
            again = await self._died(row)
            if again is None:
                return None
            row = again
        thread = await self._store.thread(row.thread_id)
        event = self._meant(row.event, thread)
        passage = Passage(self._rules.router.rules, lambda turn: self._match(turn, thread), self._rules.timeout)
        turn = Turn(event, row.ref, state=thread.state, step=thread.step, history=self._history_of(row))
        self._store.mark("in", row.id, running=True)
        try:
            turn.reply(*as_messages(await passage.go(turn)))
            commit = self._commit_of(row, turn, thread, passage.match.handler if passage.match else None)
        except asyncio.CancelledError:
            turn.close()
            raise
        except BaseException as error:  # noqa: BLE001 - a handler may raise anything, also SystemExit
            turn.close()
            return await self._failed(row, thread, event, passage, error)
        finally:
            self._store.mark("in", row.id, running=False)
        await self._store.commit_turn(commit)
        log.debug("turn_committed", thread=row.thread_id, event_key=row.key, attempt=row.attempt)
        return None

    def _match(self, turn: Turn[Any], thread: ThreadRow) -> Match | Outgoing | None:
        """Who is to handle an event: by the rules, or as a timer says; or what a timer says itself."""
        event = turn.event
        if not isinstance(event, Timer):
            return self._rules.router.match(event, thread.ref, turn.step)
        if event.unless == "replied" and (thread.last_heard or 0) >= event.set_at:
            return None
        if event.message is not None:
            return decode_message(event.message.encode())
        handler = handler_of(named_function(event.handler or ""), None, call_site())
        arguments = handler.accept(event.arguments)
        if arguments is None:
            raise handler.error("the arguments it was to be called with do not fit it any more")
        return Match(handler=handler, arguments=arguments)

    def _meant(self, event: Event, thread: ThreadRow) -> Event:
        """A text that answers an open choice is the press it stands for."""
        if isinstance(event, Message) and thread.choices:
            return answer(event, thread.choices) or event
        return event

    def _commit_of(self, row: InboxRow, turn: Turn[Any], thread: ThreadRow, handler: Handler | None) -> TurnCommit:
        """All that a turn does, ready to be committed."""
        now = self._clock.now()
        event = turn.event
        heard = isinstance(event, Message | Postback)
        last_heard = max(thread.last_heard or 0, micros(event.at)) if heard else thread.last_heard
        capabilities = self._accounts[row.ref.account].provider.capabilities(row.ref.channel)
        plans = [plan(message, capabilities, now=now, last_heard=last_heard) for message in turn.replies]
        left = replace(
            thread,
            state=turn.encode_state(),
            step=turn.step,
            choices=self._choices(thread.choices, plans, event),
            address=row.address or thread.address,
            last_heard=last_heard,
        )
        turn.close()
        name = handler.name if handler else ""
        sayings: list[Saying] = []
        timers: list[TimerRow] = []
        for ordinal, (message, each) in enumerate(zip(turn.replies, plans, strict=True)):
            if message.at is not None and not capabilities.schedule and micros(message.at) > now:
                timers.append(_later(message, micros(message.at)))
            else:
                sayings += self._sayings(row, name, ordinal, message, each, now)
        return TurnCommit(row=row, thread=left, sayings=sayings, timers=timers, at=now)

    @staticmethod
    def _choices(standing: Sequence[Choice], plans: Sequence[Plan], event: Event) -> Sequence[Choice]:
        if not standing and not any(each.choices for each in plans):
            return ()
        question = max((at for at, each in enumerate(plans) if _is_question(each)), default=None)
        answered = event.key if isinstance(event, Postback) else None
        return next_choices(standing, plans[question or 0 :], answered=answered, asked=question is not None)

    def _sayings(
        self, row: InboxRow, handler: str, ordinal: int, message: Outgoing, planned: Plan, now: int
    ) -> list[Saying]:
        """The outbox rows of one reply. One that cannot be sent at all still gets a row, so that nobody loses it."""
        dropped = planned.dropped or ""
        if dropped:
            log.warning("message_dropped", thread=row.thread_id, event_key=row.key, reason=dropped)
        expires = expires_at(message, now)
        return [
            Saying(
                key=idempotency_key(row.ref.account, row.key, row.replay, handler, ordinal, part),
                message=said,
                encoded=encode_message(said),
                expires_at=expires,
                given_up=planned.given_up,
                dropped=dropped,
            )
            for part, said in enumerate(planned.parts or (message,))
        ]

    async def _failed(
        self, row: InboxRow, thread: ThreadRow, event: Event, passage: Passage, error: BaseException
    ) -> InboxRow | None:
        """A turn that raised: the bot's own error handler may answer it, else it is tried again, else given up."""
        reason = _reason(error)
        log.warning(
            "turn_failed",
            thread=row.thread_id,
            event_key=row.key,
            attempt=row.attempt,
            handler=passage.match.handler.name if passage.match else "",
            reason=reason,
            traceback=_traceback(error),
        )
        commit = await self._caught(row, thread, event, passage, error)
        if commit is not None:
            await self._store.commit_turn(commit)
            return None
        now = self._clock.now()
        again_at = self._rules.backoff.again_at(row.attempt, now, self._rng)
        if again_at is None:
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
            )
        )
        return again

    async def _caught(
        self, row: InboxRow, thread: ThreadRow, event: Event, passage: Passage, error: BaseException
    ) -> TurnCommit | None:
        """The turn as an error handler of the bot leaves it: the failed handler's effects are gone."""
        handler = self._rules.router.match_error(error, passage.match)
        if handler is None:
            return None
        turn = Turn(event, row.ref, state=thread.state, step=thread.step, history=self._history_of(row))
        try:
            turn.reply(*as_messages(await passage.fail(turn, handler, error)))
            return self._commit_of(row, turn, thread, handler)
        except asyncio.CancelledError:
            raise
        except BaseException as second:  # noqa: BLE001 - as above
            log.warning("error_handler_failed", thread=row.thread_id, handler=handler.name, reason=_reason(second))
            return None
        finally:
            turn.close()

    async def _died(self, row: InboxRow) -> InboxRow | None:
        """The last process died in this turn: that was an attempt too, also when nobody could count it as failed."""
        now = self._clock.now()
        reason = "the process died while it was handled"
        log.warning("turn_suspected", thread=row.thread_id, event_key=row.key, attempt=row.attempt, reason=reason)
        if row.attempt >= self._rules.backoff.attempts:
            await self._give_up(row, f"given up after {row.attempt} tries: {reason}")
            return None
        again = replace(row, attempt=row.attempt + 1)
        await self._store.retry_turn(
            Retry(row_id=row.id, thread_id=row.thread_id, attempt=again.attempt, reason=reason, available_at=0, at=now)
        )
        return again

    async def _give_up(self, row: InboxRow, reason: str) -> None:
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
        log.error("event_dead", thread=row.thread_id, event_key=row.key, attempt=row.attempt, reason=reason)

    def _history_of(self, row: InboxRow) -> Callable[[int], Awaitable[Sequence[Entry]]]:
        async def history(limit: int) -> Sequence[Entry]:
            found = await self._store.history(row.thread_id, limit=limit + 1)
            return [
                Entry(direction="in", at=moment(each.at), event=decode_event(each.kind, each.content))
                if each.direction == "in"
                else Entry(direction="out", at=moment(each.at), message=decode_message(each.content))
                for each in found
                if each.id != row.id
            ][-limit:]

        return history


def _later(message: Outgoing, due_at: int) -> TimerRow:
    """A message with `at=`: a timer until then, so that tomorrow's message never holds up today's."""
    return TimerRow(due_at=due_at, name="at", message=encode_message(replace(message, at=None)))


def _is_question(planned: Plan) -> bool:
    """Whether a plan asks for words: what was offered before is then no longer what an answer means."""
    last = planned.parts[-1] if planned.parts else None
    return isinstance(last, Text) and not planned.choices and last.text.rstrip().endswith(_QUESTION_MARKS)


def idempotency_key(account: str, event_key: str, replay: int, handler: str, ordinal: int, part: int) -> str:
    """The key of one message: the same over re-runs, crashes and restores."""
    return str(uuid.uuid5(KEYS, f"{account}\n{event_key}\n{replay}\n{handler}\n{ordinal}\n{part}"))


def _reason(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - an object may fail to say what it is
        text = "(it cannot say what it is)"
    name = type(error).__name__
    return f"{name}: {text}" if text else name


def _traceback(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))[-4000:]
    except Exception:  # noqa: BLE001 - as above
        return ""
