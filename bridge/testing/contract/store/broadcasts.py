"""The Store port's promises about broadcasts: each recipient becomes one event, and its outcome is counted once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.store.broadcasts import (
    BLAMED,
    Bounds,
    Broadcast,
    BroadcastMove,
    BroadcastState,
    BroadcastStep,
    Recipient,
    RecipientEnd,
    RecipientMove,
    RecipientState,
)
from bridge.store.retention import Sweep
from bridge.testing.contract.store.desk import AT, Desk, news, saying, sent
from bridge.testing.contract.store.sends import send
from bridge.testing.contract.store.suite import StoreSuite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.store.records import OutboxRow

NAMES = ("ann", "bob", "eve")


def broadcast(id_: str = "b1", **changes: object) -> Broadcast:
    """A draft."""
    made = Broadcast(id=id_, account="shop", content=b"{}", begins_at=AT, created_at=AT, bounds=Bounds(0.1, 0.2, 3))
    return replace(made, **changes)  # type: ignore[arg-type] # a test's own


def recipient(number: int, name: str) -> Recipient:
    """A row of the list."""
    return Recipient(number=number, to=name, channel="whatsapp", conversation=name, fields=b'{"n":"1"}')


async def begun(desk: Desk, *names: str) -> None:
    """A broadcast that runs."""
    await desk.store.add_broadcast(broadcast())
    rows = [recipient(number, name) for number, name in enumerate(names or NAMES, 1)]
    assert await desk.store.add_recipients("b1", rows) == []
    assert await desk.store.move_broadcast("b1", BroadcastMove.STARTED, AT)


async def release(desk: Desk, *names: str) -> None:
    """Messages become events."""
    numbered = {name: number for number, name in enumerate(NAMES, 1)}
    releases = [(numbered[name], send(f"b1-{name}", name)) for name in names]
    await desk.store.step_broadcast(BroadcastStep(broadcast_id="b1", at=AT, releases=releases))


async def said(desk: Desk, name: str) -> OutboxRow:
    """The turn of a released message."""
    (row,) = [event for event in desk.told.events if event.key == f"send:b1-{name}"]
    commit = replace(await desk.commit_of(row), sayings=[saying("hello", f"key-{name}")])
    await desk.store.commit_turn(commit)
    return desk.told.messages[-1]


async def ended(desk: Desk, name: str, move: RecipientMove = RecipientMove.SENT, **changes: object) -> None:
    """The outcome of a recipient's message is noted."""
    end = RecipientEnd(number=NAMES.index(name) + 1, move=move, key=f"key-{name}")
    ends = [replace(end, **changes)]  # type: ignore[arg-type] # a test's own
    await desk.store.step_broadcast(BroadcastStep(broadcast_id="b1", at=AT, ends=ends))


async def states(desk: Desk) -> Mapping[str, int]:
    """How many recipients stand where."""
    return (await desk.store.broadcast_counts("b1")).states


