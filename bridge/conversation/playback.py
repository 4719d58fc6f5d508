"""Plays the journal of a dialog back to its function, and adds to the journal whatever the function does after that."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, Self

from bridge.conversation.effects import Later, span_of
from bridge.conversation.exceptions import kept, made_again
from bridge.conversation.journal import WAIT, JournalEntry, Leg, as_kept, call_of, digest, label_of, name_of, op_of
from bridge.conversation.questions import WHOLE, Refused, mark_of
from bridge.conversation.suspension import Ended, JournalFull, ScriptChanged, Suspended
from bridge.conversation.turn import draft_of
from bridge.events import Signal, Timer
from bridge.messages import encode_message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from bridge.conversation.effects import Delay, Shelf
    from bridge.conversation.journal import Journal
    from bridge.conversation.questions import Question
    from bridge.conversation.spending import Spending
    from bridge.conversation.turn import Turn
    from bridge.events import Event
    from bridge.messages import Outgoing

    Read = Callable[[Event], Awaitable[dict[str, Any]]]
    """What an event answers, as a journal keeps it. Raises Refused."""

_LATE: Final = {"timeout": True}
"""The outcome of a question that was not answered in time."""


class SideEffects(Protocol):
    """Takes the steps of one dialog outside of it."""

    async def take(
        self,
        call: str,
        position: int,
        function: Callable[..., object],
        arguments: tuple[object, ...],
        key: str | None,
        spending: Spending | None,
    ) -> Any:  # noqa: ANN401 - what the function returns
        """Call a function and keep its result, unless a result is kept already. Raises BudgetSpent."""
        ...

    async def is_doubtful(self, position: int) -> bool:
        """Whether a step was begun there and its end is not known."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The outcome of a question. In the past it was read before, and must be readable again."""

    question: Question
    outcome: dict[str, Any]
    is_past: bool
    event: Event

    @property
    def is_late(self) -> bool:
        """Whether the time ran out instead."""
        return self.outcome == _LATE


