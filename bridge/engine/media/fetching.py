"""Fetching: the media that the store has queued, each account's beside the others', until they are kept or given up."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from bridge.engine.backoff import Backoff
from bridge.engine.counters import Counters
from bridge.engine.media.contents import NoContent
from bridge.engine.media.guard import MANY, FetchFailed
from bridge.engine.media.sniffing import fits
from bridge.errors import Broken, SendError, StoreError
from bridge.log import kind_of, log, outcome_of
from bridge.store.media import FetchEnd, FetchRetry
from bridge.units import SECOND

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Container, Mapping

    from bridge.clock import Alarm, Clock
    from bridge.engine.media.contents import Contents, Draft
    from bridge.engine.media.door import Door, Gateway
    from bridge.store.media import KeptMedium, MediaRow
    from bridge.store.port import Store

_AT_ONCE: Final = 8
"""Fetches of one account: those of a slow gateway hold up no other's."""
_LOOK: Final = 60 * SECOND
"""The longest sleep: another process may have died with media that it fetched."""
_PAUSE: Final = SECOND
_SWEPT: Final = 100
"""Contents removed at a time."""
_GIVE_UP: Final = 24 * 3600.0
"""Seconds after which a link whose server is away is given up."""


class Fetching:
    """Fetches media, and removes the contents of those that are forgotten."""

    def __init__(
        self,
        store: Store,
        contents: Contents,
        door: Door,
        gateways: Mapping[str, Gateway],
        clock: Clock,
        rng: random.Random,
        *,
        limit: int,
        keep: float | None = None,
        counters: Counters | None = None,
    ) -> None:
        """Nothing happens until `start`. `limit` is in bytes; media are kept for `keep` seconds, None: for good."""
        self._store = store
        self._contents = contents
        self._door = door
        self._gateways = gateways
        self._clock = clock
        self._rng = rng
        self._limit = limit
        self._keep = keep
        self._counters = counters or Counters()
        self.settled: Callable[[int], None] = lambda _: None
        """Called with the event of each medium that was tried, however that ended."""
        self._running: dict[int, asyncio.Task[None]] = {}
        self._of_account: Counter[str] = Counter()
        self._wake = asyncio.Event()
        self._asked = False
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Fetch what is queued, and go on from there."""
        self._asked = True
        self._task = asyncio.get_running_loop().create_task(self._run(), name="media")

    def look(self) -> None:
        """Media were queued, or left behind by another process, or forgotten."""
        self._asked = True
        self._wake.set()

    async def stop(self) -> None:
        """Fetch nothing more. What is not finished is fetched by the next start."""
        for task in (self._task, *self._running.values()):
            if task is not None:
                task.cancel()
                await asyncio.wait({task})
        await self._door.close()

    async def settle(self) -> None:
        """Return when nothing is being fetched that could be fetched now."""
        while self._asked or self._running:
            self._moved.clear()
            await self._moved.wait()

    async def _run(self) -> None:
        with suppress(OSError):
            await self._contents.tidy(self._clock.now() / SECOND)
        while True:
            self._wake.clear()
            try:
                coming = await self._begin_due()
                await self._remove_forgotten()
                self._asked = self._wake.is_set()
            except Broken:
                return
            except StoreError as error:
                log.warning("store_unavailable", lane="media", reason=str(error))
                coming = self._clock.now() + _PAUSE
            except Exception as error:  # noqa: BLE001 - one medium must not be the end of all others
                log.error("lane_failed", lane="media", reason=kind_of(error))
                coming = self._clock.now() + _LOOK
            self._moved.set()
            await self._rest(coming)

    async def _rest(self, until: int | None) -> None:
        now = self._clock.now()
        alarm: Alarm = self._clock.call_at(min(until or now + _LOOK, now + _LOOK), self._wake.set)
        try:
            await self._wake.wait()
        finally:
            alarm.cancel()

    async def _begin_due(self) -> int | None:
        """Begin what may begin now; when the next one is due."""
        rows, coming = await self._store.claim_media(self._clock.now(), _AT_ONCE)
        for row in rows:
            if row.id not in self._running and self._of_account[row.account] < _AT_ONCE:
                self._of_account[row.account] += 1
                task = asyncio.get_running_loop().create_task(self._fetch(row), name=f"medium {row.id}")
                self._running[row.id] = task
                task.add_done_callback(partial(self._ended, row))
        return coming

    def _ended(self, row: MediaRow, _task: object) -> None:
        del self._running[row.id]
        self._of_account[row.account] -= 1
        self._moved.set()
        self.look()

    async def _fetch(self, row: MediaRow) -> None:
        """One try of one medium."""
        try:
            kept = await self._taken(row)
        except FetchFailed as error:
            failure = error
        except SendError as error:
            failure = FetchFailed(f"no credential for the link: {outcome_of(error)}", MANY)
        except OSError as error:
            failure = FetchFailed(f"the media store takes nothing: {error.strerror or kind_of(error)}", MANY)
        except StoreError as error:
            await self._unsettled(row, error)
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the medium gets an end
            failure = FetchFailed(f"it could not be fetched: {kind_of(error)}", MANY)
        else:
            self._counters.media[row.account, "kept"] += 1
            log.info("medium_kept", account=row.account, thread=row.thread_id, count=kept.size)
            self._tell(row)
            return
        try:
            await self._failed(row, failure)
        except StoreError as error:
            await self._unsettled(row, error)

    async def _unsettled(self, row: MediaRow, error: StoreError) -> None:
        """The store could not note how a try ended: the medium is still queued, and it is fetched again."""
        log.warning("store_unavailable", lane="media", thread=row.thread_id, reason=str(error))
        await self._clock.sleep(_PAUSE / SECOND)

    async def _taken(self, row: MediaRow) -> KeptMedium:
        gateway = self._gateways.get(row.account)
        if gateway is None:
            raise FetchFailed(f"the account {row.account} is not configured")
        draft = await self._contents.begin()
        try:
            await self._door.fetch(row.url, gateway, draft, self._limit)
            kept = draft.medium
            if not fits(row.kind, kept.mime_type):
                raise FetchFailed(f"the link gives {kept.mime_type} for a medium of the kind {row.kind}")
            await self._contents.keep(draft)
            wanted = await self._store.settle_fetch(FetchEnd(media_id=row.id, at=self._clock.now(), kept=kept))
            if wanted:
                await self._keep_again(draft)
            return kept
        finally:
            await self._contents.drop(draft)

    async def _keep_again(self, draft: Draft) -> None:
        """Another process may have removed the same content, which a medium had that is forgotten, at that moment."""
        try:
            await self._contents.size(draft.medium.sha256)
        except NoContent:
            await self._contents.keep(draft)

    async def _failed(self, row: MediaRow, failure: FetchFailed) -> None:
        now = self._clock.now()
        backoff = Backoff(attempts=failure.tries, cap=300.0, give_up_after=_GIVE_UP)
        again_at = backoff.again_at(row.attempt, now, self._rng, since=row.queued_at, retry_after=failure.retry_after)
        about = {"account": row.account, "thread": row.thread_id, "reason": failure.reason, "attempt": row.attempt}
        if again_at is None:
            await self._store.settle_fetch(FetchEnd(media_id=row.id, at=now, reason=failure.reason))
            log.warning("medium_given_up", **about)
        else:
            again = FetchRetry(media_id=row.id, attempt=row.attempt + 1, available_at=again_at, reason=failure.reason)
            await self._store.retry_fetch(again)
            log.info("medium_not_fetched", **about, seconds=round((again_at - now) / SECOND, 1))
        self._counters.media[row.account, "given_up" if again_at is None else "retried"] += 1
        self._tell(row)

    def _tell(self, row: MediaRow) -> None:
        if row.inbox_id is not None:
            self.settled(row.inbox_id)

    async def _remove_forgotten(self) -> None:
        """Remove the contents of media that are forgotten, and that no other medium has."""
        if self._keep is not None:
            await self._store.forget_media(before=self._clock.now() - round(self._keep * SECOND))
        await remove_forgotten(self._store, self._contents, self._running)


async def remove_forgotten(store: Store, contents: Contents, running: Container[int] = ()) -> int:
    """Remove the contents of some media that are forgotten and that nobody fetches now; how many media these were."""
    removed: set[str] = set()
    count = 0
    for row, is_shared in await store.forgotten_media(_SWEPT):
        if row.id in running:
            continue
        if row.sha256 and not is_shared and row.sha256 not in removed:
            with suppress(NoContent):
                await contents.remove(row.sha256)
            removed.add(row.sha256)
        await store.remove_media(row.id)
        count += 1
    return count
