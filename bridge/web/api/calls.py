"""One request to the REST API: who asks, with what, and which conversations they may see."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from bridge.store.following import is_follower
from bridge.store.looks import AuditEntry
from bridge.store.replay import letter_of
from bridge.web.api.problems import Refusal
from bridge.web.control_protocol import number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bridge.clock import Clock
    from bridge.store.looks import DeadLetter, Place, ThreadSummary
    from bridge.web.api.backend import Backend

T = TypeVar("T")

_CURSOR: Final = re.compile(r"([0-9a-f]{1,16})-([0-9a-f]{1,16})")
_GREATEST: Final = 2**63 - 1
NO_ACCOUNT: Final = "there is no account of this name"
NO_THREAD: Final = "there is no conversation of this id"
NO_LETTER: Final = "there is no dead letter of this id"


class Asker(Protocol):
    """Who asks: a token of [api], or whoever logged in to the console. `accounts` are theirs to see; None: all."""

    @property
    def name(self) -> str:
        """As the audit has it."""
        ...

    @property
    def accounts(self) -> frozenset[str] | None:
        """Whose conversations they may see."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that was admitted. `query` and `body` are what the operation says."""

    token: Asker
    backends: Sequence[Backend]
    clock: Clock
    path: Mapping[str, str]
    query: Any = None
    body: Any = None

    def of_account(self, account: str) -> Backend:
        """The database of an account. Raises Refusal: there is none, or the token may not see it."""
        for backend in self.backends:
            if account in backend.accounts and self.sees(account):
                return backend
        raise Refusal(404, NO_ACCOUNT)

    def sees(self, account: str) -> bool:
        """Whether the token may see an account, also one that is not configured any more."""
        return self.token.accounts is None or account in self.token.accounts

    def lists(self, account: str | None) -> Iterator[tuple[Backend, str | None]]:
        """Where to read a list, and of which accounts; None: of all there."""
        if account is not None:
            yield self.of_account(account), account
        elif self.token.accounts is None:
            for backend in self.backends:
                yield backend, None
        else:
            for name in sorted(self.token.accounts):
                yield self.of_account(name), name

    def id_of(self, account: str, own: object) -> str:
        """The id of something: with its account before it where one number may stand in several databases."""
        return str(own) if len(self.backends) == 1 else f"{account}:{own}"

    def read_id(self, text: str) -> Iterator[tuple[Backend, str, str | None]]:
        """Where the thing of an id may be, its id there, and its account, if that is known."""
        account, colon, own = text.partition(":")
        if colon:
            yield self.of_account(account), own, account
        elif len(self.backends) == 1:
            yield self.backends[0], text, None

    async def thread(self) -> tuple[Backend, ThreadSummary]:
        """The conversation that the path names. Raises Refusal."""
        for backend, own, account in self.read_id(self.path["thread_id"]):
            number = number_of(own)
            summary = None if number is None else await backend.store.summary(number)
            if summary is None or is_follower(summary.ref.account):
                continue
            if account in {None, summary.ref.account} and self.sees(summary.ref.account):
                return backend, summary
        raise Refusal(404, NO_THREAD)

    async def letter(self) -> tuple[Backend, DeadLetter]:
        """The dead letter that the path names. Raises Refusal."""
        for backend, own, account in self.read_id(self.path["letter_id"]):
            letter = await backend.store.dead_letter(own)
            if letter is not None and account in {None, letter.account} and self.sees(letter.account):
                return backend, letter
        raise Refusal(404, NO_LETTER)

    async def audit(self, backend: Backend, what: str, account: str, target: str) -> None:
        """Note what is about to be done: nothing is done without that."""
        now = self.clock.now()
        await backend.store.audit(AuditEntry(at=now, who=self.token.name, what=what, account=account, target=target))


def cursor_of(place: Place) -> str:
    """A place in a list, for the program that reads it."""
    return f"{place[0]:x}-{place[1]:x}"


def read_cursor(text: str | None) -> Place | None:
    """The place that a cursor names; whatever it names, what is behind it is for the token to see or not."""
    if text is None:
        return None
    match = _CURSOR.fullmatch(text)
    place = (int(match[1], 16), int(match[2], 16)) if match else (_GREATEST + 1, 0)
    if max(place) > _GREATEST:
        raise Refusal(422, "the cursor is none of ours: take `next` of the page before")
    return place


def page_of(found: list[T], limit: int, place: Callable[[T], Place]) -> tuple[list[T], str | None]:
    """The first `limit` of what several lists begin with, the latest first, and the cursor if there is more."""
    found.sort(key=place, reverse=True)
    page = found[:limit]
    return page, cursor_of(place(page[-1])) if len(found) > limit else None


def place_of(letter: DeadLetter) -> Place:
    """Where a dead letter stands in the list."""
    return letter.at, letter_of(letter.id)[1] or 0
