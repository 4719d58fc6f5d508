"""One life of a bridge in a world: from its start until it is stopped or the process is said to have died."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
import structlog

from bridge.app.bridge import Bridge, Outside
from bridge.engine.media.guard import FEW, MANY, FetchFailed, checked
from bridge.errors import NotSent, OutcomeUnknown, Unavailable, WebhookError
from bridge.log import traced
from bridge.providers.answers import ERROR
from bridge.providers.port import Response
from bridge.testing.loop import Inline, VirtualClock, VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableSequence, Sequence

    from bridge.config.accounts import Account
    from bridge.config.load import Config
    from bridge.emulation.files import Files
    from bridge.engine.delivery.transport import Leaving
    from bridge.engine.media.contents import Draft, Memory
    from bridge.engine.media.door import Gateway
    from bridge.providers.port import Emulator, Hook, Request
    from bridge.routing.router import Router
    from bridge.store.encryption import EncryptionKey
    from bridge.store.opening import Volatile
    from bridge.store.port import Store

FOLLOWER: Final = "events"
"""Who is told of outgoing events, beside the accounts."""
SLOW_SECONDS: Final = 3.0
"""How long a slow store takes: longer than a webhook waits for it."""
_REFUSED: Final = 500
_FETCH_SECONDS: Final = 30.0
_OF_ALL_LEVELS: Final = structlog.make_filtering_bound_logger(logging.NOTSET)


class Verdict(NamedTuple):
    """What goes wrong at a point ("": nothing), and how many seconds that takes."""

    what: str = ""
    seconds: float = 0.0


@dataclass(slots=True, eq=False)
class Point:
    """Where something waits for the world to let it go on. `kind` is "store", "request" or "answer"."""

    kind: str
    label: str
    waiting: asyncio.Future[Verdict]

    @property
    def account(self) -> str:
        """Whose request or answer waits here."""
        return self.label.partition(":")[0]

    def go(self, what: str = "", seconds: float = 0.0) -> None:
        """Let it go on; `what` goes wrong, for so many seconds."""
        if not self.waiting.done():
            self.waiting.set_result(Verdict(what, seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all lives of a bridge in one world have in common."""

    config: Config
    router: Router
    emulators: dict[str, Emulator]
    log: MutableSequence[dict[str, object]]
    errors: MutableSequence[BaseException]
    files: Mapping[str, Files]
    contents: Memory
    events: MutableSequence[dict[str, Any]]
    make: Callable[..., Bridge] = Bridge
    ahead: Callable[[], int] = lambda: 0
    """By how many microseconds the wall clock is wrong."""


class Life:
    """A bridge on a loop of its own: when the process dies, the loop is simply never run again."""

    def __init__(self, setting: Setting, now: int, seed: str) -> None:
        """Nothing runs until `start`."""
        self._setting = setting
        self.loop = VirtualLoop(now)
        self.points: list[Point] = []
        self._transport = _Wire(self, {each.provider.base_url: name for name, each in setting.config.accounts.items()})
        self._door = _Door(self, {each.provider.base_url: name for name, each in setting.config.accounts.items()})
        self._rng = Random(seed)
        self._lines = structlog.testing.LogCapture()
        self._store: Volatile | None = None
        self.bridge: Bridge
        self.started: asyncio.Task[None]
        self.stopped: asyncio.Task[None] | None = None
        """The drain, once the bridge was told to stop."""

    @property
    def files(self) -> Mapping[str, Files]:
        """What the other ends' links to media give, by account."""
        return self._setting.files

    @property
    def emulators(self) -> dict[str, Emulator]:
        """The other ends, by account."""
        return self._setting.emulators

    def follow(self, request: Request) -> Response:
        """The other end of outgoing events."""
        self._setting.events.append(orjson.loads(request.body or b""))
        return Response(status=204)

    def start(self, store: Volatile) -> None:
        """Begin to start: the world has to let every step of it go on."""
        self._store = store
        outside = Outside(
            open_store=self._open,
            open_transport=lambda: self._transport,
            open_door=lambda: self._door,
            open_contents=lambda _: self._setting.contents,
            rng=self._rng,
            executor=Inline(),
            watched=False,
        )
        clock = VirtualClock(self.loop, self._setting.ahead)
        self.bridge = self._setting.make(
            self._setting.config, router=self._setting.router, clock=clock, outside=outside
        )
        self.started = self.loop.begin(self.bridge.start(), "start")
        self.run()

    @property
    def serves(self) -> bool:
        """Whether it has started and was not told to stop."""
        return self.started.done() and self.stopped is None

    def stop(self) -> None:
        """Begin to drain, as at a SIGTERM."""
        self.stopped = self.loop.begin(self.bridge.stop(), "stop")

    def run(self) -> None:
        """All that is ready, until everything waits for the world or for a time to come."""
        _logging_to(self._lines, self.loop.run_ready)
        for line in self._lines.entries:
            error = line.get("traceback")
            if line["event"] == "turn_failed" and isinstance(error, BaseException):
                self._setting.errors.append(error)
            self._setting.log.append(dict(traced(None, "", line)))
        self._lines.entries.clear()
        for task in (self.started, self.stopped):
            if task is not None and task.done() and not task.cancelled() and (error := task.exception()):
                raise error

    def deliver(self, account: Account, hook: Hook) -> asyncio.Task[bool]:
        """Post a webhook; the task tells whether it was answered 200."""
        return self.loop.begin(self._accept(account, hook), "webhook")

    async def pause(self, label: str) -> None:
        """Wait for the world at the store."""
        match (await self.reach("store", label)).what:
            case "slow":
                await asyncio.sleep(SLOW_SECONDS)
            case "fails":
                raise Unavailable("disk I/O error")

    async def reach(self, kind: str, label: str) -> Verdict:
        """Wait for the world; the verdict says what goes wrong."""
        point = Point(kind, label, self.loop.create_future())
        self.points.append(point)
        try:
            return await point.waiting
        finally:
            if point in self.points:
                self.points.remove(point)

    def vanish(self) -> None:
        """End it for good."""
        self.points.clear()
        _logging_to(self._lines, self.loop.abandon)

    async def _open(self, url: str, _: Sequence[EncryptionKey]) -> Store:
        del url
        assert self._store is not None, "start() comes first"
        return await self._store.open(self.pause)

    async def _accept(self, account: Account, hook: Hook) -> bool:
        if not self.bridge.ready:
            return False
        try:
            await self.bridge.webhooks.accept(account, hook.body, hook.channel)
        except WebhookError as error:
            if error.status < _REFUSED:
                raise
            return False
        return True


