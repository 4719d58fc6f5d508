"""Where a world's story takes place: one thing happens after the other, and the choices say which, and what fails."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from functools import cache, partial
from random import Random
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar, runtime_checkable

from bridge.emulation.files import Files
from bridge.engine.media.contents import Memory
from bridge.store.opening import volatile_type
from bridge.testing.life import Life, Setting
from bridge.testing.surroundings import LASTING, Surroundings
from bridge.units import SECOND

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Sequence
    from types import CodeType, FrameType

    from bridge.providers.port import Emulator, Hook
    from bridge.routing.router import Router
    from bridge.testing.blueprint import Blueprint
    from bridge.testing.decisions import Decisions
    from bridge.testing.faults import FaultBudget
    from bridge.testing.life import Point

T = TypeVar("T")

_Option: TypeAlias = "tuple[str, float, Callable[[], None]]"
"""Something that may happen next: what it is, how much it weighs, and what to do."""

_REPEAT: Final = SECOND
"""After how long a provider posts a webhook again that was not answered 200."""
_LIKELY, _RARE = 0.12, 0.04
"""How much a fault, and a crash, weigh in a choice, beside 1 for each thing that would happen otherwise."""
_INSIDE: Final = 60 * SECOND
"""How much time may pass, if it must, while a test does something of its own inside: longer than a slow store takes."""
_LOOK: Final = "before a look into the store"
_NO_END: Final = 200_000
"""Steps after which a story is said to have no end."""


class NotCounted(BaseException):
    """The scenario asks for a count in a world that does not keep one; it is run again in one that does."""


class Stuck(AssertionError):
    """Something is not done, and will not be in any reasonable time."""


@dataclass(slots=True, eq=False)
class Posting:
    """A webhook on its way to the bridge: posted once those it comes `after` are done, until it is answered 200."""

    account: str
    hook: Hook
    label: str
    after: Sequence[Posting] = ()
    not_before: int = 0
    done: bool = False
    task: asyncio.Task[bool] | None = None


@runtime_checkable
class _Profiler(Protocol):
    """A profiler like cProfile's, which is not put back as a function is."""

    def enable(self) -> object: ...


