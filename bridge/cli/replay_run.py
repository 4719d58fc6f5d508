"""A recording run through handlers: the real engine on a store in memory, in virtual time, without a network."""

from __future__ import annotations

import random
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import structlog

from bridge.app.bridge import Bridge, Outside
from bridge.cli.recording import Recording, conversation
from bridge.emulation.virtual_time import Inline, VirtualClock, VirtualLoop
from bridge.engine.turns.signing import SIGNING
from bridge.errors import HandlerError
from bridge.frozen import dataclass
from bridge.routing.router import rulebook_of
from bridge.store.lifecycle import OutboxState, Outcome
from bridge.store.opening import volatile_type
from bridge.store.records import Settled

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine, Iterator, Sequence
    from typing import Any, NoReturn, TypeVar

    from bridge.cli.recording import Conversation
    from bridge.config.load import Config
    from bridge.engine.delivery.transport import Leaving
    from bridge.providers.port import Request, Response
    from bridge.routing.router import Router
    from bridge.store.encryption import EncryptionKey
    from bridge.store.looks import DeadLetter
    from bridge.store.port import Store
    from bridge.store.records import Arrival, OutboxRow

    T = TypeVar("T")

_OUTSIDE: Final = frozenset(
    {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "subprocess.Popen"}
)
_STEPS: Final = 1_000_000
"""How often time may jump: a bot that sets timers without end is not waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """What the handlers did with a recording: its conversations as they went now, and what failed for good."""

    conversations: Sequence[Conversation]
    dead: Sequence[DeadLetter]


def rerun(recording: Recording, config: Config, router: Router, until: int) -> Rerun:
    """Run a recording through handlers, from the first event of its conversations until a time (microseconds).

    Raises:
        HandlerError: the handlers set off more than could ever happen.
        ConfigError: handlers and configuration do not go together.
    """
    arrivals = recording.arrivals(rulebook_of(router).wants)
    start = arrivals[0][0].received_at if arrivals else until
    names = {message.key: message.message_id for one in recording.conversations for message in one.messages}
    stage = _Stage(config, router, start, names)
    with _silent(), _nobody_outside():
        try:
            stage.begin(recording.secret)
            for _, arrival in arrivals:
                stage.pass_time(arrival.received_at)
                stage.take(arrival)
            stage.pass_time(until)
            return stage.seen()
        finally:
            stage.close()


class _Replayed(Bridge):
    """A bridge whose messages reach their gateways in the moment that they are said."""

    def __init__(self, config: Config, router: Router, clock: VirtualClock, outside: Outside) -> None:
        super().__init__(config, router=router, clock=clock, outside=outside)
        self.said: list[OutboxRow] = []

    def queued(self, rows: Sequence[OutboxRow]) -> None:
        """Keep what was said: nothing is delivered."""
        self.said += rows

    async def take_up(self) -> None:
        """Turns and timers, and nothing that asks a gateway or makes events of its own."""
        await self.parts.store.take_over()
        await self.parts.dispatcher.start()
        self.parts.timers.start()


class _NoWire:
    """Carries nothing."""

    async def carry(
        self, base_url: str, request: Request, seconds: float, *, leaving: Leaving | None = None
    ) -> Response:
        """Nothing asks for this."""
        raise AssertionError((base_url, request, seconds, leaving))

    async def close(self) -> None:
        """Nothing is open."""


class _Stage:
    """The bridge, its store and its time; it goes on only when it is told to."""

    def __init__(self, config: Config, router: Router, start: int, names: dict[str, str | None]) -> None:
        """`names` is what the gateways called messages, by their keys."""
        self._loop = VirtualLoop(start)
        self._store = volatile_type()()
        self._names = names
        self._steps = 0
        outside = Outside(
            open_store=self._open,
            open_transport=_NoWire,
            rng=random.Random(0),  # noqa: S311 - the same at each run
            executor=Inline(),
            watched=False,
        )
        self._bridge = _Replayed(config, router, VirtualClock(self._loop), outside)

    async def _open(self, url: str, _: Sequence[EncryptionKey]) -> Store:
        del url

        async def go_on(_: str) -> None:
            """Everything happens at once."""

        return await self._store.open(go_on)

    def begin(self, secret: str | None) -> None:
        """Start the bridge; it signs as the one that was recorded."""
        self._do(self._bridge.open())
        if secret is not None:
            self._do(self._bridge.store.keep_secret("", SIGNING, secret))
        self._do(self._bridge.take_up())

    def take(self, arrival: Arrival) -> None:
        """Something comes in."""
        self._do(self._bridge.store.receive([arrival]))

    def pass_time(self, until: int) -> None:
        """Let all happen that is due until then."""
        self._go_on()
        while (at := self._loop.next_at) is not None and at <= until:
            self._steps += 1
            if self._steps > _STEPS:
                raise HandlerError("the handlers set timers without end: nothing was compared")
            self._loop.now = at
            self._go_on()
        self._loop.now = max(self._loop.now, until)

    def _go_on(self) -> None:
        self._loop.run_ready()
        while said := self._bridge.said:
            self._bridge.said = []
            for row in said:
                self._finish(self._bridge.store.settle_delivery(self._taken(row)))
            self._loop.run_ready()

    def _taken(self, row: OutboxRow) -> Settled:
        return Settled(
            row_id=row.id,
            thread_id=row.thread_id,
            attempt=max(row.attempt, 1),
            state=OutboxState.SENT,
            at=self._loop.now,
            outcome=Outcome.SENT,
            message_id=self._names.get(row.key),
        )

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        result = self._finish(work)
        self._go_on()
        return result

    def _finish(self, work: Coroutine[Any, Any, T]) -> T:
        task: asyncio.Task[T] = self._loop.begin(work, "replay")
        self._loop.run_ready()
        return task.result()

    def seen(self) -> Rerun:
        """All that happened."""
        store = self._bridge.store
        threads = [thread.id for thread in self._do(store.threads(limit=_STEPS))]
        conversations = [self._do(conversation(store, thread_id)) for thread_id in threads]
        return Rerun(conversations=conversations, dead=self._do(store.dead_letters(limit=_STEPS)))

    def close(self) -> None:
        """The end of it."""
        self._loop.abandon()
        self._store.close()


_closed: Final = [False]
_hooked: Final = [False]


def _audit(event: str, _: tuple[object, ...]) -> None:
    if _closed[0] and event in _OUTSIDE:
        _refuse(event)


def _refuse(event: str) -> NoReturn:
    raise PermissionError(f"a replay has no outside: {event} is refused")


@contextmanager
def _nobody_outside() -> Iterator[None]:
    """No code of the author reaches a network or another program meanwhile."""
    if not _hooked[0]:
        sys.addaudithook(_audit)  # stays for good; it refuses only while a replay runs
        _hooked[0] = True
    _closed[0] = True
    try:
        yield
    finally:
        _closed[0] = False


@contextmanager
def _silent() -> Iterator[None]:
    """What the engine logs meanwhile is not about anything that happens."""
    usual = structlog.get_config()
    processors = usual["processors"]  # loggers that were bound before hold this very list
    before = [*processors]
    processors[:] = [_drop]
    try:
        yield
    finally:
        processors[:] = before


def _drop(_: object, __: str, ___: object) -> NoReturn:
    raise structlog.DropEvent
