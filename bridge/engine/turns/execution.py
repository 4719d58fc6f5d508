"""Runs a bot author's function within its bounds, and survives whatever it raises."""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, TypeAlias

from bridge.conversation.exceptions import Interrupted, TookTooLong
from bridge.errors import BridgeError
from bridge.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bridge.engine.patience import Patiences
    from bridge.routing.handlers import Handler

_GRACE: Final = 1.0
"""How long a handler that ran out of time may take to end before it is left behind."""


Stop: TypeAlias = "asyncio.Future[None] | None"
"""A handler stops as soon as this is done; None: it is never stopped."""


class NoThread(BaseException):
    """A function cannot get a thread now; its turn begins again later. No `except Exception` of an author hears it."""


class Ticket(Protocol):
    """Counts the calls of one turn, so that those that outlive it are known."""

    def check(self) -> None:
        """Raise NoThread when too many calls have outlived their turns."""
        ...

    def begin(self) -> None:
        """A call begins."""
        ...

    def end(self) -> None:
        """A call ended, maybe after its turn."""
        ...


class _NoTicket:
    """Implements Ticket: of what no turn asks for."""

    def check(self) -> None: ...

    def begin(self) -> None: ...

    def end(self) -> None: ...


_NO_TICKET: Final = _NoTicket()
TICKET: Final[contextvars.ContextVar[Ticket]] = contextvars.ContextVar("ticket", default=_NO_TICKET)
"""Of the turn that runs, from where it begins something that may outlive it."""


@dataclass(frozen=True, slots=True)
class _Raised:
    """What a handler raised, as a value: SystemExit and its like would otherwise stop the loop they pass through."""

    error: BaseException


class Worker(Protocol):
    """Runs several calls, one after the other in the same place: some things may only be used where they were made."""

    def put(self, call: Callable[[], None]) -> None:
        """Run a call after those before it."""
        ...

    def end(self) -> None:
        """End after the last call."""
        ...


class Executor(Protocol):
    """Where functions run that may block: neither a call nor a worker holds up the event loop."""

    def start(self, call: Callable[[], None], name: str) -> None:
        """Run one call."""
        ...

    def worker(self, name: str) -> Worker:
        """Begin a worker."""
        ...


class Threads:
    """Implements Executor: each call and each worker has a thread of its own.

    Not a pool: handlers that hang would fill it, and harm others; and a daemon thread never holds up the exit.
    """

    def start(self, call: Callable[[], None], name: str) -> None:
        """Run one call. Raises NoThread when the system has no thread for it."""
        try:
            threading.Thread(target=call, name=name, daemon=True).start()
        except RuntimeError as error:  # a new thread is started once: the system refused it
            raise NoThread(str(error)) from None

    def worker(self, name: str) -> Worker:
        """Begin a worker."""
        worker = _ThreadWorker()
        self.start(worker.work, name)
        return worker


class _ThreadWorker:
    """Implements Worker."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    def put(self, call: Callable[[], None]) -> None:
        self._calls.put(call)

    def end(self) -> None:
        self._calls.put(None)

    def work(self) -> None:
        """The thread."""
        while (call := self._calls.get()) is not None:
            call()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What ends an author's function early: `seconds` on the clock, by one of `patiences`, or `stop`.

    `ticket` counts what it calls.
    """

    seconds: float
    patiences: Patiences
    stop: Stop
    ticket: Ticket


def run(
    handler: Handler, executor: Executor, bounds: Bounds, function: Callable[..., Any], *arguments: object
) -> Awaitable[object]:
    """Call `function`, which is `handler` in one way or another: an `async def` as a task, a `def` in the executor.

    Raises:
        TookTooLong: it did not end in time. A task is cancelled, a thread is left behind.
        Interrupted: `stop` was faster. The same happens to it.
        NoThread: no thread is left for it.
        BaseException: whatever the function raised.
    """
    if not handler.may_wait:
        return _run_through(handler.name, function, arguments)
    if handler.is_async:
        return run_task(handler.name, bounds, function, *arguments)
    TICKET.set(bounds.ticket)
    future = _begun(
        lambda call: executor.start(call, handler.name), contextvars.copy_context(), function, arguments, {}
    )
    return _bounded(handler.name, bounds, future, grace=0)


def run_task(name: str, bounds: Bounds, function: Callable[..., Any], *arguments: object) -> Awaitable[object]:
    """Call an `async def` as a task of that name. Raises as `run` does."""
    TICKET.set(bounds.ticket)  # until the next one in this task: a token would not fit the context of a loop that died
    task = asyncio.get_running_loop().create_task(_awaited(function, arguments), name=name)
    return _bounded(name, bounds, task, grace=_GRACE)


