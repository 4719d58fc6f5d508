"""Whatever is done to a store in whatever order, it stands where a very small model of it stands."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import ClaimLost
from bridge.store.lifecycle import INBOX_MOVES, OUTBOX_MOVES, STATUS_RANK, InboxState, OutboxState, Outcome
from tests.support.store_desk import AT, Desk, again, arrival, given_up, news, ref_of, refused, saying, sent
from tests.support.store_kinds import KINDS

if TYPE_CHECKING:
    from bridge.events import StatusValue
    from bridge.store.records import InboxRow, OutboxRow
    from tests.support.store_kinds import StoreKind

PEOPLE: Final = ("ann", "bob")
VALUES: Final[tuple[StatusValue, ...]] = ("read", "failed", "sent", "delivered")
_FITTING: Final = {"news": "sent", "drop": "dead", "replay": "dead", "late": "done"}
STEPS: Final = (
    *("hear", "turn", "turn", "retry turn", "give up", "send", "send", "refuse", "refuse", "retry"),
    *("news", "news", "replay", "replay", "drop", "late"),
)
PLANS: Final = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, 1), st.integers(0, 7)), min_size=10, max_size=50
)


@dataclass(slots=True)
class Line:
    """What is open of one thread on one side, the states all rows of it are in, and the rows by id."""

    open: list[int] = field(default_factory=list)
    attempts: dict[int, int] = field(default_factory=dict)
    states: dict[int, str] = field(default_factory=dict)
    status: dict[int, str] = field(default_factory=dict)

    def append(self, row_id: int, state: str) -> None:
        self.attempts[row_id] = 0
        self.states[row_id] = state
        self.open.append(row_id)
        self._begin()

    def end(self, row_id: int, state: str) -> None:
        self.open.remove(row_id)
        self.states[row_id] = state
        self._begin()

    def _begin(self) -> None:
        if self.open and self.attempts[self.open[0]] == 0:
            self.attempts[self.open[0]] = 1


class Model:
    """The store and the model of it, taken through the same steps."""

    def __init__(self, desk: Desk) -> None:
        """Both are empty."""
        self.desk = desk
        self.inbox = {name: Line() for name in PEOPLE}
        self.outbox = {name: Line() for name in PEOPLE}
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

    async def heads(self, who: str) -> tuple[InboxRow | None, OutboxRow | None]:
        thread_id = await self.desk.store.find_thread(ref_of(who))
        if thread_id is None:
            return None, None
        events, messages = await self.desk.events(thread_id), await self.desk.messages(thread_id)
        return events[0] if events else None, messages[0] if messages else None

    async def hear(self, who: str, n: int) -> None:
        n = n % 4 + 1
        self.numbers += n
        keys = [f"{who}-{self.numbers - n + each}" for each in range(n)]
        await self.desk.receive(*(arrival(key, who) for key in [*keys, *keys[:1]]))
        for row in self.desk.told.events[len(self.desk.told.events) - n :]:
            self.inbox[who].append(row.id, InboxState.OPEN)

    async def end_turn(self, what: str, who: str, row: InboxRow, n: int) -> None:
        line = self.inbox[who]
        if what == "retry turn":
            await self.desk.store.retry_turn(again(row))
            line.attempts[row.id] += 1
        elif what == "give up":
            await self.desk.store.settle_turn(given_up(row))
            line.end(row.id, InboxState.DEAD)
        else:
            said = await self.desk.turn(
                row, *(saying(f"{each}", f"{row.id}-{row.replay}-{each}") for each in range(n % 4))
            )
            line.end(row.id, InboxState.DONE)
            for message in said:
                self.outbox[who].append(message.id, OutboxState.OPEN)

    async def end_delivery(self, what: str, who: str, row: OutboxRow, n: int) -> None:
        line = self.outbox[who]
        if what == "retry":
            await self.desk.store.retry_delivery(again(row, Outcome.NOT_SENT))
            line.attempts[row.id] += 1
        elif what == "refuse":
            await self.desk.store.settle_delivery(refused(row))
            line.end(row.id, OutboxState.DEAD)
        else:
            status = (*VALUES, None)[n % 5]
            await self.desk.store.settle_delivery(sent(row, f"m-{row.id}", status=status))
            line.end(row.id, OutboxState.SENT)
            self.climb(line, row.id, status)

    async def look_back(self, what: str, who: str, n: int) -> None:
        """Something about a row that was there before: one of which it is true, if there is one."""
        side = "out" if what == "news" or (what != "late" and n % 2) else "in"
        line = (self.inbox if side == "in" else self.outbox)[who]
        fitting = [each for each, state in line.states.items() if state == _FITTING[what]] or list(line.states)
        if not fitting:
            return
        row_id = fitting[n // 2 % len(fitting)]
        dead = line.states[row_id] == "dead"
        if what == "news" and line.states[row_id] == "sent":
            await self.desk.receive(news(f"m-{row_id}", VALUES[n % len(VALUES)]))
            self.climb(line, row_id, VALUES[n % len(VALUES)])
        elif what == "drop":
            assert await self.desk.store.drop(f"{side}-{row_id}", AT) is dead
            line.states[row_id] = "dropped" if dead else line.states[row_id]
        elif what == "replay":
            assert await self.desk.store.replay(f"{side}-{row_id}", AT) is dead
            if dead:
                line.append(row_id, "open")
        elif what == "late" and row_id not in line.open:
            row = next(each for each in self.desk.told.events if each.id == row_id)
            with pytest.raises(ClaimLost):
                await self.desk.turn(row, "too late")

    @staticmethod
    def climb(line: Line, row_id: int, value: str | None) -> None:
        known = line.status.get(row_id, "")
        line.status[row_id] = max(known, value or "", key=lambda each: STATUS_RANK.get(each, 0))

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
                assert [(row.id, row.attempt) for row in rows] == [(each, line.attempts[each]) for each in line.open]
            for entry in await self.desk.store.history(thread_id, limit=1000):
                line = (self.inbox if entry.direction == "in" else self.outbox)[who]
                assert (entry.state, entry.status) == (line.states[entry.id], line.status.get(entry.id, ""))
                self.moved(entry.direction, entry.id, entry.state)

    def moved(self, side: str, row_id: int, state: str) -> None:
        before = self.seen.get((side, row_id), state)
        if before != state:
            moves = INBOX_MOVES[InboxState(before)] if side == "in" else OUTBOX_MOVES[OutboxState(before)]
            assert state in moves, f"{side}-{row_id} went from {before} to {state}"
        self.seen[side, row_id] = state


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.survives], ids=lambda kind: str(kind.name))
@settings(max_examples=60, deadline=None)
@given(plan=PLANS)
def test_a_store_stands_where_its_model_stands(kind: StoreKind, plan: list[tuple[str, int, int]]) -> None:
    asyncio.run(follow(kind, plan))


async def follow(kind: StoreKind, plan: list[tuple[str, int, int]]) -> None:
    desk = await Desk(kind.url(__file__)).open()  # type: ignore[arg-type] # what survives nothing needs no folder
    try:
        model = Model(desk)
        for what, who, n in plan:
            await model.step(what, PEOPLE[who], n)
            await model.compare()
    finally:
        await desk.store.close()
