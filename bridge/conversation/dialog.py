"""Durable dialogs: linear functions that ask, and go on after the answer, a restart or a deploy in between."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypedDict, TypeVar, Unpack, overload

from bridge.conversation.questions import Question, accepted, check_titles, choices_of
from bridge.conversation.suspension import Ended
from bridge.conversation.turn import as_messages, is_turn
from bridge.errors import HandlerError, NoAnswer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bridge.conversation.effects import Delay
    from bridge.conversation.playback import Playback
    from bridge.conversation.spending import Paid, Spending
    from bridge.conversation.turn import Reply, Turn
    from bridge.events import Message, MessageKind

_LONGEST_NAME: Final = 200
"""Characters of a signal's name; see bridge.engine.signals."""
T = TypeVar("T")
C = TypeVar("C")


class Waiting(TypedDict, total=False):
    """How long a question waits, and what is said meanwhile: for type checkers, see `Dialog.ask`."""

    retry: Reply | None
    timeout: Delay | None
    on_timeout: Callable[..., object] | Reply | None


class Dialog:
    """What the function of a dialog holds: `async def refund(d: Dialog, no: int)`, under `@router.dialog(version=1)`.

    The function is ordinary, linear Python; it is run again from its beginning whenever the contact answers, with all
    that happened before played back to it, up to the question that waits. So what it does must follow from its
    arguments, the answers and the results of its steps alone: time, chance and the world outside belong into `step`.
    A function that no longer does what it did is noticed at the first difference.
    """

    def __init__(self, playback: Playback) -> None:
        """Hold what plays the journal back."""
        self._playback = playback

    @property
    def turn(self) -> Turn[Any, Any]:
        """The turn, as in a handler. While the past is played back it is the turn of then, and has no effect."""
        return self._playback.turn

    async def say(self, *messages: Reply) -> None:
        """Say something, as `turn.reply` does; it leaves exactly once."""
        await self._playback.say(as_messages(messages))

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

    @overload
    async def ask(
        self,
        prompt: Reply,
        *,
        accept: MessageKind | Sequence[MessageKind],
        parse: None = None,
        choices: None = None,
        **waiting: Unpack[Waiting],
    ) -> Message: ...

    @overload
    async def ask(
        self,
        prompt: Reply,
        *,
        accept: MessageKind | Sequence[MessageKind],
        parse: None = None,
        choices: Sequence[C],
        **waiting: Unpack[Waiting],
    ) -> Message | C: ...

    async def ask(
        self,
        prompt: Reply,
        *,
        parse: Callable[[str], Any] | None = None,
        choices: Sequence[object] | None = None,
        retry: Reply | None = None,
        timeout: Delay | None = None,  # noqa: ASYNC109 - of an answer, days from now
        on_timeout: Callable[..., object] | Reply | None = None,
        accept: MessageKind | Sequence[MessageKind] | None = None,
    ) -> Any:
        """Ask, and return the answer: the words, what `parse` makes of them, or the one of `choices` that was meant.

        A choice is pressed, or typed as its number or its title. When `parse` raises, or nothing was chosen (and there
        is no `parse` to read the words), `retry` is said, or the prompt again, and the question stays open. After
        `timeout` (as in `turn.after`) NoAnswer is raised here; with `on_timeout` that is said, or called with the
        dialog, and the dialog ends. The answer's own event is `turn.event`, for media and the like.

        Words are a text or a caption with something to read; anything else is no answer. With `accept="image"` (or
        several kinds) a message of that kind is the answer, and it is returned as it is.

        Raises:
            HandlerError: choices that cannot be told apart, or a timeout that is none.
            NoAnswer: nobody answered in time.
        """
        titles, values = choices_of(choices) if choices is not None else ((), ())
        kinds = accepted(accept, parse)
        return await self._ask(prompt, parse, titles, values, retry, timeout, on_timeout, kinds)

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
        self,
        function: Callable[..., Awaitable[T | Paid[T]]],
        *arguments: object,
        key: str | None = None,
        once: bool = False,
        spending: Spending | None = None,
    ) -> T: ...

    @overload
    async def step(
        self,
        function: Callable[..., T | Paid[T]],
        *arguments: object,
        key: str | None = None,
        once: bool = False,
        spending: Spending | None = None,
    ) -> T: ...

    async def step(
        self,
        function: Callable[..., Any],
        *arguments: object,
        key: str | None = None,
        once: bool = False,
        spending: Spending | None = None,
    ) -> Any:
        """Do something outside: call `function(*arguments)`, once if all goes well, and keep its result.

        It is noted before and after, so that neither a restart nor a turn that fails later repeats it; only one that
        did not end is repeated (it raised, took too long, was interrupted, or the process died), and then under the
        same `key`. A function that has a parameter `key` is given it, to be
        handed on as an idempotency key (made up when left out). With `once=True` it is never repeated: when nobody
        knows whether it happened, the thread is handed to a person and the dialog ends. An error it raises is raised
        here, and is played back like a result if the dialog goes on after it. A `def` runs in a thread.

        The result has to be JSON. With `spending` the step is taken only if its budgets have enough left: what it
        costs at most is charged before, with the note that it begins, and what it did cost after.

        Raises:
            HandlerError: it is not JSON.
            BudgetSpent: a budget has not enough left. The step was not taken.
        """
        return await self._playback.step(function, arguments, key, once=once, spending=spending)

    async def wait(self, event_name: str, *, timeout: Delay | None = None) -> Any:  # noqa: ANN401, ASYNC109 - any JSON; days from now
        """Wait for a signal of a name, and return its data: `paid = await d.wait("paid", timeout="2d")`.

        It comes by `POST /api/v1/threads/{id}/events`, or by `bridge.signal`; its own event is `turn.event`. Meanwhile
        the contact's words go to the rules, as without a dialog. A signal that nothing waits for is not kept.

        Raises:
            HandlerError: a name that is no text of 1 to 200 characters, or a timeout that is none.
            NoAnswer: it did not come in time.
        """
        if not 0 < len(event_name) <= _LONGEST_NAME:
            raise HandlerError(f"wait() takes the name of a signal, a text of 1 to {_LONGEST_NAME} characters")
        data, is_late = await self._playback.wait(event_name, timeout)
        if is_late:
            raise NoAnswer(f"the signal {event_name} did not come in time")
        return data

    async def handoff(self, note: str = "") -> None:
        """Give the thread to a person, as `turn.handoff` does; the dialog goes on, if it asks anything, after that."""
        await self._playback.handoff(note)

    async def _ask(
        self,
        prompt: Reply,
        parse: Callable[[str], Any] | None,
        titles: tuple[str, ...],
        values: tuple[Any, ...],
        retry: Reply | None,
        timeout: Delay | None,  # noqa: ASYNC109 - the same
        on_timeout: Callable[..., object] | Reply | None,
        accept: frozenset[str] = frozenset(),
    ) -> Any:  # noqa: ANN401 - whatever is answered
        question = Question(
            prompt=as_messages((prompt,)),
            titles=titles,
            values=values,
            parse=parse,
            accept=accept,
            retry=as_messages((retry,)) if retry is not None else (),
        )
        answer = await self._playback.ask(question, timeout)
        if answer.is_late:
            await self._late(on_timeout)
        return await self._playback.read(answer)

    async def _late(self, on_timeout: Callable[..., object] | Reply | None) -> NoReturn:
        if on_timeout is None:
            raise NoAnswer("nobody answered in time")
        reply: Any = on_timeout
        if callable(on_timeout):
            reply = on_timeout(self.turn if _wants_turn(on_timeout) else self)
            reply = await reply if inspect.isawaitable(reply) else reply
        if reply is not None:
            await self.say(reply)
        raise Ended


def _wants_turn(function: Callable[..., object]) -> bool:
    """Whether a function for timeouts is written like a handler: its first parameter is named turn, or is a Turn."""
    try:
        signature = inspect.signature(function, eval_str=True)
    except Exception:  # noqa: BLE001 - an annotation may be imported for type checkers only, and raise anything
        signature = inspect.signature(function)
    first = next(iter(signature.parameters.values()), None)
    return first is not None and (first.name == "turn" or is_turn(first.annotation))
