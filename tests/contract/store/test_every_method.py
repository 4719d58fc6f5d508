"""Each method of the port, called once on the SQLite store with the planner listening: none escapes its questions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from bridge.events import Echo, encode_event
from bridge.store.broadcasts import BroadcastMove, BroadcastStep, RecipientEnd, RecipientMove, RecipientState
from bridge.store.encryption import key_from
from bridge.store.following import TYPES, Followers, account_of
from bridge.store.lifecycle import InboxState
from bridge.store.looks import AuditEntry, ThreadSearch
from bridge.store.media import FetchEnd, FetchRetry
from bridge.store.migrations import Migration
from bridge.store.people.families import NOBODY
from bridge.store.port import Store
from bridge.store.records import StepRow
from bridge.store.retention import Sweep
from bridge.store.spending import Charge
from bridge.testing.contract.store.broadcasts import broadcast, recipient
from bridge.testing.contract.store.desk import AT, Desk, again, arrival, given_up, news, ref_of, refused, sent
from bridge.testing.contract.store.media import KEPT, photo
from bridge.testing.contract.store.people import PHONE, USER, named
from bridge.testing.contract.store.sends import send
from tests.contract.store.test_contract import planned
from tests.support.postgres import empty_store

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.store.records import InboxRow

__all__ = ["planned"]

_QUIET: Final = {"processes", "listen", "peek", "mark", "suspects", "deaths", "statement", "close"}
"""Methods that ask the database nothing."""
SEARCHES: Final = (
    ThreadSearch(text="ann"),
    ThreadSearch(held=True),
    ThreadSearch(waits=True, dead=True),
)


class Called:
    """A store, and the names of its methods that were called."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.names: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.names.add(name)
        return getattr(self._store, name)


@pytest.mark.usefixtures("planned")
async def test_no_method_of_the_store_costs_more_with_every_day(tmp_path: Path) -> None:
    desk = await Desk(f"sqlite:///{tmp_path / 'store.db'}").open()
    desk.store = called = Called(desk.store)
    (row,) = await desk.hear("1")
    await work(desk, row)
    await look(called, desk.told.events[-1])
    assert {name for name in dir(Store) if not name.startswith("_")} - called.names == _QUIET
    await desk.store.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_every_method_of_the_store_works_with_keys(kind: str, tmp_path: Path, empty: str) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}" if kind == "sqlite" else empty
    desk = await Desk(url, [key_from(bytes(32))]).open()
    (row,) = await desk.hear("1")
    await work(desk, row)
    await look(desk.store, desk.told.events[-1])
    await desk.store.close()


@pytest.fixture
def empty() -> str:
    return empty_store()


async def met(desk: Desk) -> None:
    """People: one under two ids, another under an id of hers, and two who are merged for a while."""
    for key, conversation, *identities in (
        ("p1", "628", PHONE, USER),
        ("p2", "ID.1", USER),
        ("p3", "628", PHONE, ("user_id", "ID.2")),
        ("p4", "eve", ("username", "eve")),
    ):
        await desk.receive(named(key, conversation, *identities))
    row = desk.told.events[-1]
    commit = await desk.commit_of(row, opted_out=row.id)
    await desk.store.commit_turn(replace(commit, opts_out=True, person=NOBODY))
    last, first, *_ = sorted((card.id for card in await desk.store.contacts()), reverse=True)
    await desk.store.merge_contacts(first, last, AT)
    await desk.store.unmerge_contact(last, AT)


async def announced(store: Any) -> None:
    """A broadcast to somebody."""
    await store.add_broadcast(broadcast())
    await store.add_recipients("b1", [recipient(1, "ann"), recipient(2, "ann")])
    await store.move_broadcast("b1", BroadcastMove.STARTED, AT)
    ends = [RecipientEnd(number=2, move=RecipientMove.REFUSED)]
    step = BroadcastStep(broadcast_id="b1", at=AT, releases=[(1, send("b1", "ann"))], ends=ends, later=[(1, AT)])
    assert {*await store.step_broadcast(step)} == {1}
    for account in (None, "shop"):
        await store.broadcasts(account=account)
    assert len(await store.broadcasts(active=True)) == 1
    assert await store.broadcast("b1") is not None
    assert (await store.broadcast_counts("b1")).total == 1
    for state in (None, RecipientState.RELEASED):
        assert len(await store.recipients("b1", state=state)) == 1


async def fetched(desk: Desk, thread_id: int) -> None:
    """Media: fetched, put off, given up and forgotten."""
    store = desk.store
    await desk.receive(photo("photo"), photo("other photo"))
    claimed, _ = await store.claim_media(AT, 10)
    first_medium, second_medium = (medium for medium in claimed if medium.account == "shop")
    await store.retry_fetch(FetchRetry(media_id=first_medium.id, attempt=2, available_at=AT, reason="?"))
    await store.settle_fetch(FetchEnd(media_id=first_medium.id, at=AT, kept=KEPT))
    await store.settle_fetch(FetchEnd(media_id=second_medium.id, at=AT, reason="?"))
    await store.forget_media(thread_id=thread_id)
    await store.forget_media(before=AT)
    await store.remove_media(first_medium.id)


