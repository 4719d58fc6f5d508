"""Jobs: at their times, and once at each, they become events of threads of their own.

How far a job's times were gone through is a cursor of the store. The event's key holds its time, so a process that dies
before the cursor is advanced repeats nothing, and two processes at once run a job once.
"""

from __future__ import annotations

import asyncio
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Final

import orjson

from bridge.errors import Broken, StoreError
from bridge.events import Contact, Job, ThreadRef, encode_event
from bridge.frozen import dataclass
from bridge.log import kind_of, log
from bridge.routing.schedules import last
from bridge.store.lifecycle import InboxState
from bridge.store.records import Arrival
from bridge.units import SECOND, moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.clock import Alarm, Clock
    from bridge.routing.rules import JobRule
    from bridge.store.port import Store, StoreReader

JOBS: Final = ":jobs"
"""The account of the threads of jobs, a name that no configured one can have."""
_CHANNEL: Final = "job"
_LONGEST: Final = 60 * SECOND
"""The longest sleep: a wall clock that is set meanwhile shows within the minute."""
_ON_TIME: Final = 60 * SECOND
"""A time that is past for no longer is no missed one."""
_AT_ONCE: Final = 256
_NEVER: Final = 3600 * SECOND
"""How long a job that has no more times is left alone."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the times of a schedule were gone through (microseconds)."""

    schedule: str
    until: int


def due(job: JobRule, after: int, now: int) -> list[int]:
    """The times at which a job is to run now, of those after the ones gone through; at most _AT_ONCE.

    Of several times that are past, `missed` decides; the latest counts as missed only once it is so for a minute.
    """
    if job.missed == "all":
        return list(islice(takewhile(lambda at: at <= now, job.schedule.after(after)), _AT_ONCE))
    latest = last(job.schedule, after, now)
    if latest is None or (job.missed == "skip" and now - latest > _ON_TIME):
        return []
    return [latest]


def event_of(job: str, at: int, key: str) -> Arrival:
    """A run of a job as an event of its thread."""
    event = Job(id=key, contact=Contact(id=job), at=moment(at), name=job)
    return Arrival(
        account=JOBS,
        key=key,
        ref=ThreadRef(JOBS, "jobs", _CHANNEL, job),
        event=event,
        encoded=encode_event(event),
        raw=b"",
        state=InboxState.OPEN,
        received_at=at,
    )


async def progress_of(store: StoreReader, job: JobRule) -> Progress | None:
    """How far a job came; None: it never was here, or has other times now."""
    kept = await store.cursor(JOBS, job.name)
    try:
        read = Progress(**orjson.loads(kept)) if kept is not None else None
    except (ValueError, TypeError):
        return None
    return read if read is not None and read.schedule == job.schedule.text else None


class Jobs:
    """Runs the jobs of a bot. Where several processes share the store, one of them does."""

    def __init__(self, store: Store, jobs: Mapping[str, JobRule], clock: Clock) -> None:
        """Nothing runs until `start`."""
        self._store = store
        self._jobs = jobs
        self._clock = clock
        self._alarm: Alarm | None = None
        self._seen_at = 0
        self._next = 0
        """When the store is asked again: the next job is due, or another process may have left the duty."""
        self._task: asyncio.Task[None] | None = None
        self._stopped = True

    @property
    def rules(self) -> Mapping[str, JobRule]:
        """The jobs that run here, by name."""
        return self._jobs

    def start(self) -> None:
        """Run what is due already, and go on from there."""
        self._stopped = False
        if self._jobs:
            self._wake()

    async def stop(self) -> None:
        """Run nothing more."""
        self._stopped = True
        if self._alarm is not None:
            self._alarm.cancel()
        if self._task is not None:
            await asyncio.wait({self._task})

    async def settle(self) -> None:
        """Return when what is due now is an event."""
        while self._task is not None and not self._task.done():
            await asyncio.wait({self._task})

    async def run(self, name: str, key: str) -> bool:
        """Run a job now, beside its times; False: there is none of that name. `key` tells this run from others."""
        if name not in self._jobs:
            return False
        await self._store.receive([event_of(name, self._clock.now(), f"job:{name}:by hand:{key}")])
        return True

    def _wake(self) -> None:
        """Look at the clock: mostly nothing is due, and nothing to ask the store. A clock that was set back is."""
        now = self._clock.now()
        if self._seen_at <= now < self._next:
            self._seen_at = now
            self._wait()
        elif not self._stopped and (self._task is None or self._task.done()):
            self._seen_at = now
            self._task = asyncio.get_running_loop().create_task(self._look(), name="jobs")

    def _wait(self) -> None:
        if not self._stopped:
            self._alarm = self._clock.call_at(min(self._next, self._clock.now() + _LONGEST), self._wake)

    async def _look(self) -> None:
        self._next = self._clock.now() + _LONGEST
        try:
            if await self._store.has_duty("jobs"):
                self._next = min([await self._run_due(job) for job in self._jobs.values()])
        except Broken:
            return
        except StoreError as error:
            log.warning("jobs_late", reason=str(error))
        except Exception as error:  # noqa: BLE001 - one job whose times cannot be found must not be the end of all others
            log.error("jobs_late", reason=kind_of(error))
        self._wait()

    async def _run_due(self, job: JobRule) -> int:
        """Run a job if it is due; when it is due next.

        Where the clock was set back, times that ran come again, and their keys are known. A cursor that lies in the
        future would hold the job up until then.
        """
        now, progress = self._clock.now(), await progress_of(self._store, job)
        after = now if progress is None else min(progress.until, now)
        times = due(job, after, now)
        if times:
            await self._store.receive([event_of(job.name, at, f"job:{job.name}:{at // SECOND}") for at in times])
        missing = len(times) == _AT_ONCE
        until = times[-1] if missing else now
        if times or progress is None or progress.until > now:
            await self._keep(job, until)
        return now if missing else next(job.schedule.after(now), now + _NEVER)

    async def _keep(self, job: JobRule, until: int) -> None:
        text = orjson.dumps({"schedule": job.schedule.text, "until": until}).decode()
        await self._store.advance(JOBS, job.name, text)


def next_of(job: JobRule, progress: Progress | None, now: int) -> int | None:
    """When a job is due next, which is past while no bridge runs; None: never again."""
    return next(job.schedule.after(now if progress is None else min(progress.until, now)), None)


def named(jobs: Mapping[str, JobRule], name: str) -> Sequence[str]:
    """The jobs that a person means by a name: its own, or the function's without its module."""
    return [name] if name in jobs else [full for full in jobs if full.rpartition(":")[2] == name]
