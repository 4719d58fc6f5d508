"""Stores in which each account has something of every sort: events, dialogs, timers, people, a broadcast."""

from __future__ import annotations

from dataclasses import replace

from bridge.events import Contact, Handoff, encode_event
from bridge.store.broadcasts import BroadcastMove, BroadcastStep
from bridge.store.looks import AuditEntry
from bridge.store.records import StepRow, TimerRow
from bridge.store.spending import Charge
from bridge.testing.contract.store.broadcasts import broadcast, recipient
from bridge.testing.contract.store.desk import AT, NOON, Desk, arrival, given_up, news, ref_of, riddle, saying, sent
from bridge.testing.contract.store.media import photo
from bridge.testing.contract.store.people import PHONE, USER, named
from bridge.testing.contract.store.sends import send


async def met(desk: Desk, account: str) -> None:
    """People: one under two ids, another under an id of hers, two who are merged, and one who opted out."""
    for key, conversation, *identities in (
        ("p1", "628", PHONE, USER),
        ("p2", "ID.1", USER),
        ("p3", "628", PHONE, ("user_id", "ID.2")),
        ("p4", "eve", ("username", "eve")),
    ):
        ref = ref_of(conversation, account)
        await desk.receive(named(key, conversation, *identities, account=account, ref=ref))
    row = desk.told.events[-1]
    commit = await desk.commit_of(row, opted_out=row.id)
    await desk.store.commit_turn(replace(commit, opts_out=True))
    last, first, *_ = sorted((card.id for card in await desk.store.contacts()), reverse=True)
    await desk.store.merge_contacts(first, last, AT)


async def lived(url: str, *accounts: str) -> None:
    """A store in which each account has something of every sort."""
    desk = await Desk(url).open()
    await desk.store.keep_secret("", "postback secret", f"{len(accounts):02}")
    for account in accounts:
        await desk.store.audit(AuditEntry(at=AT, who="ci", what="drop", account=account, target="in-1"))
        first, second, third = await desk.hear("1", "2", "3", account=account)
        said = saying("hi", f"key-{account}")
        commit = await desk.commit_of(first, said, state=b'{"n":1}', step="asked", dialog=b"{}")
        timers = [TimerRow(due_at=AT + due, name=f"t{due}", held=first.seq) for due in (1, 2, 10**12)]
        await desk.store.commit_turn(replace(commit, timers=timers))
        await desk.store.settle_delivery(sent(desk.told.messages[-1], f"m-{account}"))
        await desk.store.settle_turn(given_up(second))
        charge = Charge(account=account, budget="b", period="2026-01-01", amount=2, limit=9)
        step = StepRow(thread_id=third.thread_id, run="r", position=1, call="f", key="k", at=AT, charges=(charge,))
        await desk.store.start_step(step)
        await desk.receive(news(f"unknown-{account}", "read", account=account), riddle("?", account=account))
        await desk.store.fire_timers(AT + 2, 10)
        await desk.store.advance(account, "page", "7")
        await desk.store.keep_secret(account, "postback whatsapp ann x", "long")
        await desk.receive(photo("photo", "bob", account=account))
        await met(desk, account)
        await desk.hear("4", account=account, conversation="bob")
        handoff = Handoff(id="5", contact=Contact(id="bob"), at=NOON)
        (gone,) = await desk.hear("6", account=account, conversation="gone")
        await desk.store.erase(gone.thread_id, AT)
        await announced(desk, account)
        await desk.receive(arrival("by hand:5", "bob", account=account, event=handoff, encoded=encode_event(handoff)))
    await desk.store.close()


async def announced(desk: Desk, account: str) -> None:
    """A broadcast of the account, to somebody."""
    made = broadcast(f"b-{account}", account=account)
    await desk.store.add_broadcast(made)
    await desk.store.add_recipients(made.id, [recipient(1, "bob"), recipient(2, "joe")])
    await desk.store.move_broadcast(made.id, BroadcastMove.STARTED, AT)
    released = replace(send(made.id, "bob"), account=account, ref=ref_of("bob", account))
    await desk.store.step_broadcast(BroadcastStep(broadcast_id=made.id, at=AT, releases=[(1, released)]))
