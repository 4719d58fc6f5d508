"""Several processes on one database: whose threads are whose, and what they tell each other."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import asyncpg
import pytest

from bridge.errors import ClaimLost, Unavailable
from bridge.store.opening import open_store
from bridge.store.records import Receipt, TimerRow
from bridge.testing.contract.store.desk import AT, Desk, Told, arrival, news, sent
from storage.postgres import claims, connection, store
from storage.writer import Unit
from tests.support.postgres import plain, process_of
from tests.support.postgres_processes import WAITING, asked, heard

pytestmark = pytest.mark.slow


def keys(desk: Desk) -> list[str]:
    return [event.key for event in desk.told.events]


async def test_a_thread_in_which_nothing_is_open_goes_to_whoever_stores_something_in_it(
    ours: Desk, theirs: Desk
) -> None:
    (first,) = await ours.hear("1")
    await ours.turn(first)
    (second,) = await theirs.hear("2")
    assert (second.thread_id, second.attempt) == (first.thread_id, 1)
    assert await ours.events(first.thread_id) == []
    await theirs.turn(second, state=b'{"n": 2}')
    (third,) = await ours.hear("3")
    assert (await ours.store.thread(third.thread_id)).state == b'{"n": 2}'


async def test_what_a_command_stores_where_nothing_is_open_goes_to_a_process_that_works(
    ours: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    inherited = asyncio.Event()
    monkeypatch.setattr(Told, "inherited", lambda *_, **__: inherited.set())
    (first,) = await ours.hear("1")
    await ours.turn(first)
    command = await open_store(ours.url)
    command.listen(Told())
    await command.receive([arrival("2")])
    async with asyncio.timeout(10):
        await inherited.wait()
    assert [row.key for row in await ours.events(first.thread_id)] == ["2"]
    await command.close()


async def test_a_thread_that_another_process_changed_is_read_with_the_event_that_begins_its_turn(
    ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = await theirs.hear("1")
    await theirs.turn(first, state=b'{"n": 0}')
    (second,) = await ours.hear("2")
    await ours.turn(second, state=b'{"n": 1}')
    (third,) = await theirs.hear("3")
    monkeypatch.setattr(process_of(theirs)._source, "fetch", None)  # nothing is left to be read
    assert (await theirs.store.thread(third.thread_id)).state == b'{"n": 1}'


async def test_what_is_stored_in_a_busy_thread_goes_to_its_holder(ours: Desk, theirs: Desk) -> None:
    (first,) = await ours.hear("1")
    assert await theirs.hear("2") == []
    assert await theirs.events(first.thread_id) == []
    await heard(ours, lambda: keys(ours) == ["1", "2"])
    second = ours.told.events[-1]
    assert (second.attempt, second.after) == (0, first.seq)
    with pytest.raises(ClaimLost):
        await theirs.turn(second)
    await ours.turn(first)
    await ours.turn(second)
    assert await ours.events(first.thread_id) == []


async def test_a_thread_whose_reply_has_not_left_stays_with_its_holder(ours: Desk, theirs: Desk) -> None:
    (message,) = await ours.said("hello")
    assert await theirs.hear("2") == []
    await heard(ours, lambda: "2" in keys(ours))
    assert ours.told.events[-1].attempt == 1
    await ours.store.settle_delivery(sent(message))
    await ours.turn(ours.told.events[-1])
    assert [row.key for row in await theirs.hear("3")] == ["3"]


async def test_an_own_event_behind_one_of_another_process_says_so(ours: Desk, theirs: Desk) -> None:
    (first,) = await ours.hear("1")
    await theirs.hear("2")
    third = next(row for row in await ours.hear("3") if row.key == "3")
    second, _ = (await ours.events(first.thread_id))[1:]
    assert third.after == second.seq


async def test_a_new_thread_of_two_processes_at_once_is_one_thread(ours: Desk, theirs: Desk) -> None:
    for number in range(10):
        await asyncio.gather(
            *(desk.receive(arrival(f"{number}-{desk is ours}", f"c{number}")) for desk in (ours, theirs))
        )
    assert await asked(ours, "SELECT count(*) FROM threadbridge.threads") == 10
    await heard(ours, lambda: len(ours.told.events) + len(theirs.told.events) == 20)


@pytest.mark.parametrize("committed", [True, False], ids=["before it is looked for", "while it is waited for"])
async def test_who_makes_a_thread_first_is_first_in_it(
    ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch, *, committed: bool
) -> None:
    """Two processes begin with a new conversation, and the one that began first comes second."""
    begun, go = asyncio.Event(), asyncio.Event()
    count, commit = process_of(theirs)._process.count, process_of(ours)._commit

    async def slowly(*given: Any) -> bool:
        accompanied = await count(*given)
        begun.set()
        await go.wait()
        return accompanied

    async def late(through: asyncpg.Connection) -> None:
        if not (committed or go.is_set()):
            go.set()
            while not await asked(ours, WAITING):
                pass
        await commit(through)

    monkeypatch.setattr(process_of(theirs)._process, "count", slowly)
    monkeypatch.setattr(process_of(ours), "_commit", late)
    later = asyncio.create_task(theirs.receive(arrival("2")))
    await begun.wait()
    await ours.receive(arrival("1"))
    go.set()
    await later
    await heard(ours, lambda: keys(ours) == ["1", "2"])
    assert [event.key for event in await ours.events(ours.told.events[0].thread_id)] == ["1", "2"]


async def test_the_same_webhook_at_two_processes_at_once_is_stored_once(ours: Desk, theirs: Desk) -> None:
    for number in range(10):
        receipts = await asyncio.gather(*(desk.receive(arrival("k" + str(number))) for desk in (ours, theirs)))
        assert sorted(receipt for (receipt,) in receipts) == [Receipt.REPEATED, Receipt.STORED]


@pytest.fixture
def contentions(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """The errors of transactions that got in each other's way."""
    seen: list[BaseException] = []

    def noting(error: BaseException) -> bool:
        seen.append(error)
        return connection.is_contended(error)

    monkeypatch.setattr(store, "is_contended", noting)
    return seen


