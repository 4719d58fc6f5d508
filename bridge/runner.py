"""Runs a bot author's function for no longer than it is allowed, and survives whatever it raises."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bridge.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.calling import Handler

_GRACE: Final = 1.0
"""How long a handler that ran out of time may take to end before it is left behind."""


class TookTooLong(BridgeError):
    """A handler ran out of time; whatever it still does has no effect."""


@dataclass(frozen=True, slots=True)
class _Raised:
    """What a handler raised, as a value: SystemExit and its like would otherwise stop the loop they pass through."""

    error: BaseException


async def run(handler: Handler, seconds: float, function: Callable[..., Any], *arguments: object) -> object:
    """Call `function`, which is `handler` in one way or another: an `async def` as a task, a `def` in a thread.

    Raises:
        TookTooLong: it did not end in time. A task is cancelled, a thread is left behind.
        BaseException: whatever the function raised.
    """
    loop = asyncio.get_running_loop()
    running: asyncio.Future[Any]
    if handler.is_async:
        running = loop.create_task(_awaited(function, arguments), name=handler.name)
    else:
        running = _in_thread(loop, handler.name, function, arguments)
    try:
        done, _ = await asyncio.wait({running}, timeout=seconds)
    except asyncio.CancelledError:
        running.cancel()
        raise
    if not done:
        running.cancel()
        if handler.is_async:
            await asyncio.wait({running}, timeout=_GRACE)
        raise TookTooLong(f"{handler.name} took longer than {seconds:g} s")
    result = _Raised(asyncio.CancelledError()) if running.cancelled() else running.result()
    if isinstance(result, _Raised):
        if isinstance(result.error, asyncio.CancelledError):  # it would pass for somebody cancelling us
            raise BridgeError(f"{handler.name} cancelled itself")
        raise result.error
    return result


async def _awaited(function: Callable[..., Any], arguments: tuple[object, ...]) -> object:
    try:
        return await function(*arguments)
    except (asyncio.CancelledError, Exception):
        raise
    except BaseException as error:  # noqa: BLE001 - see _Raised
        return _Raised(error)


def _in_thread(
    loop: asyncio.AbstractEventLoop, name: str, function: Callable[..., Any], arguments: tuple[object, ...]
) -> asyncio.Future[Any]:
    """Run a blocking function in a thread of its own.

    Not a pool: handlers that hang would fill it, and harm others; and a daemon thread never holds up the exit.
    """
    future: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def finish(result: object) -> None:
        if not future.done():
            future.set_result(result)

    def call() -> None:
        try:
            result = context.run(function, *arguments)
        except BaseException as error:  # noqa: BLE001 - handed over as a value
            result = _Raised(error)
        if not loop.is_closed():
            loop.call_soon_threadsafe(finish, result)

    threading.Thread(target=call, name=name, daemon=True).start()
    return future
