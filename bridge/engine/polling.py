"""What is done again and again while the bridge runs: news asked for where nobody tells us, and warnings in time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bridge.engine.backoff import Backoff
from bridge.engine.ingest import arrivals_asked_for
from bridge.errors import Broken, NotSent, OutcomeUnknown, Rejected, SendError, StoreError
from bridge.events import Status
from bridge.log import kind_of, log, outcome_of
from bridge.providers.optional import Polls, TellsFates, Warns
from bridge.store.lifecycle import STATUS_RANK
from bridge.units import SECOND

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Sequence

    from bridge.clock import Clock
    from bridge.config.accounts import Account
    from bridge.engine.delivery.client import Client
    from bridge.providers.optional import Polled
    from bridge.store.port import Store
    from bridge.store.records import Unconfirmed

_DAY: Final = 86_400.0
_AT_ONCE: Final = 500
"""Events in one transaction."""
_FATES: Final = 100
"""Messages asked after in one round."""
_LONGEST: Final = 900.0
"""Seconds a round that fails waits at most for the next (or its own period, if that is longer)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a round works with. `wants` tells whether any rule is for events of a tag."""

    store: Store
    clock: Clock
    rng: random.Random
    wants: Callable[[str], bool]


class Round:
    """Does one thing every so many seconds, slower and slower while it fails."""

    def __init__(self, name: str, account: str, every: float, do: Callable[[], Awaitable[None]], tools: Tools) -> None:
        """Nothing is done until `start`; `name` is for the log."""
        self._name = name
        self._account = account
        self._every = every
        self._do = do
        self._tools = tools
        self._backoff = Backoff(attempts=1 << 62, base=every, cap=max(every, _LONGEST))
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Do it now, and go on."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"{self._name} {self._account}")

    async def stop(self) -> None:
        """Do it no more; what was not finished is done again after the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while True:
            asked: float | None = None
            try:
                await self._do()
                self._failures = 0
            except Broken:
                return
            except SendError as error:
                asked = error.retry_after if isinstance(error, NotSent | OutcomeUnknown) else None
                self._failed(outcome_of(error))
            except StoreError as error:
                self._failed(str(error))
            except Exception as error:  # noqa: BLE001 - a provider that cannot read an answer must not end the asking
                self._failed(kind_of(error))
            await self._tools.clock.sleep(self._pause(asked))

    def _failed(self, reason: str) -> None:
        self._failures += 1
        log.warning("round_failed", account=self._account, lane=self._name, reason=reason, attempt=self._failures)

    def _pause(self, asked: float | None) -> float:
        if not self._failures:
            return self._every
        now = self._tools.clock.now()
        again_at = self._backoff.again_at(self._failures, now, self._tools.rng, retry_after=asked)
        return max(((again_at or now) - now) / SECOND, self._every)


class Rounds:
    """All rounds of all accounts."""

    def __init__(self, accounts: Sequence[tuple[Account, Client]], tools: Tools) -> None:
        """What each account's provider can do and is configured to."""
        self._rounds = [each for account, client in accounts for each in _rounds_of(account, client, tools)]

    def start(self) -> None:
        """Begin all of them."""
        for each in self._rounds:
            each.start()

    async def stop(self) -> None:
        """End all of them."""
        await asyncio.gather(*(each.stop() for each in self._rounds))


def _rounds_of(account: Account, client: Client, tools: Tools) -> list[Round]:
    provider, name = account.provider, account.name
    found = []
    if isinstance(provider, Polls):
        for each in provider.polled:
            poller = _Poller(account, provider, each, client, tools)
            found.append(Round(f"poll {each}", name, provider.poll_every, poller.ask, tools))
    if isinstance(provider, TellsFates) and provider.fates_every is not None:
        fates = _Fates(account, provider, client, tools)
        found.append(Round("fates", name, provider.fates_every, fates.ask, tools))
    if isinstance(provider, Warns):
        found.append(Round("warnings", name, _DAY, _Warnings(name, provider, tools.clock).look, tools))
    return found


async def _receive(account: Account, polled: Polled, tools: Tools) -> None:
    """Store what was told, in its order, by the way that webhooks go."""
    arrivals = arrivals_asked_for(account.name, account.provider.name, polled, tools.wants, tools.clock.now())
    for start in range(0, len(arrivals), _AT_ONCE):
        await tools.store.receive(arrivals[start : start + _AT_ONCE])


class _Poller:
    """One conversation, read to its end in every round.

    The cursor moves after what was read is stored, in a transaction of its own: a crash in between reads the same
    again, and every event is known by its key. So the way that all webhooks go carries nothing for the few that poll.
    """

    def __init__(self, account: Account, provider: Polls, name: str, client: Client, tools: Tools) -> None:
        self._account = account
        self._provider = provider
        self._name = name
        self._client = client
        self._tools = tools

    async def ask(self) -> None:
        store, provider, account = self._tools.store, self._provider, self._account.name
        now = self._tools.clock.now()
        cursor = await store.cursor(account, self._name)
        if cursor is None:
            cursor = provider.first_cursor(now)
            await store.advance(account, self._name, cursor)
        polled = await self._client.ask(lambda credential: provider.poll(self._name, cursor, now, credential))
        await _receive(self._account, polled, self._tools)
        if polled.cursor != cursor:
            await store.advance(account, self._name, polled.cursor)


class _Fates:
    """The messages that nobody told the fate of, a number of them in every round, and all of them in turn."""

    def __init__(self, account: Account, provider: TellsFates, client: Client, tools: Tools) -> None:
        self._account = account
        self._provider = provider
        self._client = client
        self._tools = tools
        self._after = 0

    async def ask(self) -> None:
        since = self._tools.clock.now() - round(self._provider.fates_for * SECOND)
        found = await self._tools.store.unconfirmed(self._account.name, since=since, after=self._after, limit=_FATES)
        for message in found:
            self._after = message.row_id  # first, so that one that cannot be answered does not stand before the others
            await self._ask_after(message)
        if len(found) < _FATES:
            self._after = 0

    async def _ask_after(self, message: Unconfirmed) -> None:
        now = self._tools.clock.now()
        try:
            polled = await self._client.ask(
                lambda credential: self._provider.ask_fate(message.ref, message.message_id, now, credential)
            )
        except Rejected as error:
            log.info("no_fate", account=self._account.name, message_id=message.message_id, reason=outcome_of(error))
            return
        known = STATUS_RANK.get(message.status, 0)
        news = [
            each for each in polled.inbound if isinstance(each.event, Status) and STATUS_RANK[each.event.value] > known
        ]
        await _receive(self._account, replace(polled, inbound=news), self._tools)


class _Warnings:
    """What a person has to do in time, said at the start and every day."""

    def __init__(self, account: str, provider: Warns, clock: Clock) -> None:
        self._account = account
        self._provider = provider
        self._clock = clock

    async def look(self) -> None:
        if reason := self._provider.token_warning(self._clock.now()):
            log.warning("token_expires", account=self._account, reason=reason)