async def work(desk: Desk, row: InboxRow) -> None:
    """What changes something."""
    store, thread_id = desk.store, row.thread_id
    await store.take_over()
    store.follow(Followers({account_of("crm"): TYPES}))
    await store.migrate(Migration(1, "0001_a.sql", "CREATE TABLE bot_a (x INTEGER)", "d"), AT)
    assert await store.has_duty("d")
    await store.tell_pause("shop", "away", 1.0)
    charge = Charge(account="shop", budget="b", period="2026-01-01", amount=2, limit=9)
    step = StepRow(thread_id=thread_id, run="r", position=0, call="c", key="k", at=AT, charges=(charge,))
    await store.start_step(step)
    await store.end_step(replace(step, result=b"1", cost=1))
    await store.retry_turn(again(row, others=(row.id,)))
    first, second = await desk.turn(row, "a", "b", dialog=b"{}")
    await store.end_dialog(thread_id, "t", AT)
    await store.claim_delivery(first.id, AT)
    await store.retry_delivery(again(first))
    await store.settle_delivery(sent(first, "m-1"))
    await store.settle_delivery(refused(second))
    await desk.receive(news("m-1", "read"), news("m-0", "read", state=InboxState.OPEN))
    (late,) = await desk.hear("2")
    await store.try_suspect(late.id)
    await store.settle_turn(given_up(late))
    await store.replay(f"in-{late.id}", AT)
    await store.drop(f"out-{second.id}", AT)
    await store.fire_timers(AT, 10)
    await met(desk)
    await announced(store)
    await fetched(desk, thread_id)
    (gone,) = await desk.said("gone", conversation="gone")
    while (await store.erase(gone.thread_id, AT)).more:
        pass
    while (await store.reseal()).more:
        pass
    assert await store.wipe()
    await store.leap()
    assert (await store.erase_contact(99)).threads == ()
    echo = Echo(id="e", contact=row.event.contact, at=row.event.at, text="?")
    await desk.receive(arrival("e", event=echo, encoded=encode_event(echo)))
    for sweep in Sweep:
        await store.sweep(sweep, AT)
    await store.advance("shop", "n", "1")
    await store.keep_secret("shop", "n", "1")
    await store.renew_secret("shop", "n", "2")
    await store.audit(AuditEntry(at=AT, who="ci", what="drop"))


async def look(store: Any, row: InboxRow) -> None:
    """What changes nothing."""
    thread_id = row.thread_id
    assert not await store.sent_by_us(row, AT)
    await store.thread(thread_id)
    await store.claimed(thread_id)
    await store.steps(thread_id)
    await store.held(thread_id, 10)
    await store.dialogs()
    await store.due_at(thread_id, "n")
    for after in (store.inbox_after, store.outbox_after):
        await after(thread_id, 0, 10)
    for heads in (store.inbox_heads, store.outbox_heads):
        await heads(0, 10)
        await heads(0, 10, "shop")
    for account in (None, "shop"):
        await store.dead_letters(account=account, reason="?", state="dead")
        for search in SEARCHES:
            await store.search_threads(replace(search, account=account), limit=2)
        await store.timers_to_come(account=account)
        for held in (False, True):
            await store.threads(account=account, held=held)
    assert {*await store.last_said([thread_id])} == {thread_id}
    for letter in ("in-1", "out-1"):
        await store.dead_letter(letter)
    for name in ("1", "m-1", "key-a"):
        (letter, *_) = await store.find(name)
        assert await store.trace(letter) is not None
    assert await store.raws(10)
    assert await store.recorded(thread_id, limit=2)
    assert await store.spoken(thread_id, limit=2)
    assert len(await store.timeline(thread_id, limit=2)) == 2
    assert len(await store.migrations()) == 1
    await store.fetch("SELECT x FROM bot_a", ())
    await store.cursor("shop", "n")
    await store.secret("shop", "n")
    assert await store.spent("shop", "b") == ("2026-01-01", 1)
    assert await store.spending(account="shop", limit=2) == [("shop", "b", "2026-01-01", 1)]
    await store.unconfirmed("shop", since=AT, after=0, limit=10)
    await store.accounts()
    await store.find_thread(ref_of("ann"))
    assert len(await store.history(thread_id, limit=2)) == 2
    await store.counts()
    assert len(await store.encrypted_under()) == 1
    for sweep in Sweep:
        await store.sweepable(sweep, AT + 1)
    await store.media([1, 2])
    (card, *_) = await store.contacts()
    assert await store.contact(card.id) == card
    assert await store.contacts_named("nobody") == []
    assert await store.threads_of_contact(card.id)
    await store.forgotten_media(10)
    await store.event("shop", "1")
    await store.messages([["key-a"]])
    await store.oldest_letters(account="shop", reason="", until=AT, limit=10)
    await store.summary(thread_id)
    for account in (None, "shop"):
        await store.audited(account=account)
