"""Durable dialogs: linear functions that ask, and go on after the answer, a restart or a deploy in between."""

from __future__ import annotations

import inspect
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypedDict, TypeVar, Unpack, overload

from bridge.conversation.effects import Later, span_of
from bridge.conversation.exceptions import kept, made_again
from bridge.conversation.journal import Entry, Leg, as_kept, call_of, digest, label_of, name_of, op_of
from bridge.conversation.questions import Question, Refused, check_titles, choices_of, mark_of
from bridge.conversation.suspension import Ended, ScriptChanged, Suspended
from bridge.conversation.turn import Turn, as_messages
from bridge.errors import HandlerError, NoAnswer
from bridge.events import Timer
from bridge.messages import encode_message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from bridge.conversation.effects import Delay, Shelf
    from bridge.conversation.journal import Journal
    from bridge.conversation.turn import Reply
    from bridge.messages import Outgoing

T = TypeVar("T")
C = TypeVar("C")


class Waiting(TypedDict, total=False):
    """How long a question waits, and what is said meanwhile: for type checkers, see `Dialog.ask`."""

    retry: Reply | None
    timeout: Delay | None
    on_timeout: Callable[..., object] | Reply | None


class Steps(Protocol):
    """Takes the steps of one dialog: see bridge.scripts."""

    async def take(
        self, call: str, position: int, function: Callable[..., object], arguments: tuple[object, ...], key: str | None
    ) -> Any:  # noqa: ANN401 - what the function returns
        """Call a function and keep what it returns, unless that is kept already."""
        ...

    async def is_doubtful(self, position: int) -> bool:
        """Whether a step was begun there and nobody knows whether it ended."""
        ...


