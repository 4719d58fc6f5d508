"""What a running turn can ask of the bridge: its history, a dialog to begin, a timer to check."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from bridge.conversation.contact import ContactThread
from bridge.conversation.draft import begun_draft
from bridge.conversation.state import State
from bridge.conversation.suspension import StoreWatch
from bridge.conversation.transcript import Entry
from bridge.conversation.turn import turn_with
from bridge.engine.handoff import is_with_person
from bridge.engine.jobs import JOBS
from bridge.engine.turns.batching import MOST
from bridge.engine.turns.sending import destination, person
from bridge.errors import HandlerError
from bridge.events import Contact, decode_event
from bridge.frozen import dataclass
from bridge.messages import decode_message
from bridge.routing.schedule import later
from bridge.store.people.asking import Known
from bridge.store.people.families import NOBODY, person_of
from bridge.units import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bridge.config.accounts import Account
    from bridge.conversation.catalogue import Catalogue
    from bridge.conversation.effects import Destination
    from bridge.conversation.turn import To, Turn
    from bridge.engine.turns.batching import Batch
    from bridge.engine.turns.dialogs import Dialogs
    from bridge.statements import Record, Statement
    from bridge.store.looks import HistoryEntry
    from bridge.store.port import Store
    from bridge.store.records import ThreadRow


@dataclass(frozen=True, slots=True)
class TurnServices:
    """Implements bridge.conversation.turn.Services for the turn of a batch."""

    schedule = staticmethod(later)

    store: Store
    accounts: Mapping[str, Account]
    dialogs: Dialogs
    batch: Batch
    texts: Catalogue
    thread: ThreadRow
    watch: StoreWatch = field(default_factory=StoreWatch)
    """The watch of the turn's draft."""

    def text(self, key: str, locale: str | None, values: Mapping[str, object]) -> str:
        """A text of the bot's catalogue."""
        return self.texts.text(key, locale, values)

    async def history(self, limit: int) -> Sequence[Entry]:
        """The last things said, without the turn's own events and those that still wait."""
        own = {row.id for row in self.batch.rows}
        with self.watch.signals():
            rows = await self.store.history(self.batch.head.thread_id, limit=limit + len(own) + MOST)
        past = [row for row in rows if row.direction == "out" or (row.state != "open" and row.id not in own)]
        return [_entry(row) for row in past[-limit:]]

    def destination(self, to: To, channel: str | None, account: str | None) -> Destination:
        """The conversation to send to, at the turn's own account unless another is named."""
        ref = self.batch.head.ref
        if (known := person(to, account, channel)) is not None:
            return known
        if account is None and ref.account == JOBS:
            account = next(iter(self.accounts.keys() - {JOBS})) if len(self.accounts) == 2 else None  # noqa: PLR2004 - that and one
            if account is None:
                raise HandlerError("a job belongs to no account: name the one to send by, turn.send(..., account=)")
        if channel is None and account is None and isinstance(to, Contact):
            channel = ref.channel
        return destination(self.accounts, account or ref.account, to, channel)

    async def threads_of_contact(self) -> Sequence[ContactThread]:
        """All conversations of the turn's contact."""
        with self.watch.signals():
            thread = await self.store.thread(self.batch.head.thread_id)
            threads = await self.store.threads_of_contact(thread.contact_id) if thread.contact_id is not None else []
        return [
            ContactThread(
                each.ref, None if each.last_heard is None else moment(each.last_heard), opted_out=each.opted_out > 0
            )
            for each in sorted(threads, key=lambda row: row.last_heard or 0, reverse=True)
            if not each.is_alias
        ]

    def statement(self, sql: str, parameters: Sequence[Any]) -> Statement:
        """Check a statement of the author's."""
        return self.store.statement(sql, parameters)

    async def fetch(self, sql: str, parameters: Sequence[Any]) -> list[Record]:
        """The rows of a query of the author's."""
        with self.watch.signals():
            return await self.store.fetch(sql, parameters)

    async def begin(self, turn: Turn[Any, Any], dialog: Callable[..., object], arguments: tuple[object, ...]) -> None:
        """Begin a dialog in the turn."""
        if self.batch.head.ref.account == JOBS:
            raise HandlerError("a job has nobody to ask: a dialog begins in a conversation")
        if is_with_person(self.batch.newest.event, self.thread):
            raise HandlerError("a person has the conversation: a dialog begins after its return")
        await self.dialogs.begin(self.batch.head, turn, dialog, arguments)


def _entry(row: HistoryEntry) -> Entry:
    if row.direction == "in":
        return Entry(direction="in", at=moment(row.at), event=decode_event(row.kind, row.content))
    return Entry(direction="out", at=moment(row.at), message=decode_message(row.content))


def _person(thread: ThreadRow) -> bytes | None:
    """What a thread has of its contact; one from before people were known may have no more than a number."""
    if thread.person is None and thread.contact_id is not None:
        return person_of([Known(thread.contact_id, None, NOBODY)], [])
    return thread.person


def turn_of(services: TurnServices, now: int) -> Turn[Any, Any]:
    """The turn of a batch, as its thread stands."""
    thread = services.thread
    draft = begun_draft(
        services.batch.happened(),
        State(thread.state),
        thread.step,
        thread.dialog,
        thread.members,
        _person(thread),
        now,
        services.watch,
    )
    draft.opted_out = thread.opted_out > 0
    return turn_with(draft, thread.ref, services)
