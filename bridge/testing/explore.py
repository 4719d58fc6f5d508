"""The search: one scenario under many seeds, and a failure made as small as it can be."""

from __future__ import annotations

import inspect
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, Protocol, Self, TypeVar

from bridge.testing.decisions import Schedule
from bridge.testing.stage import NotCounted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Sequence
    from types import TracebackType

    from bridge.testing.decisions import Decision, Decisions

_TRIES: Final = 400
"""Runs that are spent on making a failure smaller."""
_BEFORE, _AFTER, _END = 3, 6, 3
"""Lines of the trace that a failure shows: before the last choice that was not calm, from it on, and of the end."""
_READING: Final = " before a look into the store"
_SHIFTS: Final = 25
"""How many choices one fault may have brought along."""
_LAST: Final = 1 << 20
"""Stands for the last option there is."""


class Run(Protocol):
    """One run of a scenario, as the search sees it: a world, and what happened in it."""

    choices: Decisions
    counted: bool

    @property
    def trace(self) -> Sequence[str]:
        """Everything that happened, a line each."""
        ...

    @property
    def turned(self) -> int:
        """The place in the trace of the last choice that was not calm."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def close(self) -> None:
        """End the run."""
        ...


R = TypeVar("R", bound=Run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A run that failed: its schedule, what it chose beside the calm, and all that happened.

    `turned` is the place in the trace of the last choice that was not calm.
    """

    schedule: Schedule
    error: BaseException
    choices: int
    deviations: Sequence[Decision] = field(default=())
    trace: Sequence[str] = field(default=(), repr=False)
    turned: int = 0


class Counterexample(AssertionError):
    """A scenario fails. `found` is the run that failed first, `smallest` the smallest one that still fails so."""

    def __init__(self, found: Failure, smallest: Failure) -> None:
        """Its text tells how to replay both."""
        self.found = found
        self.smallest = smallest
        super().__init__(told(found, smallest))


def told(found: Failure, smallest: Failure) -> str:
    """What a person reads about a failure."""
    error = smallest.error
    lines = [
        f"seed {found.schedule.seed} fails: {type(error).__name__}: {error}".rstrip(": "),
        f"The smallest schedule that still fails, {len(smallest.deviations)} of {smallest.choices} choices not calm:",
        *(f"  choice {each.at}: {each.label}" for each in smallest.deviations),
        "How it went:",
        *(f"  {each}" for each in _shown(smallest)),
        f'Replay it, bit for bit, with replay="{smallest.schedule}" or pytest --world-replay={smallest.schedule}',
        f'and all that the seed did with replay="{found.schedule}".',
    ]
    return "\n".join(lines)


def _shown(failure: Failure) -> list[str]:
    """What happened around the last choice that was not calm, and in the end; what is only read is left out."""
    lines = [(at, line) for at, line in enumerate(failure.trace) if not line.endswith(_READING)]
    turned = sum(at < failure.turned for at, _ in lines)
    first, last = max(0, turned - _BEFORE), turned + _AFTER
    end = max(0, len(lines) - _END)
    parts = [["..."] * (first > 0), [line for _, line in lines[first:last]], ["..."] * (end > last)]
    return [*(each for part in parts for each in part), *(line for _, line in lines[max(last, end) :])]


class Exploration(Generic[R]):
    """What World.explore returns: call it with a scenario, or iterate over its worlds."""

    def __init__(
        self, make: Callable[[Schedule, bool], R], *, seeds: Sequence[Schedule], shrinks: bool, counts: bool
    ) -> None:
        """`make` begins a world, that counts calls or not; `shrinks`: whether a failure is to be made smaller.

        A scenario is asked for its count as soon as it wants one. The body of a loop cannot be run again: its worlds
        count if `counts`.
        """
        self._make = make
        self._seeds = seeds
        self._shrinks = shrinks
        self._open: R | None = None
        self._counts = False
        self._counts_in_loops = counts
        self.current: Schedule | None = None
        """The schedule of the world that is being looked at, while it is."""
        self.runs = 0
        """How many worlds came to a good end."""

    def __call__(self, scenario: Callable[[R], Awaitable[object]]) -> Self:
        """Run a scenario in every world. Raises Counterexample at the first failure."""
        for schedule in self._seeds:
            failure = self.attempt(scenario, schedule)
            if failure is not None:
                smallest = smaller(failure, lambda each: self.attempt(scenario, each)) if self._shrinks else failure
                raise Counterexample(failure, smallest) from smallest.error
            self.runs += 1
        return self

    def __await__(self) -> Generator[None, None, Self]:
        """Nothing is left to be waited for: `await world.explore(scenario)` reads well in an `async def`."""
        yield from ()
        return self

    def __iter__(self) -> Iterator[R]:
        """Each world in turn, for a scenario that is the body of a loop."""
        for schedule in self._seeds:
            self.current = schedule
            self.close()
            self._open = self._make(schedule, self._counts_in_loops)
            random.seed(f"test {schedule.seed}")
            yield self._open
            self.runs += 1
        self.current = None
        self.close()

    async def __aiter__(self) -> AsyncIterator[R]:
        """The same for `async for`."""
        for each in self:
            yield each

    def attempt(self, scenario: Callable[[R], Awaitable[object]], schedule: Schedule) -> Failure | None:
        """One run; None when it came to a good end."""
        state = random.getstate()
        random.seed(f"test {schedule.seed}")
        try:
            with self._make(schedule, self._counts) as world:
                try:
                    _carry_out(scenario(world))
                except Exception as error:  # noqa: BLE001 - a scenario fails in any way it likes
                    return failure_of(world, schedule, error)
                finally:
                    self._counts = world.counted
        except NotCounted:
            self._counts = True
            return self.attempt(scenario, schedule)
        finally:
            random.setstate(state)
        return None

    def failed(self, error: BaseException) -> Failure | None:
        """What is known of the world that a loop was left in by an error; None when it was not left so."""
        if self.current is None or self._open is None:
            return None
        return failure_of(self._open, self.current, error)

    def close(self) -> None:
        """The end of the world that was looked at last."""
        if self._open is not None:
            self._open.close()
            self._open = None


