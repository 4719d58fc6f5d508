"""Polling: an account is asked for news that no webhook brings, and for warnings about its token."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from bridge.engine.backoff import MOST_PAUSE, Backoff
from bridge.engine.counters import Counters
from bridge.engine.ingest import arrivals_asked_for, log_quarantine
from bridge.errors import Broken, NotSent, OutcomeUnknown, Rejected, SendError, StoreError
from bridge.events import Status
from bridge.log import kind_of, log, outcome_of
from bridge.store.lifecycle import STATUS_RANK
from bridge.units import SECOND

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Sequence

    from bridge.clock import Clock
    from bridge.config.accounts import Account
    from bridge.engine.delivery.client import Client
    from bridge.providers.optional import Polled, Polls, TellsFates, Warns
    from bridge.store.looks import Unconfirmed
    from bridge.store.port import Store

_DAY: Final = 86_400.0
_BATCH: Final = 500
"""Events in one transaction."""
_FATES: Final = 100
"""Messages whose fate is asked for in one round."""
_WITHOUT_END: Final = 1 << 62
"""Attempts: a round that fails is repeated for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollingTools:
    """What a round works with. `wants` tells whether any rule takes events of a tag, `fetches` whether media stay."""

    store: Store
    clock: Clock
    rng: random.Random
    wants: Callable[[str], bool]
    fetches: bool = False
    counters: Counters = field(default_factory=Counters)


class Round:
    """Does one thing every so many seconds; while it fails, ever more slowly."""

    def __init__(
        self, name: str, account: str, every: float, do: Callable[[], Awaitable[None]], tools: PollingTools
    ) -> None:
        """Nothing happens until `start`; `name` is for the log."""
        self._name = name
        self._account = account
        self._every = every
        self._do = do
        self._tools = tools
        self._backoff = Backoff(attempts=_WITHOUT_END, base=every, cap=max(every, MOST_PAUSE))
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin the first round at once."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"{self._name} {self._account}")

    async def stop(self) -> None:
        """End the rounds; the next start repeats an unfinished one."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while True:
            asked: float | None = None
            try:
                if await self._tools.store.has_duty(f"{self._name} {self._account}"):
                    await self._do()
                self._failures = 0
            except Broken:
                return
            except SendError as error:
                asked = error.retry_after if isinstance(error, NotSent | OutcomeUnknown) else None
                self._failed(outcome_of(error))
            except StoreError as error:
                self._failed(str(error))
            except Exception as error:  # noqa: BLE001 - a fault in a provider must not end its polling
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


class Polling:
    """The rounds of all accounts."""

    def __init__(self, accounts: Sequence[tuple[Account, Client]], tools: PollingTools) -> None:
        """Each account gets the rounds that its provider supports and its settings ask for."""
        self._rounds = [made for account, client in accounts for made in _rounds_of(account, client, tools)]

    def start(self) -> None:
        """Begin every round."""
        for made in self._rounds:
            made.start()

    async def stop(self) -> None:
        """End every round."""
        await asyncio.gather(*(made.stop() for made in self._rounds))


def _rounds_of(account: Account, client: Client, tools: PollingTools) -> list[Round]:
    polls, tells, warns, name = account.polls, account.tells_fates, account.warns, account.name
    rounds = []
    if polls is not None:
        for place in polls.polled:
            poller = _Poller(account, polls, place, client, tools)
            rounds.append(Round(f"poll {place}", name, polls.poll_every, poller.ask, tools))
    if tells is not None and tells.fates_every is not None:
        fates = _Fates(account, tells, client, tools)
        rounds.append(Round("fates", name, tells.fates_every, fates.ask, tools))
    if warns is not None:
        rounds.append(Round("warnings", name, _DAY, _Warnings(name, warns, tools.clock).look, tools))
    return rounds


async def _receive(account: Account, polled: Polled, tools: PollingTools) -> None:
    """Store the events in their order, as webhooks are stored."""
    arrivals = arrivals_asked_for(
        account.name, account.provider.name, polled, tools.wants, tools.clock.now(), fetches=tools.fetches
    )
    for start in range(0, len(arrivals), _BATCH):
        batch = arrivals[start : start + _BATCH]
        receipts = await tools.store.receive(batch)
        tools.counters.arrived(batch, receipts)
        log_quarantine(batch, receipts)


class _Poller:
    """Reads one conversation to its end in every round.

    The cursor moves after the events are stored, in a transaction of its own. A crash in between reads the same events
    again, and their keys make them duplicates. So the path of a webhook carries nothing for polling.
    """

    def __init__(self, account: Account, provider: Polls, name: str, client: Client, tools: PollingTools) -> None:
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
    """Asks for the fate of messages without a status: a number of them in every round, and all of them in turn."""

    def __init__(self, account: Account, provider: TellsFates, client: Client, tools: PollingTools) -> None:
        self._account = account
        self._provider = provider
        self._client = client
        self._tools = tools
        self._after = 0

    async def ask(self) -> None:
        since = self._tools.clock.now() - round(self._provider.fates_for * SECOND)
        messages = await self._tools.store.unconfirmed(self._account.name, since=since, after=self._after, limit=_FATES)
        for message in messages:
            self._after = message.row_id  # first: one without an answer must not hold up the rest
            await self._ask_after(message)
        if len(messages) < _FATES:
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
            inbound
            for inbound in polled.inbound
            if isinstance(inbound.event, Status) and STATUS_RANK[inbound.event.value] > known
        ]
        await _receive(self._account, replace(polled, inbound=news), self._tools)


class _Warnings:
    """Logs what a person has to do about a token, at the start and every day."""

    def __init__(self, account: str, provider: Warns, clock: Clock) -> None:
        self._account = account
        self._provider = provider
        self._clock = clock

    async def look(self) -> None:
        if reason := self._provider.token_warning(self._clock.now()):
            log.warning("token_expires", account=self._account, reason=reason)