async def _run_through(name: str, function: Callable[..., Any], arguments: tuple[object, ...]) -> object:
    """Call an `async def` that awaits nothing: no time could be up before its end, so it takes no task and no alarm."""
    task = asyncio.current_task()
    assert task is not None
    cancelled, has_ended, value = task.cancelling(), False, None
    try:
        contextvars.copy_context().run(function(*arguments).send, None)
    except StopIteration as end:
        has_ended, value = True, end.value
    except asyncio.CancelledError:
        pass
    finally:
        if task.cancelling() > cancelled:
            has_ended = False
            await _uncancelled(task, cancelled)
    if not has_ended:
        raise _cancelled_itself(name)
    return value


async def _uncancelled(task: asyncio.Task[Any], cancelled: int) -> None:
    """Let a task go on that an author's function cancelled: it is ours."""
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
    while task.cancelling() > cancelled:
        task.uncancel()


class Blocking:
    """The worker of one turn, for whatever of it may block: begun when it is first needed."""

    def __init__(self, executor: Executor, name: str) -> None:
        """Nothing is begun yet."""
        self._executor = executor
        self._name = name
        self._context = contextvars.copy_context()
        self._worker: Worker | None = None

    async def call(self, function: Callable[..., Any], *arguments: object, **named: object) -> Any:  # noqa: ANN401 - whatever it returns
        """Run a function there, after the functions before it; raises what it raises, or NoThread."""
        if self._worker is None:
            self._worker = self._executor.worker(self._name)
        return _value(await _begun(self._worker.put, self._context, function, arguments, named))

    def end(self) -> None:
        """Let the worker end after its last call."""
        if self._worker is not None:
            self._worker.end()


async def _bounded(name: str, bounds: Bounds, running: asyncio.Future[Any], *, grace: float) -> object:
    """The result of what runs, unless it takes too long or is stopped; then it is cancelled, and has `grace` to end.

    Every turn waits here: asyncio.wait would make sets, and a timer of its own for each.
    """
    stop, patience = bounds.stop, bounds.patiences.of(bounds.seconds)
    waiter = asyncio.get_running_loop().create_future()

    def wake(_: object = None) -> None:
        if not waiter.done():
            waiter.set_result(None)

    patience.begin(wake)
    running.add_done_callback(wake)
    if stop is not None:
        stop.add_done_callback(wake)
    try:
        await waiter
    except asyncio.CancelledError:
        running.cancel()
        raise
    finally:
        patience.end(wake)
        running.remove_done_callback(wake)
        if stop is not None:
            stop.remove_done_callback(wake)
    if not running.done():
        await _ended_early(name, bounds, running, grace)
    result = _Raised(asyncio.CancelledError()) if running.cancelled() else running.result()
    if not isinstance(result, _Raised):
        return result
    if isinstance(result.error, asyncio.CancelledError):
        raise _cancelled_itself(name)
    raise result.error


def _cancelled_itself(name: str) -> BridgeError:
    """The error that would else pass for somebody cancelling us."""
    return BridgeError(f"{name} cancelled itself")


async def _ended_early(name: str, bounds: Bounds, running: asyncio.Future[Any], grace: float) -> NoReturn:
    """Cancel what runs, and leave it behind when it does not end."""
    running.cancel()
    running.add_done_callback(_unheard)
    if grace:
        await asyncio.wait({running}, timeout=grace)
    if not running.done():
        ticket = TICKET.get()
        ticket.begin()
        running.add_done_callback(lambda _: ticket.end())
    if bounds.stop is not None and bounds.stop.done():
        raise Interrupted(f"{name} was interrupted")
    raise TookTooLong(f"{name} took longer than {bounds.seconds:g} s")


def _unheard(left_behind: asyncio.Future[Any]) -> None:
    """Take notice of what it raises in the end, or asyncio prints it, with whatever words are in it."""
    if not left_behind.cancelled():
        left_behind.exception()


def _value(result: object) -> object:
    if isinstance(result, _Raised):
        raise result.error
    return result


async def _awaited(function: Callable[..., Any], arguments: tuple[object, ...]) -> object:
    try:
        return await function(*arguments)
    except (asyncio.CancelledError, Exception):
        raise
    except BaseException as error:  # noqa: BLE001 - see _Raised
        return _Raised(error)


def _begun(
    start: Callable[[Callable[[], None]], None],
    context: contextvars.Context,
    function: Callable[..., Any],
    arguments: tuple[object, ...],
    named: dict[str, object],
) -> asyncio.Future[Any]:
    """A call that an executor was given by `start`: the future of its result."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    ticket = TICKET.get()

    def finish(result: object) -> None:
        ticket.end()
        if not future.done():
            future.set_result(result)

    def call() -> None:
        result: object = None
        if not future.cancelled():  # else its turn ended while it waited for its thread
            try:
                result = context.run(function, *arguments, **named)
            except BaseException as error:  # noqa: BLE001 - handed over as a value
                result = _Raised(error)
        if not loop.is_closed():
            loop.call_soon_threadsafe(finish, result)

    ticket.check()
    ticket.begin()
    try:
        start(call)
    except BaseException:
        ticket.end()
        raise
    return future