def failure_of(run: Run, schedule: Schedule, error: BaseException) -> Failure:
    """What is kept of a run that failed."""
    taken = run.choices.taken
    return Failure(
        schedule=schedule,
        error=error,
        choices=len(taken),
        deviations=[each for each in taken if each.taken],
        trace=[*run.trace],
        turned=run.turned,
    )


def smaller(failure: Failure, attempt: Callable[[Schedule], Failure | None]) -> Failure:
    """The smallest failure of the same kind that is found by calming choices down.

    First each of them is tried alone, the last one first, since what fails in the end is often the work of one; then
    they are calmed in halves, then one by one.
    """
    best, tries = _written_out(failure), 0

    def is_better(left: dict[int, int]) -> bool:
        nonlocal best, tries
        tries += 1
        found = attempt(Schedule(failure.schedule.seed, left))
        if found is None or type(found.error) is not type(failure.error) or not _is_smaller(found, best):
            return False
        best = _written_out(found)
        return True

    if len(best.deviations) > 1:
        for left in _alone(best.deviations):
            if tries >= _TRIES // 2 or is_better(left):
                break
    size = max(1, len(best.deviations))
    while size:
        start = 0
        while start < len(best.deviations) and tries < _TRIES:
            if not any(is_better(left) for left in _without(best.deviations, start, size)):
                start += size
        size //= 2
    return best


def _alone(deviations: Sequence[Decision]) -> Iterator[dict[int, int]]:
    """Each of them alone, crashes first, where it was and then ever earlier: what the others brought along is gone."""
    for each in sorted(deviations, key=lambda each: (not _is_crash(each), -each.at)):
        for shift in range(min(_SHIFTS, each.at + 1)):
            yield {each.at - shift: _option(each)}


def _without(deviations: Sequence[Decision], start: int, size: int) -> Iterator[dict[int, int]]:
    """What is left without some of them; and again with all that follows earlier, as after a crash less."""
    before, after = deviations[:start], deviations[start + size :]
    for shift in range(_SHIFTS if size == 1 and after else 1):
        yield {each.at: _option(each) for each in before} | {max(0, each.at - shift): _option(each) for each in after}


def _option(choice: Decision) -> int:
    """What to choose for the same to happen in another run: of a crash it is known that it is the last option."""
    return _LAST if _is_crash(choice) else choice.taken


def _is_crash(choice: Decision) -> bool:
    return choice.label.startswith("crash")


def _is_smaller(one: Failure, other: Failure) -> bool:
    return (len(one.deviations), one.choices) < (len(other.deviations), other.choices)


def _written_out(failure: Failure) -> Failure:
    """The same, its schedule saying each choice and leaving none to the seed's dice."""
    chosen = {each.at: each.taken for each in failure.deviations}
    return Failure(
        schedule=Schedule(failure.schedule.seed, chosen),
        error=failure.error,
        choices=failure.choices,
        deviations=failure.deviations,
        trace=failure.trace,
        turned=failure.turned,
    )


def _carry_out(scenario: Awaitable[object]) -> None:
    """Run a coroutine that waits for nothing but its world, whose waiting is over as soon as it begins."""
    if not inspect.iscoroutine(scenario):
        raise TypeError("a scenario is an `async def` that takes the world")
    try:
        while scenario.send(None) is None:
            pass
    except StopIteration:
        return
    finally:
        scenario.close()
    raise TypeError("a scenario awaits nothing but its world; to let time pass: await world.advance(...)")