async def test_processes_that_write_to_the_same_threads_never_wait_in_a_circle(
    ours: Desk, theirs: Desk, contentions: list[BaseException]
) -> None:
    numbers = itertools.count()

    def webhook(names: list[str]) -> list[Any]:
        return [arrival(f"k{next(numbers)}", name) for name in names]

    for turn in range(20):
        names = [f"c{turn}-{number}" for number in range(20)]
        for _ in "old", "new":
            there = [ours.receive(*webhook(names)) for _ in range(3)]
            back = [theirs.receive(*webhook(names[::-1])) for _ in range(3)]
            await asyncio.gather(*there, *back)
    assert contentions == []


async def test_statuses_and_events_of_the_same_threads_never_wait_in_a_circle(
    ours: Desk, theirs: Desk, contentions: list[BaseException]
) -> None:
    for name in ("first", "last"):
        (message,) = await ours.said("hello", conversation=name)
        await ours.store.settle_delivery(sent(message, f"m-{name}"))
    for number in range(20):
        await asyncio.gather(
            ours.receive(arrival(f"a{number}", "last"), news("m-first", "delivered")),
            theirs.receive(arrival(f"b{number}", "first"), news("m-last", "delivered")),
        )
    assert contentions == []


async def test_a_process_that_ends_never_waits_in_a_circle(ours: Desk, contentions: list[BaseException]) -> None:
    first, last = [(await ours.hear(key, conversation=key))[0] for key in ("1", "2")]
    other = await asyncpg.connect(plain(ours.url))
    lock = "SELECT 1 FROM threadbridge.threads WHERE id = $1 FOR NO KEY UPDATE"
    async with other.transaction():
        await other.execute(lock, first.thread_id)
        ending = asyncio.gather(
            ours.turn(last), process_of(ours)._writer.submit(Unit("release", ({"in": [], "out": []},)))
        )
        while not await asked(ours, WAITING):
            pass
        await other.execute(lock, last.thread_id)
    await ending
    await other.close()
    assert contentions == []


async def test_a_transaction_locks_no_more_threads_than_it_works_in(
    ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"c{number}" for number in range(500)]
    await theirs.receive(*(arrival(f"k-{name}", name) for name in names))
    locked: list[int] = []
    commit = process_of(ours)._commit

    async def looking(through: asyncpg.Connection) -> None:
        free = "SELECT count(*) FROM (SELECT 1 FROM threadbridge.threads FOR NO KEY UPDATE SKIP LOCKED) t"
        locked.append(500 - await asked(ours, free))
        await commit(through)

    monkeypatch.setattr(claims, "AT_ONCE", 50)
    process_of(ours)._tending._task.cancel()  # type: ignore[union-attr]  # it would take over in the same transaction
    await theirs.store.close()  # which locks all that it releases
    process_of(theirs)._process.epoch = -1
    monkeypatch.setattr(process_of(ours), "_commit", looking)
    await ours.store.take_over()
    await ours.receive(*(arrival(f"l-{name}", name) for name in names[:3]))
    assert {3, 50} <= set(locked) <= {0, 3, 50}


