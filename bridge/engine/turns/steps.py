"""The steps of dialogs: the store notes each before and after it, so that none that acted is taken again."""

from __future__ import annotations

import asyncio
import inspect
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.conversation.journal import name_of
from bridge.conversation.spending import Paid
from bridge.engine.turns.execution import Blocking
from bridge.errors import HandlerError, Unavailable
from bridge.log import log
from bridge.store.records import StepRow
from bridge.store.spending import Charge
from bridge.strict_json import not_json
from bridge.units import moment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from bridge.clock import Clock
    from bridge.conversation.spending import Spending
    from bridge.conversation.suspension import StoreWatch
    from bridge.engine.turns.execution import Executor
    from bridge.store.port import Store

RUNS: Final = uuid.UUID("5c0f8f0e-6a1d-5d57-9d5b-0f3f4f2f3b77")
"""The namespace of runs and of the keys of their steps; it never changes, or steps would be repeated as new ones."""
_STORE_SECONDS: Final = 0.5
"""How long a step's result waits for a store that is unavailable, before the next try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepsInStore:
    """Implements SideEffects for one dialog: the store notes each step before and after it."""

    store: Store
    clock: Clock
    executor: Executor
    account: str
    thread_id: int
    run: str
    watch: StoreWatch
    endings: dict[tuple[str, int], asyncio.Task[None]]
    """By run and position, the steps that acted and whose result the store has not taken yet."""

    async def take(
        self,
        call: str,
        position: int,
        function: Callable[..., object],
        arguments: tuple[object, ...],
        key: str | None,
        spending: Spending | None,
    ) -> Any:  # noqa: ANN401 - what the function returns
        """Call a function and keep what it returns, unless that is kept already."""
        now = self.clock.now()
        made_up = str(uuid.uuid5(RUNS, f"{self.run}\n{position}\n{call}"))
        step = StepRow(
            thread_id=self.thread_id,
            run=self.run,
            position=position,
            call=call,
            key=key or made_up,
            at=now,
            charges=() if spending is None else tuple(self._charges(spending, now)),
        )
        with self.watch.signals():
            if (ending := self.endings.get((self.run, position))) is not None:
                await asyncio.shield(ending)
            noted = await self.store.start_step(step)
        if noted is not None and noted.result is not None:
            return orjson.loads(noted.result)
        step = step if noted is None else replace(noted, charges=step.charges)
        named = {"key": step.key} if _takes_key(function) else {}
        value: Any = await _called(self.executor, function, arguments, named)
        cost = 0 if spending is None else spending.most
        if isinstance(value, Paid):
            value, cost = value.value, value.cost
        if problem := not_json(value, f"the result of {name_of(function)}"):
            raise HandlerError(f"a step's result is kept as JSON: {problem}")
        result = orjson.dumps(value)
        await self._end(replace(step, result=result, cost=cost))
        return orjson.loads(result)

    def _charges(self, spending: Spending, now: int) -> Iterator[Charge]:
        for budget in spending.budgets:
            yield Charge(
                account=self.account,
                budget=budget.name,
                period=budget.period(moment(now)),
                amount=spending.most,
                limit=budget.limit,
            )

    async def _end(self, step: StepRow) -> None:
        """Note the result. A turn that is cut short meanwhile leaves that to a task: the step has acted."""
        place = (self.run, step.position)
        ending = asyncio.get_running_loop().create_task(self._record(step), name="end of a step")
        self.endings[place] = ending
        ending.add_done_callback(lambda ended: (self.endings.pop(place, None), ended.cancelled() or ended.exception()))
        with self.watch.signals():
            await asyncio.shield(ending)

    async def _record(self, step: StepRow) -> None:
        """Write, and wait for a store that is unavailable: what happened outside must not be lost."""
        while True:
            try:
                return await self.store.end_step(step)
            except Unavailable as error:
                log.warning("store_unavailable", thread=self.thread_id, reason=str(error))
                await self.clock.sleep(_STORE_SECONDS)

    async def is_doubtful(self, position: int) -> bool:
        """Whether a step was begun there and its end is not known."""
        with self.watch.signals():
            noted = await self.store.steps(self.thread_id)
        return any(step.run == self.run and step.position == position and step.result is None for step in noted)


async def _called(
    executor: Executor, function: Callable[..., object], arguments: tuple[object, ...], named: dict[str, str]
) -> object:
    """Call a function; one that may block runs in the executor."""
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004 - whether that is async
        awaited: Awaitable[object] = function(*arguments, **named)  # type: ignore[assignment]
        return await awaited
    blocking = Blocking(executor, name_of(function))
    try:
        value = await blocking.call(function, *arguments, **named)
    finally:
        blocking.end()
    return await value if inspect.isawaitable(value) else value


def _takes_key(function: Callable[..., object]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(
        parameter.kind is parameter.VAR_KEYWORD
        or (parameter.name == "key" and parameter.kind is not parameter.POSITIONAL_ONLY)
        for parameter in parameters
    )