class Dialog:
    """What the function of a dialog holds: `async def refund(d: Dialog, no: int)`, under `@router.dialog(version=1)`.

    The function is ordinary, linear Python; it is run again from its beginning whenever the contact answers, with all
    that happened before played back to it, up to the question that waits. So what it does must follow from its
    arguments, the answers and the results of its steps alone: time, chance and the world outside belong into `step`.
    A function that no longer does what it did is noticed at the first difference.
    """

    def __init__(
        self,
        turn: Turn[Any, Any],
        journal: Journal,
        steps: Steps,
        shelf: Shelf | None,
        alone: AbstractAsyncContextManager[object],
    ) -> None:
        """For the engine: `shelf` is what the turn really is, None when nothing is to be played back.

        One operation of the dialog after the other runs `alone`, whichever task calls it: otherwise no replay could
        repeat their order.
        """
        self.turn = turn
        """The turn, as in a handler. While the past is played back it is the turn of then, and what it does is lost."""
        self._journal = journal
        self._steps = steps
        self._shelf = shelf
        self._happened = turn.happened if shelf is None else shelf.happened
        self._position = 0
        self._alone = alone
        self.rehearses = False
        """For the engine: stop at the question that waits, without an answer."""
        self.suspended = False
        """For the engine: the dialog waits."""

    @property
    def position(self) -> int:
        """For the engine: how many things it came to so far."""
        return self._position

    async def say(self, *messages: Reply) -> None:
        """Say something, as `turn.reply` does; it leaves exactly once."""
        said = as_messages(messages)
        async with self._alone:
            if self._next("say", digest(*map(_encoded, said)), label_of(_words(said))) is None:
                self.turn.reply(list(said))
                self._note("say", digest(*map(_encoded, said)), label_of(_words(said)), outcome={})

    @overload
    async def ask(
        self, prompt: Reply, *, parse: None = None, choices: None = None, **waiting: Unpack[Waiting]
    ) -> str: ...

    @overload
    async def ask(
        self, prompt: Reply, *, parse: None = None, choices: Sequence[C], **waiting: Unpack[Waiting]
    ) -> C: ...

    @overload
    async def ask(
        self, prompt: Reply, *, parse: Callable[[str], Awaitable[T]], choices: None = None, **waiting: Unpack[Waiting]
    ) -> T: ...

    @overload
    async def ask(
        self, prompt: Reply, *, parse: Callable[[str], T], choices: None = None, **waiting: Unpack[Waiting]
    ) -> T: ...

    @overload
    async def ask(
        self, prompt: Reply, *, parse: Callable[[str], Awaitable[T]], choices: Sequence[C], **waiting: Unpack[Waiting]
    ) -> T | C: ...

    @overload
    async def ask(
        self, prompt: Reply, *, parse: Callable[[str], T], choices: Sequence[C], **waiting: Unpack[Waiting]
    ) -> T | C: ...

    async def ask(
        self,
        prompt: Reply,
        *,
        parse: Callable[[str], Any] | None = None,
        choices: Sequence[object] | None = None,
        retry: Reply | None = None,
        timeout: Delay | None = None,  # noqa: ASYNC109 - of an answer, days from now
        on_timeout: Callable[..., object] | Reply | None = None,
    ) -> Any:
        """Ask, and return the answer: the words, what `parse` makes of them, or the one of `choices` that was meant.

        A choice is pressed, or typed as its number or its title. When `parse` raises, or nothing was chosen (and there
        is no `parse` to read the words), `retry` is said, or the prompt again, and the question stays open. After
        `timeout` (as in `turn.after`) NoAnswer is raised here; with `on_timeout` that is said, or called with the
        dialog, and the dialog ends. The answer's own event is `turn.event`, for media and the like.

        Raises:
            HandlerError: choices that cannot be told apart, or a timeout that is none.
            NoAnswer: nobody answered in time.
        """
        titles, values = choices_of(choices) if choices is not None else ((), ())
        return await self._ask(prompt, parse, titles, values, retry, timeout, on_timeout)

    async def choose(
        self,
        prompt: Reply,
        *,
        retry: Reply | None = None,
        timeout: Delay | None = None,  # noqa: ASYNC109 - of an answer, days from now
        on_timeout: Callable[..., object] | Reply | None = None,
        **options: T,
    ) -> T:
        """Ask with choices: each option's name is the title shown, its value what is returned (`yes=True, no=False`).

        Otherwise as `ask`.
        """
        if not options:
            raise HandlerError("choose() needs options: choose('Sure?', yes=True, no=False)")
        titles = tuple(options)
        check_titles(titles)
        chosen: T = await self._ask(prompt, None, titles, tuple(options.values()), retry, timeout, on_timeout)
        return chosen

    @overload
    async def step(
        self, function: Callable[..., Awaitable[T]], *arguments: object, key: str | None = None, once: bool = False
    ) -> T: ...

    @overload
    async def step(
        self, function: Callable[..., T], *arguments: object, key: str | None = None, once: bool = False
    ) -> T: ...

    async def step(
        self, function: Callable[..., Any], *arguments: object, key: str | None = None, once: bool = False
    ) -> Any:
        """Do something outside: call `function(*arguments)`, once if all goes well, and keep its result.

        It is noted before and after, so that neither a restart nor a turn that fails later repeats it; only one that
        did not end is repeated (it raised, took too long, was interrupted, or the process died), and then under the
        same `key`. A function that has a parameter `key` is given it, to be
        handed on as an idempotency key (made up when left out). With `once=True` it is never repeated: when nobody
        knows whether it happened, the thread is handed to a person and the dialog ends. An error it raises is raised
        here, and is played back like a result if the dialog goes on after it. A `def` runs in a thread.

        The result has to be JSON.

        Raises:
            HandlerError: it is not.
        """
        async with self._alone:
            return await self._step(function, arguments, key, once=once)

    async def _step(
        self, function: Callable[..., Any], arguments: tuple[object, ...], key: str | None, *, once: bool
    ) -> Any:  # noqa: ANN401 - what the function returns
        name = name_of(function)
        call = call_of(function, arguments)
        position = self._position
        if (entry := self._next("step", call, name)) is not None:
            outcome = entry.outcome or {}
            if "raised" in outcome:
                raise made_again(*outcome["raised"])
            return deepcopy(outcome.get("value"))  # what the script does to it is no part of the past
        if once and await self._steps.is_doubtful(position):
            self.turn.handoff(f"{self._journal.name}: nobody knows whether step {position + 1}, {name}, happened")
            raise Ended
        self.turn.stepped.add(self._journal.run)
        self.turn.in_step = True
        try:
            value = await self._steps.take(call, position, function, arguments, key)
        except Exception as error:
            raised = kept(error)
            self._note("step", call, name, outcome={"raised": raised})
            if not isinstance(again := made_again(*raised), type(error)):
                raise again from error  # as it will be when this is played again
            raise
        finally:
            self.turn.in_step = False
        self._note("step", call, name, outcome={"value": value})
        return deepcopy(value)

    async def handoff(self, note: str = "") -> None:
        """Give the thread to a person, as `turn.handoff` does; the dialog goes on, if it asks anything, after that."""
        async with self._alone:
            if self._next("handoff", digest(note), "") is None:
                self.turn.handoff(note)
                self._note("handoff", digest(note), "", outcome={})

    async def _ask(
        self,
        prompt: Reply,
        parse: Callable[[str], Any] | None,
        titles: tuple[str, ...],
        values: tuple[Any, ...],
        retry: Reply | None,
        timeout: Delay | None,  # noqa: ASYNC109 - the same
        on_timeout: Callable[..., object] | Reply | None,
    ) -> Any:  # noqa: ANN401 - whatever is answered
        said = as_messages((prompt,))
        again = as_messages((retry,)) if retry is not None else ()
        async with self._alone:
            question = Question(
                prompt=said,
                titles=titles,
                values=values,
                parse=parse,
                mark=mark_of(self._journal.run),
                position=self._position,
            )
            call, label = digest([*map(_encoded, said)], titles), label_of(_words(said))
            entry = self._next("ask", call, label)
            if entry is None:
                self.turn.reply(list(question.messages))
                self.turn.asked = True
                self._note("ask", call, label)
                self._set_timer(timeout)
                self._suspend()
            is_past = entry.outcome is not None
            if is_past:
                self.turn.recall(self._journal.legs[entry.leg or 0])
            else:
                await self._wake(entry, question, again)
        if entry.outcome == {"timeout": True}:
            await self._late(on_timeout)
        try:
            return await question.replay(entry.outcome or {})
        except Exception as error:
            if not is_past or isinstance(error, OSError):  # the world outside says nothing about the script
                raise
            number = question.position + 1
            raise ScriptChanged(number, f"step {number}, ask, does not take the answer it was given any more") from None

    async def _wake(self, entry: Entry, question: Question, again: tuple[Outgoing, ...]) -> None:
        """The past is played: from here on the turn is what it really is, and its event may be the answer."""
        if self.rehearses or self._shelf is None:
            self._suspend()
        differs = self.turn.resume(self._shelf)
        self._shelf = None
        event = self.turn.event
        if isinstance(event, Timer):
            outcome: dict[str, Any] = {"timeout": True}
        else:
            try:
                outcome = await question.read(event)
            except Refused as refused:
                if not refused.ignored:
                    self.turn.reply(list(again or question.messages))
                self._suspend()
            self.turn.effects.cancelled.append(self._journal.waiting)
        entry.leg, entry.outcome = len(self._journal.legs), outcome
        values = self.turn.values() if differs else None
        leg = Leg(event=as_kept(event), values=values, step=self.turn.step)
        self._journal.legs.append(leg)
        self.turn.happened = (leg.event, (), ())  # as it will be when this is played again

    async def _late(self, on_timeout: Callable[..., object] | Reply | None) -> None:
        if on_timeout is None:
            raise NoAnswer("nobody answered in time")
        said: Any = on_timeout
        if callable(on_timeout):
            said = on_timeout(self.turn if _wants_turn(on_timeout) else self)
            said = await said if inspect.isawaitable(said) else said
        if said is not None:
            await self.say(said)
        raise Ended

    def _set_timer(self, timeout: Delay | None) -> None:
        if timeout is not None:
            delay, at = span_of(timeout, "timeout")
            self.turn.effects.laters.append(Later(delay=delay, at=at, name=self._journal.waiting))

    def _suspend(self) -> NoReturn:
        self.suspended = True
        if self._shelf is None:
            self._shelf = self.turn.set_aside()  # what a `finally` does now, it does once more when the answer is there
        raise Suspended

    def put_back(self) -> None:
        """For the engine: the turn is what it really is again, however far the function went."""
        if self._shelf is not None:
            self.turn.resume(self._shelf)
            self._shelf = None
        self.turn.happened = self._happened

    def _next(self, op: str, call: str, label: str) -> Entry | None:
        """The journal's entry for what the function does now; None: it does something new."""
        if self.suspended:
            raise Suspended
        number, self._position = self._position, self._position + 1
        if number == len(self._journal.entries):
            return None
        entry = self._journal.entries[number]
        if (entry.op, entry.call) != (op, call):
            where, now = f"step {number + 1}", op if op != "step" else f"{op} {label}"
            was = entry.op if entry.op != "step" else f"{entry.op} {entry.label}"
            reason = f"{where} was {was} and is {now} now" if was != now else f"{where}, {op}, is another one now"
            raise ScriptChanged(
                number + 1, reason, f"{where} was {op_of(entry.op, entry.label)} and is {op_of(op, label)} now"
            )
        return entry

    def _note(self, op: str, call: str, label: str, outcome: dict[str, Any] | None = None) -> None:
        self._journal.entries.append(Entry(op=op, call=call, label=label, outcome=outcome))

    def check_end(self) -> None:
        """For the engine: the function came to its end. Raises ScriptChanged when it had more to do the last time."""
        if self._position < len(self._journal.entries):
            entry = self._journal.entries[self._position]
            where, end = f"step {self._position + 1} was", "and the dialog ends before it now"
            detail = f"{where} {op_of(entry.op, entry.label)} {end}"
            raise ScriptChanged(self._position + 1, f"{where} {entry.op} {end}", detail)


def _wants_turn(function: Callable[..., object]) -> bool:
    """Whether a function for timeouts is written like a handler: its first parameter is called turn, or is one."""
    first = next(iter(inspect.signature(function).parameters.values()), None)
    return first is not None and (first.name == "turn" or "Turn" in str(first.annotation))


def _encoded(message: Outgoing) -> str:
    return encode_message(message).decode()


def _words(messages: Sequence[Outgoing]) -> str:
    return " ".join(str(getattr(each, "text", type(each).__name__)) for each in messages)