class Playback:
    """One run of a dialog's function: first through the journal, then beyond it.

    Its operations run one after the other under `lock`, whichever task calls them; otherwise no later run could repeat
    their order.
    """

    def __init__(
        self,
        turn: Turn[Any, Any],
        journal: Journal,
        side_effects: SideEffects,
        lock: AbstractAsyncContextManager[object],
        *,
        shelf: Shelf | None = None,
        dry: bool = False,
    ) -> None:
        """`shelf` holds the present turn while the past is played; a `dry` run stops at the open question."""
        self.turn = turn
        self.suspended = False
        """The dialog waits."""
        self.position = 0
        """How many operations the function came to so far."""
        self._full: JournalFull | None = None
        self._draft = draft_of(turn)
        self._journal = journal
        self._side_effects = side_effects
        self._lock = lock
        self._shelf = shelf
        self._dry = dry
        self._happened = self._draft.happened if shelf is None else shelf.happened

    @classmethod
    def opening(
        cls,
        turn: Turn[Any, Any],
        journal: Journal,
        side_effects: SideEffects,
        lock: AbstractAsyncContextManager[object],
    ) -> Self:
        """A dialog that begins in a turn, and sees the turn as every later run will see it."""
        draft = draft_of(turn)
        first = Leg(
            event=as_kept(draft.event),
            older=tuple(map(as_kept, draft.older)),
            skipped=tuple(map(as_kept, draft.skipped)),
            values=draft.values(),
            step=draft.step,
            person=draft.contact.snapshot(),
        )
        journal.legs.append(first)
        playback = cls(turn, journal, side_effects, lock)
        draft.happened = (first.event, first.older, first.skipped)
        return playback

    @classmethod
    def resuming(
        cls,
        turn: Turn[Any, Any],
        journal: Journal,
        side_effects: SideEffects,
        lock: AbstractAsyncContextManager[object],
        *,
        dry: bool = False,
    ) -> Self:
        """A dialog that waits for the event of a turn: the turn becomes the one in which the dialog began."""
        draft = draft_of(turn)
        shelf = draft.set_aside()
        draft.recall(journal.legs[0])
        return cls(turn, journal, side_effects, lock, shelf=shelf, dry=dry)

    async def say(self, messages: tuple[Outgoing, ...]) -> None:
        """Add messages to the turn."""
        done = JournalEntry(op="say", call=digest(*map(_encoded, messages)), label=_words(messages), outcome={})
        async with self._lock:
            if self._past(done) is None:
                self.turn.reply(list(messages))
                self._journal.entries.append(done)

    async def handoff(self, note: str) -> None:
        """Give the thread to a person when the turn is committed."""
        done = JournalEntry(op="handoff", call=digest(note), outcome={})
        async with self._lock:
            if self._past(done) is None:
                self.turn.handoff(note)
                self._journal.entries.append(done)

    async def step(
        self,
        function: Callable[..., Any],
        arguments: tuple[object, ...],
        key: str | None,
        *,
        once: bool,
        spending: Spending | None = None,
    ) -> Any:  # noqa: ANN401 - what the function returns
        """Call a function outside of the dialog, and keep its result or error."""
        async with self._lock:
            return await self._step(function, arguments, key, once, spending)

    async def _step(
        self,
        function: Callable[..., Any],
        arguments: tuple[object, ...],
        key: str | None,
        once: bool,  # noqa: FBT001 - as given above
        spending: Spending | None,
    ) -> Any:  # noqa: ANN401 - the same
        done = JournalEntry(op="step", call=call_of(function, arguments), label=name_of(function))
        position = self.position
        if (past := self._past(done)) is not None:
            outcome = past.outcome or {}
            if "raised" in outcome:
                raise made_again(*outcome["raised"])
            return deepcopy(outcome.get("value"))  # what the script does to it is no part of the past
        if once and await self._side_effects.is_doubtful(position):
            note = f"{self._journal.name}: nobody knows whether step {position + 1}, {done.label}, happened"
            self.turn.handoff(note)
            raise Ended
        self._want_room(self._journal.make_room)
        self._draft.stepped.add(self._journal.run)
        self._draft.in_step = True
        try:
            value = await self._side_effects.take(done.call, position, function, arguments, key, spending)
        except Exception as error:
            raised = kept(error)
            self._journal.entries.append(replace(done, outcome={"raised": raised}))
            if not isinstance(again := made_again(*raised), type(error)):
                raise again from error  # as it will be when this is played again
            raise
        finally:
            self._draft.in_step = False
        self._journal.entries.append(replace(done, outcome={"value": value}))
        self._want_room(self._journal.encode)
        return deepcopy(value)

    def _want_room(self, check: Callable[[], object]) -> None:
        """Leave the function where its journal is full, and let nothing follow, whatever it makes of that."""
        try:
            check()
        except JournalFull as full:
            self._full = full
            raise

    async def ask(self, question: Question, timeout: Delay | None) -> Answer:  # noqa: ASYNC109 - of an answer, days from now
        """Put a question, or return how it was answered."""
        async with self._lock:
            question = replace(question, mark=mark_of(self._journal.run), position=self.position)
            call = digest([*map(_encoded, question.prompt)], question.titles)
            asked = JournalEntry(op="ask", call=call, label=_words(question.prompt))
            entry = self._past(asked)
            if entry is None:
                self.turn.reply(list(question.messages))
                self._draft.asked = True
                self._open(asked, timeout)
            is_past = await self._answered(entry, question.read, question.retry or question.messages)
            event = self._draft.event
        return Answer(question=question, outcome=entry.outcome or {}, is_past=is_past, event=event)

    async def wait(self, name: str, timeout: Delay | None) -> tuple[Any, bool]:  # noqa: ASYNC109 - of a signal, days from now
        """Wait for a signal, or return what came with it, and whether the time ran out instead."""
        waited = JournalEntry(op=WAIT, call=digest(name), label=label_of(name))
        async with self._lock:
            entry = self._past(waited)
            if entry is None:
                self._open(waited, timeout)
            await self._answered(entry, _data, ())
            outcome = entry.outcome or {}
        return deepcopy(outcome.get("value")), outcome == _LATE

    def _open(self, entry: JournalEntry, timeout: Delay | None) -> NoReturn:
        """Leave the function at something new that is to be answered."""
        self._journal.entries.append(entry)
        self._set_timer(timeout)
        self._suspend()

    async def _answered(self, entry: JournalEntry, read: Read, retry: Sequence[Outgoing]) -> bool:
        """Become the turn in which something was answered, now or in the past; whether that was in the past."""
        is_past = entry.outcome is not None
        if is_past:
            self._draft.recall(self._journal.legs[entry.leg or 0])
        else:
            await self._wake(entry, read, retry)
        return is_past

    async def read(self, answer: Answer) -> Any:  # noqa: ANN401 - whatever was answered
        """The value of an answer."""
        try:
            if answer.outcome == WHOLE and answer.question.accept:
                return answer.event
            return await answer.question.replay(answer.outcome)
        except Exception as error:
            if not answer.is_past or isinstance(error, OSError):  # the world outside says nothing about the script
                raise
            number = answer.question.position + 1
            raise ScriptChanged(number, f"step {number}, ask, does not take the answer it was given any more") from None

    async def _wake(self, entry: JournalEntry, read: Read, retry: Sequence[Outgoing]) -> None:
        """End the past: the turn becomes the present one, and its event may be the answer; else `retry` is said."""
        if self._dry or self._shelf is None:
            self._suspend()
        differs = self._draft.resume(self._shelf)
        self._shelf = None
        event = self._draft.event
        if isinstance(event, Timer):
            outcome: dict[str, Any] = dict(_LATE)
        else:
            try:
                outcome = await read(event)
            except Refused as refused:
                if not refused.ignored:
                    self.turn.reply(list(retry))
                self._suspend()
            self._draft.effects.cancelled.append(self._journal.waiting)
        entry.leg, entry.outcome = len(self._journal.legs), outcome
        leg = Leg(
            event=as_kept(event),
            values=self._draft.values() if differs else None,
            step=self._draft.step,
            person=self._draft.contact.snapshot(),
        )
        self._journal.legs.append(leg)
        self._draft.happened = (leg.event, (), ())  # as it will be when this is played again

    def _set_timer(self, timeout: Delay | None) -> None:
        if timeout is not None:
            delay, at = span_of(timeout, "timeout")
            self._draft.effects.laters.append(Later(delay=delay, at=at, name=self._journal.waiting))

    def _suspend(self) -> NoReturn:
        self.suspended = True
        if self._shelf is None:
            self._shelf = self._draft.set_aside()  # what a `finally` does now, it does again when the answer is there
        raise Suspended

    def put_back(self) -> None:
        """Make the turn the present one again, however far the function went."""
        if self._shelf is not None:
            self._draft.resume(self._shelf)
            self._shelf = None
        self._draft.happened = self._happened

    def check_room(self) -> None:
        """Raises JournalFull when the function was to be left for that."""
        if self._full is not None:
            raise self._full

    def check_end(self) -> None:
        """Check the end of the function. Raises ScriptChanged when the journal has more operations."""
        if self.position < len(self._journal.entries):
            entry = self._journal.entries[self.position]
            where, end = f"step {self.position + 1} was", "and the dialog ends before it now"
            detail = f"{where} {op_of(entry.op, entry.label)} {end}"
            raise ScriptChanged(self.position + 1, f"{where} {entry.op} {end}", detail)

    def _past(self, done: JournalEntry) -> JournalEntry | None:
        """The journal's entry for the operation that the function comes to now; None: the operation is new."""
        self.check_room()
        if self.suspended:
            raise Suspended
        number, self.position = self.position, self.position + 1
        if number == len(self._journal.entries):
            return None
        entry = self._journal.entries[number]
        if (entry.op, entry.call) != (done.op, done.call):
            raise _difference(number + 1, entry, done)
        return entry


def _difference(step: int, entry: JournalEntry, done: JournalEntry) -> ScriptChanged:
    """The first difference between the journal and the function; only the detail holds anybody's words."""
    where = f"step {step}"
    was = entry.op if entry.op != "step" else f"{entry.op} {entry.label}"
    now = done.op if done.op != "step" else f"{done.op} {done.label}"
    reason = f"{where} was {was} and is {now} now" if was != now else f"{where}, {done.op}, is another one now"
    detail = f"{where} was {op_of(entry.op, entry.label)} and is {op_of(done.op, done.label)} now"
    return ScriptChanged(step, reason, detail)


async def _data(event: Event) -> dict[str, Any]:
    """What a signal brings, as a journal keeps it. Raises Refused for any other event."""
    if not isinstance(event, Signal):
        raise Refused(ignored=True)
    return {"value": event.data}


def _encoded(message: Outgoing) -> str:
    return encode_message(message).decode()


def _words(messages: tuple[Outgoing, ...]) -> str:
    return label_of(" ".join(str(getattr(message, "text", type(message).__name__)) for message in messages))
