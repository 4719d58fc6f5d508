"""Broadcasts under way: a few messages at a time become events of their threads, so that replies overtake them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from bridge.engine.broadcasts.composing import Content, addressee, message_for
from bridge.engine.broadcasts.course import EVENTS, Course, key_of
from bridge.engine.broadcasts.pacing import Window
from bridge.errors import Broken, HandlerError, StoreError
from bridge.log import kind_of, log
from bridge.store.broadcasts import (
    BroadcastMove,
    BroadcastState,
    BroadcastStep,
    RecipientEnd,
    RecipientMove,
    bounds_crossed,
)
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from bridge.clock import Clock
    from bridge.config.accounts import Account
    from bridge.engine.broadcasts.course import Flight
    from bridge.engine.delivery.worker import DeliveryWorker
    from bridge.engine.turns.consent import Quiet
    from bridge.engine.turns.sending import Sender
    from bridge.store.broadcasts import Broadcast
    from bridge.store.port import Store
    from bridge.store.records import Arrival

_RETRIES: Final = 128
"""Messages that may wait for another try; with more, a broadcast waits: the gateway has trouble."""
SHARE: Final = Fraction(4, 5)
"""Of an account's rate: the rest is left for replies."""
_REST: Final = 2
"""A rest after messages were sent is such a part of the time that they took."""
_LATER: Final = 10_000
"""Messages that may wait for a contact's own morning; with more, a broadcast waits."""
_LOOK: Final = SECOND // 2
"""How often messages are looked at whose threads tell of no change: other processes work in some."""
_COUNT: Final = SECOND
"""How often the bounds of a broadcast are looked at, while few messages come to their end."""
_ENDED, _FRACTION = 20, 2000
"""And after how many of those: a part of the recipients, or so many."""
_DUTY: Final = 2 * SECOND
"""How often a process asks for the duty while another has it: nobody tells that it died between two messages."""
_PAUSE: Final = SECOND
_LONG_PAUSE: Final = 5 * SECOND
_IDLE: Final = 60 * SECOND
"""The longest sleep: a wall clock that is set meanwhile shows within the minute."""


