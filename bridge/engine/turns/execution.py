"""Runs a bot author's function for no longer than it is allowed, and survives whatever it raises."""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from bridge.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.routing.handlers import Handler

_GRACE: Final = 1.0
"""How long a handler that ran out of time may take to end before it is left behind."""


class TookTooLong(BridgeError):
    """A handler ran out of time; whatever it still does has no effect."""


class Interrupted(BridgeError):
    """A handler was told to stop, because there is something newer; whatever it still does has no effect."""


Stop: TypeAlias = "asyncio.Future[None] | None"
"""Tells a handler to stop when it is done; None: nobody does."""


@dataclass(frozen=True, slots=True)
class _Raised:
    """What a handler raised, as a value: SystemExit and its like would otherwise stop the loop they pass through."""

    error: BaseException


async def run(
    handler: Handler, seconds: float, function: Callable[..., Any], *arguments: object, stop: Stop = None
) -> object:
    """Call `function`, which is `handler` in one way or another: an `async def` as a task, a `def` in a thread.

    Raises:
        TookTooLong: it did not end in time. A task is cancelled, a thread is left behind.
        Interrupted: `stop` was faster. The same happens to it.
        BaseException: whatever the function raised.
    """
    if handler.is_async:
        return await run_task(handler.name, seconds, function, *arguments, stop=stop)
    return await _bounded(handler.name, seconds, _in_thread(handler.name, function, arguments), stop, grace=0)


async def run_task(
    name: str, seconds: float, function: Callable[..., Any], *arguments: object, stop: Stop = None
) -> object:
    """Call an `async def` as a task of that name. Raises as `run` does."""
    task = asyncio.get_running_loop().create_task(_awaited(function, arguments), name=name)
    return await _bounded(name, seconds, task, stop, grace=_GRACE)


class SideThread:
    """The thread of one turn, for whatever of it may block: started when it is first needed.

    All of it runs in the same thread, because some things may only be used where they were made.
    """

    def __init__(self, name: str) -> None:
        """Nothing is started yet."""
        self._name = name
        self._context = contextvars.copy_context()
        self._calls: queue.SimpleQueue[Callable[[], None] | None] | None = None

    async def call(self, function: Callable[..., Any], *arguments: object, **named: object) -> Any:  # noqa: ANN401 - whatever it returns
        """Run a function there, after what was asked for before; raises what it raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        work = _answering(loop, future, lambda: self._context.run(function, *arguments, **named))
        if _runs_inline(loop):
            loop.call_soon(work)
            return _value(await future)
        if self._calls is None:
            self._calls = queue.SimpleQueue()
            threading.Thread(target=_work_off, args=(self._calls,), name=self._name, daemon=True).start()
        self._calls.put(work)
        return _value(await future)

    def end(self) -> None:
        """Let the thread end when it is done with what it was asked."""
        if self._calls is not None:
            self._calls.put(None)


def _work_off(calls: queue.SimpleQueue[Callable[[], None] | None]) -> None:
    while (call := calls.get()) is not None:
        call()


async def _bounded(name: str, seconds: float, running: asyncio.Future[Any], stop: Stop, *, grace: float) -> object:
    """The result of what runs, unless it takes too long or is stopped; then it is cancelled, and has `grace` to end."""
    awaited = {running} if stop is None else {running, stop}
    try:
        await asyncio.wait(awaited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        running.cancel()
        raise
    if not running.done():
        running.cancel()
        running.add_done_callback(_unheard)
        if grace:
            await asyncio.wait({running}, timeout=grace)
        if stop is not None and stop.done():
            raise Interrupted(f"{name} was interrupted")
        raise TookTooLong(f"{name} took longer than {seconds:g} s")
    result = _Raised(asyncio.CancelledError()) if running.cancelled() else running.result()
    if isinstance(result, _Raised) and isinstance(result.error, asyncio.CancelledError):
        raise BridgeError(f"{name} cancelled itself")  # it would pass for somebody cancelling us
    return _value(result)


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


def _in_thread(name: str, function: Callable[..., Any], arguments: tuple[object, ...]) -> asyncio.Future[Any]:
    """Run a blocking function in a thread of its own.

    Not a pool: handlers that hang would fill it, and harm others; and a daemon thread never holds up the exit.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()
    work = _answering(loop, future, lambda: context.run(function, *arguments))
    if _runs_inline(loop):
        loop.call_soon(work)
    else:
        threading.Thread(target=work, name=name, daemon=True).start()
    return future


def _runs_inline(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the loop is a simulation's, where nothing may race and nobody is held up by what blocks."""
    return getattr(loop, "runs_inline", False)


def _answering(
    loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], function: Callable[[], Any]
) -> Callable[[], None]:
    """A function for another thread: calls `function`, and puts what becomes of it into `future`."""

    def finish(result: object) -> None:
        if not future.done():
            future.set_result(result)

    def call() -> None:
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - handed over as a value
            result = _Raised(error)
        if not loop.is_closed():
            loop.call_soon_threadsafe(finish, result)

    return call
