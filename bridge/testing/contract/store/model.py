"""Whatever is done to a store in whatever order, it stands where a very small model of it stands."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.errors import ClaimLost
from bridge.store.lifecycle import (
    INBOX,
    OUTBOX,
    InboxMove,
    InboxState,
    Machine,
    OutboxMove,
    OutboxState,
    Outcome,
    climbs,
)
from bridge.store.records import Receipt
from bridge.store.retention import Kept, sweeps
from bridge.testing.contract.store.desk import AT, Desk, again, arrival, given_up, news, ref_of, refused, saying, sent
from bridge.testing.contract.store.suite import StoreSuite
from bridge.units import SECOND

if TYPE_CHECKING:
    from bridge.events import StatusValue
    from bridge.store.records import InboxRow, OutboxRow

PEOPLE: Final = ("ann", "bob")
VALUES: Final[tuple[StatusValue, ...]] = ("read", "failed", "sent", "delivered")
_FITTING: Final = {"news": "sent", "drop": "dead", "replay": "dead", "late": "done"}
STEPS: Final = (
    *("hear", "turn", "turn", "retry turn", "give up", "send", "send", "refuse", "refuse", "retry"),
    *("news", "news", "replay", "replay", "drop", "late", "repeat", "sweep", "sweep"),
)
PLANS: Final = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, 1), st.integers(0, 7)), min_size=10, max_size=50
)


@dataclass(slots=True)
class Line:
    """What is open of one thread on one side, and the states all its rows are in, by id."""

    machine: Machine[Any, Any]
    open: list[int] = field(default_factory=list)
    attempts: dict[int, int] = field(default_factory=dict)
    states: dict[int, str] = field(default_factory=dict)
    status: dict[int, str] = field(default_factory=dict)

    def begin(self, row_id: int) -> None:
        """A new row waits."""
        self.states[row_id] = "open"
        self._queue(row_id)

    def happens(self, row_id: int, move: InboxMove | OutboxMove) -> None:
        """A row moves on as its life cycle says."""
        state = self.states[row_id] = self.machine.move(self.states[row_id], move)
        if row_id in self.open:
            self.open.remove(row_id)
            self._count()
        if state == "open":
            self._queue(row_id)

    def hears(self, row_id: int, value: str | None) -> None:
        """News of a row."""
        if value is not None and climbs(self.status.get(row_id), value):
            self.status[row_id] = value

    def _queue(self, row_id: int) -> None:
        self.attempts[row_id] = 0
        self.open.append(row_id)
        self._count()

    def _count(self) -> None:
        if self.open and self.attempts[self.open[0]] == 0:
            self.attempts[self.open[0]] = 1


class Model:
    """The store and the model of it, taken through the same steps."""

    def __init__(self, desk: Desk) -> None:
        """Both are empty."""
        self.desk = desk
        self.inbox = {name: Line(INBOX) for name in PEOPLE}
        self.outbox = {name: Line(OUTBOX) for name in PEOPLE}
        self.numbers = 0
        self.seen: dict[tuple[str, int], str] = {}

    async def step(self, what: str, who: str, n: int) -> None:
        """Do one thing to both, as far as it is possible now."""
        event, message = await self.heads(who)
        match what:
            case "hear":
                await self.hear(who, n)
            case "turn" | "retry turn" | "give up" if event is not None:
                await self.end_turn(what, who, event, n)
            case "send" | "refuse" | "retry" if message is not None:
                await self.end_delivery(what, who, message, n)
            case "news" | "replay" | "drop" | "late":
                await self.look_back(what, who, n)
            case "repeat" if self.inbox[who].states:
                await self.repeat(n)
            case "sweep":
                await self.sweep(n)

    async def heads(self, who: str) -> tuple[InboxRow | None, OutboxRow | None]:
        thread_id = await self.desk.store.find_thread(ref_of(who))
        if thread_id is None:
            return None, None
        events, messages = await self.desk.events(thread_id), await self.desk.messages(thread_id)
        return events[0] if events else None, messages[0] if messages else None

    async def hear(self, who: str, n: int) -> None:
        n = n % 4 + 1
        self.numbers += n
        keys = [f"{who}-{self.numbers - n + index}" for index in range(n)]
        await self.desk.receive(*(arrival(key, who) for key in [*keys, *keys[:1]]))
        for row in self.desk.told.events[len(self.desk.told.events) - n :]:
            self.inbox[who].begin(row.id)

    async def repeat(self, n: int) -> None:
        """A webhook comes again: whatever was removed of its event, it is known."""
        row = self.desk.told.events[n % len(self.desk.told.events)]
        again_here = arrival(row.key, row.ref.conversation_id)
        assert await self.desk.receive(again_here) == [Receipt.REPEATED]

    async def sweep(self, n: int) -> None:
        """Retention removes all that it may as soon as it is over, within the time in which keys are kept."""
        ages = dict.fromkeys(Kept, 1.0)
        plan = [*sweeps(ages, AT + 2 * SECOND)]
        sweep, before = plan[n % len(plan)]
        await self.desk.store.sweep(sweep, before)

    async def end_turn(self, what: str, who: str, row: InboxRow, n: int) -> None:
        line = self.inbox[who]
        if what == "retry turn":
            await self.desk.store.retry_turn(again(row))
            line.attempts[row.id] += 1
        elif what == "give up":
            await self.desk.store.settle_turn(given_up(row))
            line.happens(row.id, InboxMove.GIVEN_UP)
        else:
            said = await self.desk.turn(
                row, *(saying(f"{index}", f"{row.id}-{row.replay}-{index}") for index in range(n % 4))
            )
            line.happens(row.id, InboxMove.ANSWERED)
            for message in said:
                self.outbox[who].begin(message.id)

    async def end_delivery(self, what: str, who: str, row: OutboxRow, n: int) -> None:
        line = self.outbox[who]
        if what == "retry":
            await self.desk.store.retry_delivery(again(row, Outcome.NOT_SENT))
            line.attempts[row.id] += 1
        elif what == "refuse":
            await self.desk.store.settle_delivery(refused(row))
            line.happens(row.id, OutboxMove.GIVEN_UP)
        else:
            status = (*VALUES, None)[n % 5]
            await self.desk.store.settle_delivery(sent(row, f"m-{row.id}", status=status))
            line.happens(row.id, OutboxMove.SENT)
            line.hears(row.id, status)

    async def look_back(self, what: str, who: str, n: int) -> None:
        """Something about a row that was there before: one of which it is true, if there is one."""
        side = "out" if what == "news" or (what != "late" and n % 2) else "in"
        line = (self.inbox if side == "in" else self.outbox)[who]
        fitting = [row_id for row_id, state in line.states.items() if state == _FITTING[what]] or list(line.states)
        if not fitting:
            return
        row_id = fitting[n // 2 % len(fitting)]
        dead = line.states[row_id] == "dead"
        if what == "news" and line.states[row_id] == "sent":
            await self.desk.receive(news(f"m-{row_id}", VALUES[n % len(VALUES)]))
            line.hears(row_id, VALUES[n % len(VALUES)])
        elif what == "drop":
            assert await self.desk.store.drop(f"{side}-{row_id}", AT) is dead
            if dead:
                line.happens(row_id, InboxMove.DROPPED if side == "in" else OutboxMove.DROPPED)
        elif what == "replay":
            assert await self.desk.store.replay(f"{side}-{row_id}", AT) is dead
            if dead:
                line.happens(row_id, InboxMove.REPLAYED if side == "in" else OutboxMove.REPLAYED)
        elif what == "late" and row_id not in line.open:
            row = next(event for event in self.desk.told.events if event.id == row_id)
            with pytest.raises(ClaimLost):
                await self.desk.turn(row, "too late")

    async def compare(self) -> None:
        """The store stands where the model stands, and nothing moved in a way that is no move."""
        for who in PEOPLE:
            thread_id = await self.desk.store.find_thread(ref_of(who))
            if thread_id is None:
                continue
            for lines, rows in (
                (self.inbox, await self.desk.events(thread_id)),
                (self.outbox, await self.desk.messages(thread_id)),
            ):
                line = lines[who]
                assert [(row.id, row.attempt) for row in rows] == [
                    (row_id, line.attempts[row_id]) for row_id in line.open
                ]
            for entry in await self.desk.store.history(thread_id, limit=1000):
                line = (self.inbox if entry.direction == "in" else self.outbox)[who]
                assert (entry.state, entry.status) == (line.states[entry.id], line.status.get(entry.id, ""))
                self.moved(entry.direction, entry.id, entry.state)

    def moved(self, side: str, row_id: int, state: str) -> None:
        before = self.seen.get((side, row_id), state)
        if before != state:
            if side == "in":
                INBOX.reach(InboxState(before), InboxState(state))
            else:
                OUTBOX.reach(OutboxState(before), OutboxState(state))
        self.seen[side, row_id] = state


class StoreModel(StoreSuite):
    """The store beside its model."""

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    @given(plan=PLANS)
    def test_a_store_stands_where_its_model_stands(self, plan: list[tuple[str, int, int]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.run(_follow(self.url(Path(folder)), plan))


async def _follow(url: str, plan: list[tuple[str, int, int]]) -> None:
    desk = await Desk(url).open()
    try:
        model = Model(desk)
        for what, who, n in plan:
            await model.step(what, PEOPLE[who], n)
            await model.compare()
    finally:
        await desk.store.close()