class Broadcasts:
    """Releases the recipients of broadcasts. Where several processes share the store, one of them does."""

    def __init__(
        self,
        store: Store,
        sender: Sender,
        accounts: Mapping[str, Account],
        workers: Mapping[str, DeliveryWorker],
        quiet: Quiet | None,
        clock: Clock,
    ) -> None:
        """Nothing is released until `start`. In the hours of `quiet` nothing is."""
        self._store = store
        self._sender = sender
        self._accounts = accounts
        self._workers = workers
        self._quiet = quiet
        self._clock = clock
        self._courses: dict[str, Course] = {}
        self._threads: dict[int, tuple[str, Flight]] = {}
        """Of messages on their way, with their account."""
        self._changed = 0
        """How many of them have changed enough to be looked at."""
        self._windows: defaultdict[str, Window] = defaultdict(Window)
        """By account, how many may be on their way."""
        self._has_duty = False
        self._wake = asyncio.Event()
        self._every = True
        """Whether all messages on their way are looked at in the next round."""
        self._task: asyncio.Task[None] | None = None
        self._rounds: asyncio.Future[None] | None = None
        """Done at the end of the next round."""
        self._acts = 0
        """Steps that did something, since `settle` was asked last."""
        self._stopped = True

    def start(self) -> None:
        """Go on with what runs."""
        self._stopped = False
        self.look()

    async def stop(self) -> None:
        """Release nothing more."""
        self._stopped = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait({self._task})

    def look(self) -> None:
        """A broadcast was started, paused or cancelled, or another process left the duty."""
        self._every = True
        self._wake.set()
        if not self._stopped and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._run(), name="broadcasts")

    def changed(self, thread_ids: Collection[int]) -> None:
        """Threads in which there is something new."""
        if not self._threads:
            return
        for thread_id in thread_ids:
            if (watched := self._threads.get(thread_id)) is not None:
                account, flight = watched
                flight.changes += 1
                if flight.changes == EVENTS:
                    self._changed += 1
                    self._note_time(flight, account)
        if self._changed * 4 >= len(self._threads) * 3:
            self._wake.set()

    def _note_time(self, flight: Flight, account: str) -> None:
        """A message is mostly sent now."""
        now = self._clock.now()
        if flight.released_at and not flight.retries:
            self._windows[account].took(now - flight.released_at, now)

    async def settle(self) -> bool:
        """Look at everything now; whether anything was released, or came to its end, since this was asked last."""
        if not self._stopped and self._task is not None and not self._task.done():
            if self._rounds is None:
                self._rounds = asyncio.get_running_loop().create_future()
            rounds = self._rounds
            self._look_at_all()
            await rounds
        acted, self._acts = self._acts > 0, 0
        return acted

    async def _run(self) -> None:
        """Rounds, as long as a broadcast is active."""
        again_at: int | None = self._clock.now()
        while not self._stopped and (again_at is not None or self._wake.is_set()):
            await self._until(again_at)
            self._wake.clear()
            rounds, self._rounds = self._rounds, None
            again_at = await self._try()
            if rounds is not None:
                rounds.set_result(None)
        if self._rounds is not None:
            self._rounds.set_result(None)
            self._rounds = None

    async def _try(self) -> int | None:
        """A round; when the next is due, if one is."""
        try:
            return await self._round()
        except Broken:
            self._stopped = True
            return None
        except StoreError as error:
            log.warning("broadcasts_late", reason=str(error))
            return self._clock.now() + _PAUSE
        except Exception as error:  # noqa: BLE001 - one broadcast that cannot be read must not be the end of all others
            log.error("broadcasts_late", reason=kind_of(error))
            return self._clock.now() + _LONG_PAUSE

    async def _until(self, at: int | None) -> None:
        """Wait until then, or until something changes before."""
        if at is None or at <= self._clock.now():
            await asyncio.sleep(0)
            return
        alarm = self._clock.call_at(min(at, self._clock.now() + _IDLE), self._look_at_all)
        try:
            await self._wake.wait()
        finally:
            alarm.cancel()

    def _look_at_all(self) -> None:
        self._every = True
        self._wake.set()

    async def _round(self) -> int | None:
        """A step of each broadcast; when the next is due (None: none is active)."""
        active = await self._store.broadcasts(active=True)
        if active and not self._has_duty:
            self._has_duty = await self._store.has_duty("broadcasts")
            if not self._has_duty:
                return self._clock.now() + _DUTY
        every, self._every, self._changed = self._every, False, 0
        known, self._courses = self._courses, {}
        times: list[int] = []
        for broadcast in active:
            course = known.get(broadcast.id) or await Course.read(self._store, broadcast)
            self._courses[broadcast.id] = course
            stepped, again_at = await self._step(broadcast, course, every=every)
            self._acts += stepped
            times.append(again_at)
        self._threads = {
            flight.thread_id: (course.account, flight)
            for course in self._courses.values()
            for flight in course.flights.values()
            if flight.thread_id is not None and not flight.retries
        }
        return min(times, default=None)

    async def _step(self, broadcast: Broadcast, course: Course, *, every: bool) -> tuple[bool, int]:
        """Note what became of messages on their way, and release the next; and when to look again."""
        now = self._clock.now()
        ends, later = await self._standings(course, now, every=every)
        for end in ends:
            course.flights.pop(end.number, None)
        if ends:
            course.ended += len(ends)
            course.rests_until = now + min((now - course.released_at) // _REST, _LOOK)
        if broadcast.state is BroadcastState.RUNNING and await self._stops(broadcast, course, now):
            return True, now
        at, room = self._room(broadcast, course, now)
        releases: list[tuple[int, Arrival]] = []
        if room > 0:
            releases, unfit = await self._releases(broadcast, course, room)
            ends += unfit
        if releases or ends or later:
            step = BroadcastStep(broadcast_id=broadcast.id, at=now, releases=releases, ends=ends, later=later)
            released = await self._store.step_broadcast(step)
            if len(released) < len(releases):
                course.waiting.clear()  # it was paused meanwhile, or somebody was erased
            for number, thread_id in released.items():
                course.release(number, thread_id, at=now)
            course.after = max([course.after, *released])
            course.released_at = now if released else course.released_at
            if course.flights:
                return True, min(at, now + _LOOK)
            return True, now if room > 0 else at
        if room > 0 and not course.flights:
            return await self._end(broadcast), now
        return False, min([at, *(max(flight.look_at, now + _LOOK) for flight in course.flights.values())])

    async def _standings(
        self, course: Course, now: int, *, every: bool
    ) -> tuple[list[RecipientEnd], list[tuple[int, int]]]:
        ends: list[RecipientEnd] = []
        later: list[tuple[int, int]] = []
        for flight, standing in await course.standings(self._store, course.due(now, every=every)):
            if standing.move is not None:
                ends.append(
                    RecipientEnd(
                        number=flight.number,
                        move=standing.move,
                        reason=standing.reason,
                        key=standing.key,
                        unanswered=standing.unanswered,
                    )
                )
                continue
            flight.retries, flight.changes = standing.retries, 0
            if standing.look_at > now:
                flight.look_at = standing.look_at
                later.append((flight.number, standing.look_at))
        return ends, later

    async def _stops(self, broadcast: Broadcast, course: Course, now: int) -> bool:
        """Whether a broadcast stops itself now."""
        if now - course.counted_at < _COUNT and course.ended < course.patience:
            return False
        counts = await self._store.broadcast_counts(broadcast.id)
        course.counted_at, course.ended, course.patience = now, 0, max(_ENDED, counts.total // _FRACTION)
        reason = bounds_crossed(counts, broadcast)
        if not reason:
            return False
        log.warning("broadcast_paused", account=broadcast.account, broadcast=broadcast.id, reason=reason)
        return await self._store.move_broadcast(broadcast.id, BroadcastMove.PAUSED, now, reason)

    async def _end(self, broadcast: Broadcast) -> bool:
        log.info("broadcast_done", account=broadcast.account, broadcast=broadcast.id)
        return await self._store.move_broadcast(broadcast.id, BroadcastMove.ENDED, self._clock.now())

    def _room(self, broadcast: Broadcast, course: Course, now: int) -> tuple[int, int]:
        """When messages may leave, and how many more now."""
        if broadcast.state is not BroadcastState.RUNNING:
            return now + _IDLE, 0
        if broadcast.begins_at > now:
            return broadcast.begins_at, 0
        if self._quiet is not None and (until := self._quiet.until(now)) is not None:
            return until, 0
        if course.rests_until > now:
            return course.rests_until, 0
        worker = self._workers.get(broadcast.account)
        if worker is None or worker.paused or course.retries() >= _RETRIES or len(course.flights) >= _LATER:
            return now + _PAUSE, 0
        on_the_wire = sum(other.on_the_wire(now) for other in self._courses.values() if other.account == course.account)
        room, free = self._windows[course.account].size, worker.client.room(SHARE)
        if free is not None:
            room = min(room, free)
        return now + _LOOK, room - on_the_wire

    async def _releases(
        self, broadcast: Broadcast, course: Course, room: int
    ) -> tuple[list[tuple[int, Arrival]], list[RecipientEnd]]:
        """The next messages as events, and recipients for whom there can be none any more."""
        account, content = self._accounts[broadcast.account], Content.decode(broadcast.content)
        waiting = await course.next(self._store, room)
        releases: list[tuple[int, Arrival]] = []
        unfit: list[RecipientEnd] = []
        for recipient in waiting:
            to, key = addressee(broadcast, account, recipient), key_of(broadcast.id, recipient.number)
            try:
                message = message_for(content, account, recipient)
                arrival = await self._sender.arrival(
                    broadcast.account, to, message, channel=content.channel if recipient.to else None, key=key
                )
            except (ValueError, HandlerError) as error:
                unfit.append(RecipientEnd(number=recipient.number, move=RecipientMove.REFUSED, reason=str(error)))
            else:
                releases.append((recipient.number, arrival))
        return releases, unfit
