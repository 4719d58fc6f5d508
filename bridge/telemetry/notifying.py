"""Alerts on their way: to each URL one after the other, tried again until it takes them, beside all traffic."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout

from bridge.config.telemetry import PLAIN
from bridge.log import kind_of, log

if TYPE_CHECKING:
    from collections import Counter

    from bridge.clock import Clock
    from bridge.telemetry.grouping import Notice

_SECONDS: Final = 10.0
_PAUSES: Final = (5.0, 15.0, 60.0, 300.0)
"""Seconds before each further try; the last one goes on."""
_WAITING: Final = 20
"""Notices that wait for one URL: beyond that the oldest is dropped."""
_FAILED: Final = 300
"""The statuses from here on are no success: no redirect is followed, for the URL may hold a token."""


class Refused(Exception):
    """A URL did not take a notice; the text is for the log, and holds nothing of the URL."""


class Notifier(Protocol):
    """One URL."""

    async def tell(self, notice: Notice) -> None:
        """Raises Refused, or anything else that goes wrong."""
        ...


class Posted:
    """Implements Notifier: a POST with JSON, whose `text` the webhooks of chats show."""

    def __init__(self, url: str) -> None:
        """No connection stays open between two notices."""
        self._url = url

    async def tell(self, notice: Notice) -> None:
        """See Notifier."""
        timeout = ClientTimeout(total=_SECONDS)
        async with (
            ClientSession(timeout=timeout, trust_env=True) as session,
            session.post(self._url, json=notice.as_json(), allow_redirects=False) as answer,
        ):
            if answer.status >= _FAILED:
                raise Refused(f"HTTP {answer.status}")


class Apprised:
    """Implements Notifier: by apprise, in a thread of its own."""

    def __init__(self, url: str) -> None:
        """The URL is one that apprise knows: the configuration was checked."""
        self._url = url

    async def tell(self, notice: Notice) -> None:
        """See Notifier."""
        if not await asyncio.wait_for(asyncio.to_thread(self._notify, notice), 6 * _SECONDS):
            raise Refused("apprise could not deliver it")

    def _notify(self, notice: Notice) -> bool:
        from apprise import Apprise  # noqa: PLC0415 - large, and for those alone who have such a URL

        apprise = Apprise()
        apprise.add(self._url)
        _, _, body = notice.text.partition("\n")
        return bool(apprise.notify(body, title=notice.title))


def notifier_of(url: str) -> Notifier:
    """What tells a URL."""
    return Posted(url) if urlsplit(url).scheme in PLAIN else Apprised(url)


class Outgoing:
    """What waits for one URL."""

    def __init__(self, name: str, notifier: Notifier, clock: Clock, counts: Counter[str]) -> None:
        """`name` is for the log, in the place of the URL; `counts` hears of each outcome."""
        self._name = name
        self._notifier = notifier
        self._clock = clock
        self._counts = counts
        self._waiting: deque[Notice] = deque()
        self._task: asyncio.Task[None] | None = None

    def put(self, notice: Notice) -> None:
        """Tell this, after what waits already."""
        if len(self._waiting) >= _WAITING:
            self._waiting.popleft()
            self._counts["dropped"] += 1
            log.error("alert_dropped", lane=self._name, reason=f"more than {_WAITING} wait for this URL")
        self._waiting.append(notice)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._go(), name=self._name)

    async def stop(self, seconds: float) -> None:
        """Let what is on its way arrive within `seconds`; then forget the rest."""
        if self._task is not None and not self._task.done():
            await asyncio.wait({self._task}, timeout=seconds)
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _go(self) -> None:
        tries = 0
        while self._waiting:
            notice = self._waiting[0]
            if reason := await self._failure(notice):
                self._counts["failed"] += 1
                pause = _PAUSES[min(tries, len(_PAUSES) - 1)]
                tries += 1
                log.warning("alert_not_sent", lane=self._name, reason=reason, attempt=tries, seconds=pause)
                await self._clock.sleep(pause)
                continue
            tries = 0
            self._counts["sent"] += 1
            log.info("alert_sent", lane=self._name, count=len(notice.firing) + len(notice.over))
            if self._waiting and self._waiting[0] is notice:
                self._waiting.popleft()

    async def _failure(self, notice: Notice) -> str:
        """Why a notice was not taken; "" when it was."""
        try:
            await self._notifier.tell(notice)
        except Refused as error:
            return str(error)
        except (ClientError, OSError, TimeoutError) as error:
            return type(error).__name__
        except Exception as error:  # noqa: BLE001 - whatever a plug-in of apprise raises, traffic goes on
            return kind_of(error)
        return ""