class BroadcastContract(StoreSuite):
    """Broadcasts."""

    async def test_a_draft_takes_each_conversation_once_and_releases_nothing(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        await desk.store.add_broadcast(broadcast())
        rows = [recipient(2, "ann"), recipient(3, "bob"), recipient(4, "ann")]
        assert await desk.store.add_recipients("b1", rows) == [4]
        assert await desk.store.add_recipients("b1", rows) == [4]
        await release(desk, "ann")
        assert desk.told.events == []
        for _ in range(2):
            assert await states(desk) == {"waiting": 2}
            assert await desk.store.recipients("b1") == rows[:2]
            assert await desk.store.recipients("b1", after=2, state=RecipientState.WAITING) == rows[1:2]
            assert await desk.store.broadcast("b1") == broadcast()
            await desk.reopen()
        assert await desk.store.add_recipients("b0", rows) is None

    async def test_a_broadcast_that_runs_takes_no_more_recipients(self, desk: Desk) -> None:
        await begun(desk)
        assert await desk.store.add_recipients("b1", [recipient(9, "zoe")]) is None
        assert await states(desk) == {"waiting": 3}

    async def test_a_released_recipient_is_an_event_of_its_thread_once(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        await begun(desk)
        await release(desk, "ann", "bob")
        await release(desk, "ann")
        assert [event.key for event in desk.told.events] == ["send:b1-ann", "send:b1-bob"]
        await desk.reopen()
        assert await states(desk) == {"waiting": 1, "released": 2}

    async def test_a_paused_broadcast_releases_nothing_and_notes_what_is_on_its_way(self, desk: Desk) -> None:
        await begun(desk)
        await release(desk, "ann")
        assert await desk.store.move_broadcast("b1", BroadcastMove.PAUSED, AT, "enough")
        await release(desk, "bob")
        assert [each.state for each in await desk.store.broadcasts(active=True)] == [BroadcastState.PAUSED]
        await ended(desk, "ann", RecipientMove.REFUSED, reason="no", key=None)
        assert await states(desk) == {"waiting": 2, "refused": 1}
        (paused,) = await desk.store.broadcasts()
        assert (paused.state, paused.reason) == (BroadcastState.PAUSED, "enough")
        assert await desk.store.broadcasts(active=True) == []
        assert ("broadcasting", ()) in desk.told.log

    async def test_a_move_that_cannot_be_is_none(self, desk: Desk) -> None:
        await begun(desk)
        assert not await desk.store.move_broadcast("b0", BroadcastMove.PAUSED, AT)
        assert not await desk.store.move_broadcast("b1", BroadcastMove.STARTED, AT)
        assert await desk.store.move_broadcast("b1", BroadcastMove.CANCELLED, AT)
        assert not await desk.store.move_broadcast("b1", BroadcastMove.STARTED, AT)

    async def test_an_outcome_is_noted_once_and_statuses_follow_it(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        await begun(desk)
        await release(desk, "ann", "bob", "eve")
        for name in NAMES:
            await desk.store.settle_delivery(sent(await said(desk, name), f"m-{name}"))
            await ended(desk, name, unanswered=int(name == "bob"))
            await ended(desk, name, RecipientMove.FAILED)
        assert await states(desk) == {"sent": 3}
        await desk.receive(news("m-ann", "delivered"), news("m-bob", "read"), news("m-eve", "failed"))
        await desk.receive(news("m-ann", "sent"))
        await desk.reopen()
        assert await states(desk) == {"delivered": 1, "read": 1, "failed": 1}
        assert (await desk.store.broadcast_counts("b1")).unanswered == 1

    async def test_a_status_that_came_before_its_outcome_was_noted_counts(self, desk: Desk) -> None:
        await begun(desk)
        await release(desk, "ann")
        await desk.store.settle_delivery(sent(await said(desk, "ann"), "m-1"))
        await desk.receive(news("m-1", "read"))
        await ended(desk, "ann")
        assert await states(desk) == {"waiting": 2, "read": 1}

    async def test_an_opt_out_counts_soon_after_the_message_and_once(self, desk: Desk) -> None:
        await begun(desk)
        await release(desk, "ann", "bob")
        for name in ("ann", "bob"):
            await desk.store.settle_delivery(sent(await said(desk, name)))
        await ended(desk, "ann")
        for name, at in (("ann", AT), ("ann", AT), ("bob", AT), ("eve", AT)):
            (row,) = await desk.hear(f"stop {name} {len(desk.told.events)}", conversation=name)
            commit = await desk.commit_of(row, opted_out=row.id)
            await desk.store.commit_turn(replace(commit, opts_out=True, at=at))
        assert (await desk.store.broadcast_counts("b1")).opt_outs == 1
        (told,) = [row for row in await desk.store.recipients("b1") if row.opted_out]
        assert told.conversation == "ann"

    async def test_an_opt_out_long_after_the_message_is_not_because_of_it(self, desk: Desk) -> None:
        await begun(desk)
        await release(desk, "ann")
        await desk.store.settle_delivery(sent(await said(desk, "ann")))
        await ended(desk, "ann")
        (row,) = await desk.hear("stop")
        commit = await desk.commit_of(row, opted_out=row.id)
        await desk.store.commit_turn(replace(commit, opts_out=True, at=AT + BLAMED + 1))
        assert (await desk.store.broadcast_counts("b1")).opt_outs == 0

    async def test_bounds_count_from_the_last_start(self, desk: Desk) -> None:
        await begun(desk)
        await release(desk, "ann", "bob")
        await ended(desk, "ann", RecipientMove.FAILED)
        await desk.store.settle_delivery(sent(await said(desk, "bob")))
        await ended(desk, "bob")
        await desk.store.move_broadcast("b1", BroadcastMove.PAUSED, AT)
        await desk.store.move_broadcast("b1", BroadcastMove.STARTED, AT + 1)
        again = await desk.store.broadcast("b1")
        assert again is not None
        assert (again.base, again.state, again.updated_at) == ((1, 1, 0), BroadcastState.RUNNING, AT + 1)

    async def test_a_message_for_later_is_looked_at_later(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        await begun(desk)
        await release(desk, "ann")
        await desk.store.step_broadcast(BroadcastStep(broadcast_id="b1", at=AT, later=[(1, AT + 9), (2, AT + 9)]))
        await desk.reopen()
        assert [row.look_at for row in await desk.store.recipients("b1")] == [AT + 9, 0, 0]

    async def test_an_erased_conversation_is_no_recipient_whether_released_or_not(self, desk: Desk) -> None:
        await begun(desk)
        await release(desk, "ann")
        await desk.hear("1", conversation="bob")
        threads = {thread.ref.conversation_id: thread.id for thread in await desk.store.threads()}
        for name in ("ann", "bob"):
            assert (await desk.store.erase(threads[name], AT)).rows["recipients"] == 1
        assert [row.conversation for row in await desk.store.recipients("b1")] == ["eve"]

    async def test_broadcasts_are_listed_the_newest_first(self, desk: Desk) -> None:
        for number, account in enumerate(("shop", "other", "shop")):
            await desk.store.add_broadcast(broadcast(f"b{number}", account=account, created_at=AT + number))
        listed = await desk.store.broadcasts(limit=2)
        assert [each.id for each in listed] == ["b2", "b1"]
        rest = await desk.store.broadcasts(before=(listed[-1].created_at, 0))
        assert [each.id for each in rest] == ["b0"]
        assert [each.id for each in await desk.store.broadcasts(account="shop")] == ["b2", "b0"]

    async def test_a_broadcast_that_is_over_goes_by_its_age_and_one_that_runs_stays(self, desk: Desk) -> None:
        await begun(desk)
        assert (await desk.store.sweep(Sweep.BROADCASTS, AT + 1)).rows == 0
        await desk.store.move_broadcast("b1", BroadcastMove.CANCELLED, AT)
        assert (await desk.store.sweep(Sweep.BROADCASTS, AT)).rows == 0
        assert (await desk.store.sweepable(Sweep.BROADCASTS, AT + 1)).rows == 3
        assert (await desk.store.sweep(Sweep.BROADCASTS, AT + 1, limit=2)) == (2, 0)
        assert await desk.store.broadcast("b1") is not None
        assert (await desk.store.sweep(Sweep.BROADCASTS, AT + 1, limit=2)) == (1, 0)
        assert (await desk.store.sweep(Sweep.BROADCASTS, AT + 1)) == (0, None)
        assert await desk.store.broadcast("b1") is None