class _Wire:
    """Carries requests to the emulators; a Transport."""

    def __init__(self, life: Life, accounts: dict[str, str]) -> None:
        """`accounts` tells whose base_url it is."""
        self._life = life
        self._accounts = accounts

    async def carry(
        self, base_url: str, request: Request, seconds: float, *, leaving: Leaving | None = None
    ) -> Response:
        """One request and its answer. A fault raises what Http would raise."""
        name = self._accounts.get(base_url, FOLLOWER)
        what = f"{name}: {request.method} {request.path}"
        verdict = await self._life.reach("request", what)
        if verdict.what == "down":
            raise NotSent("no connection: Connection refused", away=True)
        if not await _within(seconds, verdict):
            raise NotSent("no connection in time", away=True)
        if leaving is not None:
            await leaving()
        response = self._life.follow(request) if name == FOLLOWER else self._life.emulators[name].handle(request)
        verdict = await self._life.reach("answer", f"{what} answered {response.status}")
        if verdict.what == "lost":
            raise OutcomeUnknown("the connection broke: ServerDisconnectedError")
        if not await _within(seconds, verdict):
            raise OutcomeUnknown("no answer in time")
        return response

    async def close(self) -> None:
        """Nothing is held open."""


class _Door:
    """Fetches media from the emulators; a Door."""

    def __init__(self, life: Life, accounts: dict[str, str]) -> None:
        """`accounts` tells whose base_url it is."""
        self._life = life
        self._accounts = accounts

    async def fetch(self, url: str, gateway: Gateway, draft: Draft, limit: int) -> None:
        """Write what a link gives. A fault raises what the door to the real world would raise."""
        link = checked(url, gateway.base_url)
        name = self._accounts[gateway.base_url]
        if not link.is_own:
            raise FetchFailed("the link's host has no address", FEW)
        verdict = await self._life.reach("request", f"{name}: GET {link.url.path}")
        if verdict.what == "down" or not await _within(_FETCH_SECONDS, verdict):
            raise FetchFailed("no whole answer from the link", MANY)
        response = self._life.files[name].answer(url.removeprefix(gateway.base_url)) or Response(status=404)
        verdict = await self._life.reach("answer", f"{name}: GET {link.url.path} answered {response.status}")
        if verdict.what == "lost" or not await _within(_FETCH_SECONDS, verdict):
            raise FetchFailed("no whole answer from the link", MANY)
        if response.status in ERROR:
            raise FetchFailed(f"the link gives HTTP {response.status}", MANY if response.status >= _REFUSED else FEW)
        if len(response.body) > limit:
            raise FetchFailed("the link gives too many bytes")
        await draft.write(response.body)

    async def close(self) -> None:
        """Nothing is held open."""


async def _within(seconds: float, verdict: Verdict) -> bool:
    """Wait for as long as it takes, within `seconds`; whether that was enough."""
    if verdict.seconds:
        await asyncio.sleep(min(verdict.seconds, seconds))
    return verdict.seconds <= seconds


def _logging_to(capture: structlog.testing.LogCapture, work: Callable[[], None]) -> None:
    """Do what is logged there, whatever of it this process would write; as structlog's capture_logs, many times."""
    usual = structlog.get_config()
    processors = usual["processors"]  # loggers that were bound before hold this very list
    before = [*processors]
    processors[:] = [capture]
    filters = usual["wrapper_class"] is not _OF_ALL_LEVELS
    if filters:
        structlog.configure(wrapper_class=_OF_ALL_LEVELS)
    try:
        work()
    finally:
        processors[:] = before
        if filters:
            structlog.configure(wrapper_class=usual["wrapper_class"])
