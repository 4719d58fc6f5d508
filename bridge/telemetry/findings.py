"""What is wrong with a bridge right now, by the bounds of [alerts]."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from bridge.errors import StoreError
from bridge.telemetry.sources import expiries
from bridge.units import SECOND, moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.config.telemetry import Alerts
    from bridge.telemetry.sources import Look, Sources

_DUTY: Final = "alerts"
_MIB: Final = 1 << 20


class Kind(StrEnum):
    """What alerts are about."""

    DEAD_LETTERS = "dead_letters"
    PAUSED = "paused"
    BACKLOG = "backlog"
    TOKEN = "token"  # noqa: S105 - the name of a kind
    DISK = "disk"
    GUARD = "guard"
    STORE = "store"


OVER: Final = {
    Kind.DEAD_LETTERS: "no dead letters wait at {} any more",
    Kind.PAUSED: "the gateway takes the messages of {} again",
    Kind.BACKLOG: "nothing of {} waits too long any more",
    Kind.TOKEN: "the token of {} is good for longer",
    Kind.DISK: "the disk of the database has room again",
    Kind.GUARD: "no conversation of {} was held for a loop lately",
    Kind.STORE: "webhooks are stored again",
}
"""What is said when it is over, of an account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is wrong. `count` grows with each new case, where there are cases; else it is 0."""

    kind: Kind
    account: str = ""
    text: str
    count: int = 0


class Findings:
    """Remembers since when things are as they are. The first look takes as given what is there."""

    def __init__(self, bounds: Alerts, sources: Sources) -> None:
        """Nothing was seen yet."""
        self._bounds = bounds
        self._sources = sources
        self._paused: dict[str, int] = {}
        """Since when each account is paused (microseconds)."""
        self._letters: Counter[str] | None = None
        """How many dead letters each account had at the last look."""
        self._new: Counter[str] = Counter()
        """How many came since the first one."""
        self._held: dict[str, tuple[int, int]] = {}
        """How many conversations were held for a loop, and when that was seen last to have grown."""
        self.has_duty = True
        """Whether this process tells what all processes of a store would tell."""

    async def now(self) -> list[Finding]:
        """What is wrong."""
        look = await self._sources.look()
        await self._ask_for_duty()
        own = [*self._guard(look.at)]
        if not self.has_duty:
            return own
        self._count_letters(look)
        found = (self._dead_letters(look), self._pauses(look.at), self._backlog(look), self._tokens(look.at))
        return [*own, *(each for some in found for each in some), *self._machine(look)]

    async def _ask_for_duty(self) -> None:
        """A store that is away tells nothing, and leaves the duty with whoever has it."""
        try:
            self.has_duty = await self._sources.each[0].store.has_duty(_DUTY)
        except StoreError:
            return

    def _count_letters(self, look: Look) -> None:
        if not look.reached:
            return
        dead = Counter({account: summary.dead for account, summary in look.summaries.items()})
        if self._letters is not None:
            self._new += dead - self._letters
        self._letters = dead

    def _dead_letters(self, look: Look) -> Iterator[Finding]:
        for account, count in self._new.items() if self._bounds.dead_letters else ():
            waiting = self._letters[account] if self._letters is not None else 0
            if waiting or not look.reached:
                text = f"dead letters at {account}: {waiting}; `threadbridge dead list` shows them"
                yield Finding(kind=Kind.DEAD_LETTERS, account=account, text=text, count=count)

    def _pauses(self, now: int) -> Iterator[Finding]:
        workers = [worker for source in self._sources.each for worker in source.delivery.workers.values()]
        self._paused = {each.account: self._paused.get(each.account, now) for each in workers if each.paused}
        for account, since in self._paused.items() if self._bounds.paused else ():
            if now - since >= self._bounds.paused * SECOND:
                text = f"the gateway takes nothing of {account} since {_clock(since)}; its messages wait"
                yield Finding(kind=Kind.PAUSED, account=account, text=text)

    def _backlog(self, look: Look) -> Iterator[Finding]:
        for account, summary in look.summaries.items() if self._bounds.backlog else ():
            if summary.oldest is not None and look.at - summary.oldest >= self._bounds.backlog * SECOND:
                waiting = f"events: {summary.open_events}, messages: {summary.open_messages}"
                text = f"{account} has a backlog since {_clock(summary.oldest)}; {waiting}"
                yield Finding(kind=Kind.BACKLOG, account=account, text=text)

    def _tokens(self, now: int) -> Iterator[Finding]:
        for account, at in expiries(self._sources.each).items() if self._bounds.token else ():
            if at - now <= self._bounds.token * SECOND:
                verb = "expires" if at > now else "has expired"
                text = f"the token of {account} {verb} on {moment(at):%Y-%m-%d}: a person has to renew it"
                yield Finding(kind=Kind.TOKEN, account=account, text=text)

    def _guard(self, now: int) -> Iterator[Finding]:
        for source in self._sources.each if self._bounds.guard else ():
            for account in source.accounts:
                count = source.counters.guard.get((account, "loop"), 0)
                before, at = self._held.get(account, (0, now))
                self._held[account] = (count, now if count > before else at)
                if count and now - self._held[account][1] < self._bounds.period * SECOND:
                    text = f"a conversation of {account} answered itself, and is held for a person"
                    yield Finding(kind=Kind.GUARD, account=account, text=text, count=count)

    def _machine(self, look: Look) -> Iterator[Finding]:
        if self._bounds.disk and look.disk_free is not None and look.disk_free < self._bounds.disk:
            free, bound = look.disk_free // _MIB, self._bounds.disk // _MIB
            yield Finding(kind=Kind.DISK, text=f"the disk of the database has {free} MiB left, less than {bound} MiB")
        if self._bounds.store and not (look.ready and look.reached):
            yield Finding(kind=Kind.STORE, text="nothing can be stored: webhooks are answered 503")


def _clock(at: int) -> str:
    return f"{moment(at):%Y-%m-%d %H:%M} UTC"