@pytest.mark.parametrize(
    "error", [asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError]
)
@pytest.mark.parametrize("times", [1, 2, 3])
async def test_a_transaction_that_another_one_got_in_the_way_of_is_tried_three_times(
    ours: Desk, monkeypatch: pytest.MonkeyPatch, error: type[asyncpg.PostgresError], times: int
) -> None:
    execute, failures = process_of(ours)._execute, iter(range(times))

    async def failing(*given: Any) -> Any:
        results = await execute(*given)
        if next(failures, None) is not None:
            raise error("in the way")
        return results

    process_of(ours)._tending._task.cancel()  # type: ignore[union-attr]
    monkeypatch.setattr(process_of(ours), "_execute", failing)
    if times < 3:
        assert await ours.receive(arrival("1")) == [Receipt.STORED]
    else:
        with pytest.raises(Unavailable):
            await ours.receive(arrival("1"))
        assert await ours.receive(arrival("1")) == [Receipt.STORED]


async def test_what_commits_late_is_behind_nothing_that_committed_before_it(
    ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = await ours.hear("1")
    await ours.turn(row)
    held, go = asyncio.Event(), asyncio.Event()
    commit = process_of(ours)._commit

    async def slowly(through: asyncpg.Connection) -> None:
        held.set()
        await go.wait()
        await commit(through)

    monkeypatch.setattr(process_of(ours), "_commit", slowly)
    first = asyncio.create_task(ours.receive(arrival("2")))
    await held.wait()
    second = asyncio.create_task(theirs.receive(arrival("3")))
    go.set()
    await asyncio.gather(first, second)
    await heard(ours, lambda: keys(ours) == ["1", "2", "3"])
    assert [event.key for event in await ours.events(row.thread_id)] == ["2", "3"]


async def test_what_another_process_changes_in_a_thread_is_seen_right_before_a_message_leaves(
    ours: Desk, theirs: Desk
) -> None:
    (message,) = await ours.said("hello")
    await theirs.receive(arrival("2", with_person=True))
    thread = await ours.store.claimed(message.thread_id)
    assert thread.hold.at_gateway


async def test_a_status_at_another_process_settles_what_waits_here(ours: Desk, theirs: Desk) -> None:
    (message,) = await ours.said("hello")
    await asked(
        ours, "UPDATE threadbridge.outbox SET outcome = 'unknown', message_id = 'm-1' WHERE id = $1", message.id
    )
    await theirs.receive(news("m-1", "delivered"))
    await heard(ours, lambda: ours.told.settled == [message.id])


async def test_a_timer_that_two_processes_fire_becomes_one_event(ours: Desk, theirs: Desk) -> None:
    for number in range(10):
        (row,) = await ours.hear(f"{number}", conversation=f"c{number}")
        commit = await ours.commit_of(row)
        await ours.store.commit_turn(type(commit)(**{**_fields(commit), "timers": (TimerRow(due_at=AT, name="t"),)}))
    await asyncio.gather(*(desk.store.fire_timers(AT, 10) for desk in (ours, theirs)))
    assert await asked(ours, "SELECT count(*) FROM threadbridge.inbox WHERE kind = 'timer'") == 10


def _fields(commit: Any) -> dict[str, Any]:
    return {name: getattr(commit, name) for name in type(commit).__dataclass_fields__}


async def test_a_pause_that_one_process_finds_is_told_to_the_others(ours: Desk, theirs: Desk) -> None:
    await ours.hear("1")
    await ours.store.tell_pause("shop", "away", 1.5)
    await heard(theirs, lambda: theirs.told.pauses == [("shop", "away", 1.5)])
    assert ours.told.pauses == []


async def test_a_thread_that_another_process_erases_is_lost_to_its_holder(ours: Desk, theirs: Desk) -> None:
    (message,) = await ours.said("hello")
    (row,) = await ours.hear("2")
    turn = await ours.commit_of(row, "too late")
    erased = await theirs.store.erase(row.thread_id, AT)
    assert (erased.more, erased.rows["messages"], erased.rows["threads"]) == (False, 1, 1)
    late = (ours.store.claimed(row.thread_id), ours.store.commit_turn(turn), ours.store.settle_delivery(sent(message)))
    for work in late:
        with pytest.raises(ClaimLost):
            await work
    assert await ours.receive(arrival("2")) == [Receipt.REPEATED]
    (new,) = await ours.hear("3")
    assert new.thread_id != row.thread_id
    assert (await ours.store.thread(new.thread_id)).version == 0


async def test_two_processes_that_erase_and_write_at_once_agree_in_the_end(ours: Desk, theirs: Desk) -> None:
    async def write() -> None:
        for number in range(30):
            await ours.hear(f"{number}")

    async def erase() -> None:
        for _ in range(30):
            if (thread_id := await theirs.store.find_thread(arrival("").ref)) is not None:  # type: ignore[arg-type] # it has one
                await theirs.store.erase(thread_id, AT, limit=3)
            await asyncio.sleep(0)

    await asyncio.gather(write(), erase())
    assert await ours.receive(*(arrival(f"{number}") for number in range(30))) == [Receipt.REPEATED] * 30
    left = {row.thread_id for row in await ours.store.inbox_heads(0, 100)}
    assert len(left) <= 1