class Stage:
    """The outside of a bridge, and one life of it after the other."""

    def __init__(self, blueprint: Blueprint, choices: Decisions, faults: FaultBudget, *, counts: bool) -> None:
        """Begin without a life. `counts`: calls of Python functions are counted, which takes its time."""
        seed = choices.schedule.seed
        self.choices = choices
        self.faults = faults
        self.trace: list[str] = []
        self.turned = 0
        """Where in the trace the last choice that was not calm took effect."""
        self.log: list[dict[str, object]] = []
        self.errors: list[BaseException] = []
        self.calls: Counter[CodeType] = Counter()
        self.counts = counts
        self._begins: dict[CodeType, int] = {}
        self.surroundings = Surroundings()
        self._lasting = any(each in faults for each in LASTING)
        self.emulators: dict[str, Emulator] = {
            name: blueprint.emulator(name, lambda: self.now, Random(f"{name} {seed}")) for name in blueprint.accounts
        }
        self.files = {name: Files(lambda: self.now) for name in blueprint.accounts}
        self.contents = Memory()
        """The bytes of media, which outlive the process."""
        self.events: list[dict[str, Any]] = []
        """What followers were told, in the order in which they took it."""
        self._blueprint = blueprint
        self._seed = seed
        self._haste = choices.temper()
        self._now = self._begin = blueprint.at
        self._store = _maker()()
        self._lives: list[Life] = []
        self._life: Life | None = None
        self._postings: list[Posting] = []
        self._posted: list[Posting] = []
        """Those of them that were not answered yet."""
        self._steps = 0

    @property
    def now(self) -> int:
        """Virtual time in microseconds since 1970."""
        return self._now if self._life is None else self._life.loop.now

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is on its way, and nothing is waiting for another attempt."""
        if self._life is None or self._postings:
            return not self._postings
        return self._life.serves and not self._life.points and self._store.open_rows() == 0

    def begin(self, router: Router | None) -> None:
        """Start the bridge, if none is alive."""
        if self._life is not None:
            return
        if router is None:
            raise ValueError("this world has no bot: World(router), world.use(router), or a fixture named router")
        self._router = router
        setting = Setting(
            config=self._blueprint.config,
            router=router,
            emulators=self.emulators,
            log=self.log,
            errors=self.errors,
            files=self.files,
            contents=self.contents,
            events=self.events,
            make=self._blueprint.make,
            ahead=lambda: self.surroundings.ahead,
        )
        self._life = Life(setting, self._now, f"bridge {self._seed} {len(self._lives)}")
        self._lives.append(self._life)
        self._note("the bridge starts")
        self._life.start(self._store)

    def post(self, posting: Posting) -> None:
        """A webhook to be posted."""
        self._postings.append(posting)

    def step(self, *, may_wait: int | None = None) -> bool:
        """Let one thing happen; whether there was one.

        With `may_wait`, webhooks may also be held up while time passes, until then at the latest.
        """
        options = self._options()
        if may_wait is not None and options and not self.life.points:
            at = self._next_at()
            if at is not None and at <= may_wait:
                options.append(("the webhooks are held up", _LIKELY, partial(self.jump, at)))
        if not options:
            return False
        self._steps += 1
        if self._steps > _NO_END:
            raise Stuck(f"{_NO_END} steps, and no end of it")
        taken = self.choices.pick(options)
        if taken:
            self.turned = len(self.trace)
        label, _, do = options[taken]
        self._note(label)
        do()
        self._go_on()
        return True

    def pass_time(self, until: int) -> bool:
        """Jump to the next thing that has a time, if it is not after `until`; whether there was one."""
        at = self._next_at()
        if at is None or at > until:
            return False
        self.jump(at)
        return True

    def jump(self, at: int) -> None:
        """Let time pass."""
        if at > self.life.loop.now:
            self.life.loop.now = at
            self._note("time passes")
        self._go_on()

    def inside(self, work: Coroutine[Any, Any, T]) -> T:
        """Carry out something of a test's own in the bridge's loop, and nothing beside it if that can be."""
        task = self.life.loop.begin(work, "inside")
        others, deadline = [*self.life.points], self.now + _INSIDE
        self._go_on()
        while not task.done():
            own = [each for each in self.life.points if each not in others]
            if own or others:
                (own or others)[0].go()
                self._go_on()
            elif not self.pass_time(deadline):  # it may wait behind a store that is slow
                task.cancel()
                self._go_on()
                raise Stuck("what is to be done inside waits for something that does not happen")
            others = [each for each in others if each in self.life.points]
        found: T = task.result()
        return found

    def crash(self, down: int = 0) -> None:
        """Let the process die, and another one start later (microseconds): what was committed is all that is left."""
        self._restart(down)

    def _restart(self, down: int = 0) -> None:
        life = self.life
        life.points.clear()
        self._now, self._life = life.loop.now + down, None
        for each in self._posted:
            each.task, each.not_before = None, self._now + _REPEAT
        self._posted.clear()
        self.begin(self._router)

    def close(self) -> None:
        """End all lives, and forget the store."""
        for each in self._lives:
            each.vanish()
        self._store.close()

    @property
    def life(self) -> Life:
        """The one that is alive."""
        assert self._life is not None, "begin() comes first"
        return self._life

    def _options(self) -> list[_Option]:
        """What may happen next: first what happens when all is calm."""
        life, ready = self.life, self._ready()
        points, now = life.points, life.loop.now
        options: list[_Option] = [(point.label, 1.0, partial(self.surroundings.let, point, now)) for point in points]
        options += [(posting.label, self._haste, partial(self._deliver, posting)) for posting in ready]
        if options and self.faults:
            for point in points:
                options += self._faults_at(point)
            options += self._other_faults(ready)
        return options

    def _ready(self) -> list[Posting]:
        """The webhooks that may arrive now."""
        if not self._postings or not self.life.started.done():
            return []
        now = self.now
        waiting = [each for each in self._postings if each.task is None and each.not_before <= now]
        return [each for each in waiting if not each.after or all(before.done for before in each.after)]

    def _faults_at(self, point: Point) -> list[_Option]:
        """What may go wrong where something waits."""
        label = point.label
        if point.kind == "store" and not label.startswith("before"):
            return []
        faults: list[tuple[str, str, Callable[[], None]]] = [
            (fault, what, partial(point.go, verdict))
            for fault, verdict, what in _AT_POINTS[point.kind]
            if fault in self.faults
        ]
        if not self.life.started.done() or label == _LOOK:  # a bridge that cannot start ends: that is a crash
            faults = [each for each in faults if each[0] != "store_fails"]
        if point.kind == "request" and self._lasting:
            faults += [each for each in self.surroundings.at_request(point, self.now) if each[0] in self.faults]
        return [(f"{what} ({label})", _LIKELY, partial(self._spend, fault, do)) for fault, what, do in faults]

    def _spend(self, fault: str, do: Callable[[], None]) -> None:
        self.faults.spend(fault)
        do()

    def _other_faults(self, ready: Sequence[Posting]) -> list[_Option]:
        found: list[_Option] = []
        life = self.life
        if "duplicate" in self.faults:
            weight = _LIKELY * self._haste
            found += [(f"{each.label}, to be repeated", weight, partial(self._repeat, each)) for each in ready]
        if self._lasting and life.serves:
            found += [
                (what, _RARE, partial(self._spend, fault, do))
                for fault, what, do in self.surroundings.at_any_time(life)
                if fault in self.faults
            ]
        if "crash" in self.faults:
            doing = ", ".join([each.label for each in life.points]) or "nothing"
            weight = _RARE if life.started.done() else _RARE / 10  # there is more to break once it runs
            found.append((f"crash (while: {doing})", weight, partial(self._spend, "crash", self.crash)))
        return found

    def _repeat(self, posting: Posting) -> None:
        self.faults.spend("duplicate")
        again = Posting(posting.account, posting.hook, f"{posting.label} (repeated)", after=(posting,))
        self._postings.append(again)
        self._deliver(posting)

    def _deliver(self, posting: Posting) -> None:
        posting.task = self.life.deliver(self._blueprint.config.accounts[posting.account], posting.hook)
        self._posted.append(posting)

    def _go_on(self) -> None:
        """Run what became ready, and look which webhooks were answered."""
        life = self.life
        if self.counts:
            before = sys.getprofile()
            sys.setprofile(self._count)
            try:
                life.run()
            finally:
                sys.setprofile(before if callable(before) else None)
                if isinstance(before, _Profiler):
                    before.enable()
        else:
            life.run()
        for each in [*self._posted]:
            if each.task is None or not each.task.done():
                continue
            self._posted.remove(each)
            if each.task.result():
                each.done = True
                self._postings.remove(each)
            else:
                each.task, each.not_before = None, self.now + _REPEAT
        if life.stopped is not None and life.stopped.done():
            self._restart()

    def _count(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            code = frame.f_code
            if self._begins.setdefault(code, frame.f_lasti) == frame.f_lasti:  # else a coroutine goes on
                self.calls[code] += 1

    def _next_at(self) -> int | None:
        """When the next timer rings or a webhook is repeated."""
        times = [each.not_before for each in self._postings if each.not_before > self.now]
        if self.life.loop.next_at is not None:
            times.append(self.life.loop.next_at)
        return min(times, default=None)

    def _note(self, what: str) -> None:
        self.trace.append(f"{(self.now - self._begin) / SECOND:.6f} {what}")


_maker: Final = cache(volatile_type)

_AT_POINTS: Final = {
    "request": (("provider_down", "down", "the provider cannot be reached"),),
    "answer": (("lost_answer", "lost", "the answer is lost"),),
    "store": (("slow_store", "slow", "the store is slow"), ("store_fails", "fails", "the store fails")),
}
"""Where which fault can happen, what it is called there, and in words."""
