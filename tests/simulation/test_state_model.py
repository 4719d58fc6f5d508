"""Thousands of turns of state beside a model of it: no lost update, no state without its reply, and the reverse.

Handlers add to the state, say what they made of it, move the step, set and cancel timers; they raise, run out of time
and are interrupted after half of that. Webhooks come twice, another process commits first, and ours dies at any pause
of its store. What may come of it is said by tests.support.adding_model.Talk.
"""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, ClassVar, Final

import orjson
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from bridge.engine.lanes import WINDOW
from bridge.store.records import Receipt
from bridge.testing.contract.store.desk import arrival, ref_of
from bridge.testing.loop import START
from bridge.units import SECOND
from storage.sqlite.simulation import Volatile
from tests.support.adding_bot import DEEDS, MANNERS, Life, tries
from tests.support.adding_model import Talk

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from bridge.store.looks import HistoryEntry
    from bridge.store.records import Arrival, ThreadRow

TURNS: Final = 10_000
RUNS: Final = 50
CRASHES: Final = 2
"""In one run: each is an attempt of what was being handled."""
BURST: Final = (WINDOW + 1, 2 * WINDOW)
"""More than a lane holds in memory."""
PEOPLE: Final = ("ann", "bob", "cid")
MANNER: Final = st.sampled_from([*MANNERS])
INTERJECTED: Final = st.sampled_from(["interrupt", *MANNERS])
"""Only what comes during a turn interrupts it, so more of it does."""
DEED: Final = st.sampled_from([*DEEDS])
SAID: Final = st.tuples(MANNER, DEED, st.integers(1, 9))
WHO: Final = st.sampled_from(PEOPLE)


class Conversations(RuleBasedStateMachine):
    """Three people talk to one bridge, and the model listens."""

    count: ClassVar[Counter[str]] = Counter()
    """What was gone through, in all runs."""

    def __init__(self) -> None:
        super().__init__()
        tries.clear()
        self.volatile = Volatile()
        self.talks = {who: Talk() for who in PEOPLE}
        self.looked: dict[str, tuple[int, int]] = {}
        self.posted: list[list[Arrival]] = []
        self.numbers = count(1)
        self.crashes = 0
        self.life = Life(self.volatile, START, 0)

    @rule(who=WHO, said=st.lists(SAID, min_size=1, max_size=6))
    def say(self, who: str, said: list[tuple[str, str, int]]) -> None:
        """One webhook with all that is said."""
        self.post([self.heard(who, *each) for each in said])

    @rule(who=WHO, said=SAID, times=st.integers(*BURST), pauses=st.integers(0, 60))
    def burst(self, who: str, said: tuple[str, str, int], times: int, pauses: int) -> None:
        """Much at once, behind something that may go wrong; and the process may die in the middle."""
        self.die_in(pauses)
        self.post([self.heard(who, *said), *(self.heard(who, "queue", "add", each) for each in range(times))])

    @rule(who=WHO, manner=INTERJECTED, deeds=st.lists(DEED, min_size=1, max_size=4), pauses=st.integers(0, 30))
    def interject(self, who: str, manner: str, deeds: list[str], pauses: int) -> None:
        """One after the other, each while what was said before is still being answered."""
        self.die_in(pauses)
        for deed in ("slow", *deeds):
            self.post([self.heard(who, manner, deed, 1)])
            self.pass_time(1)

    @rule(said=st.lists(SAID, min_size=3, max_size=3))
    def all_speak(self, said: list[tuple[str, str, int]]) -> None:
        """A webhook from each of them."""
        for who, each in zip(PEOPLE, said, strict=True):
            self.post([self.heard(who, *each)])

    @precondition(lambda self: self.posted)
    @rule(back=st.integers(0, 20))
    def repeat(self, back: int) -> None:
        """A webhook comes once more."""
        before = self.posted[-1 - back % len(self.posted)]
        assert set(self.receive(before)) == {Receipt.REPEATED}

    @rule()
    def overtake(self) -> None:
        """Another process will commit a turn before ours."""
        self.life.overtakes = True

    @rule(seconds=st.sampled_from([1, 2, 10, 30, 60]))
    def pass_time(self, seconds: int) -> None:
        until = self.now + seconds * SECOND
        while (at := self.life.loop.next_at) is not None and at <= until:
            self.jump(at)
        self.jump(until)

    @rule()
    def settle(self) -> None:
        """Until every event had its turn."""
        while not self.life.is_idle:
            assert self.life.loop.next_at is not None, "something waits for nothing"
            self.jump(self.life.loop.next_at)
        self.account(all_due=False)

    @invariant()
    def state_and_replies_agree(self) -> None:
        """At any time, whatever is under way: a state is there with its reply, or neither is."""
        for who, talk in self.talks.items():
            if (looked := self.look(who)) is not None:
                thread, fresh = looked
                for entry in fresh:
                    talk.reply(orjson.loads(entry.content)["text"])
                talk.compare(thread.state, thread.step)

    def teardown(self) -> None:
        try:
            self.settle()
            self.pass_time(60)
            self.settle()
            self.state_and_replies_agree()
            self.account(all_due=True)
            self.bury()
        finally:
            self.life.end()
            self.volatile.close()

    def die_in(self, pauses: int) -> None:
        """The process dies at a pause of its store; 0: it lives."""
        if pauses and self.crashes < CRASHES:
            self.life.dies_in = pauses

    @property
    def now(self) -> int:
        return self.life.loop.now

    def heard(self, who: str, manner: str, deed: str, amount: int) -> Arrival:
        name = f"{who[0]}{next(self.numbers)}"
        self.talks[who].said[name] = (deed, amount)
        return arrival(name, who, text=f"{manner} {deed} {amount}")

    def post(self, arrivals: list[Arrival]) -> None:
        """As a gateway does: until it is told that it is stored."""
        self.posted.append(arrivals)
        receipts = self.receive(arrivals)
        assert len(set(receipts)) == 1
        assert Receipt.CONFLICT not in receipts

    def receive(self, arrivals: list[Arrival]) -> list[Receipt]:
        for _ in range(CRASHES + 2):
            found = self.life.inside(self.life.store.receive(arrivals))
            self.revive()
            if found is not None:
                return found
        raise AssertionError("it is never stored")

    def jump(self, at: int) -> None:
        self.life.loop.now = max(self.now, at)
        self.life.run()
        self.revive()

    def revive(self) -> None:
        """Another process takes the place of one that died."""
        if self.life.dead:
            now = self.now
            self.bury()
            self.life.end()
            self.crashes += 1
            self.life = Life(self.volatile, now + SECOND, self.crashes)

    def bury(self) -> None:
        """What a process leaves to be counted."""
        self.note_elsewhere()
        self.count["turns"] += self.life.commits
        self.count["deaths"] += self.life.dead
        self.count.update(self.life.log)

    def note_elsewhere(self) -> None:
        for name in self.life.overtook:
            next(talk for talk in self.talks.values() if name in talk.said).elsewhere.add(name)

    def look(self, who: str) -> tuple[ThreadRow, list[HistoryEntry]] | None:
        """A thread as committed, and what we said in it since the last look."""
        number, position = self.looked.get(who, (0, 0))
        if not number:
            number = self.life.look(found(self.life.store.find_thread(ref_of(who))))
        if not number:
            return None
        thread = self.life.look(self.life.store.thread(number))
        fresh = self.life.look(self.life.store.history(number, after=position, limit=9999))
        self.looked[who] = (number, fresh[-1].position if fresh else position)
        return thread, [entry for entry in fresh if entry.direction == "out"]

    def account(self, *, all_due: bool) -> None:
        self.state_and_replies_agree()
        self.note_elsewhere()
        letters = self.life.look(self.life.store.dead_letters(limit=9999))
        whole = [self.life.look(self.life.store.dead_letter(letter.id)) for letter in letters]
        dead = {orjson.loads(letter.content)["id"] for letter in whole if letter is not None}
        for talk in self.talks.values():
            talk.account(dead & talk.said.keys(), all_due=all_due, spares=not self.crashes)


async def found(number: Awaitable[int | None]) -> int:
    """The id of a thread, or 0."""
    return await number or 0


def go_through(runs: int, *, anew: bool = False) -> Counter[str]:
    """Many runs, the same ones each time unless `anew`; what they went through."""
    Conversations.count.clear()
    chosen = settings(
        max_examples=runs, stateful_step_count=40, derandomize=not anew, suppress_health_check=[*HealthCheck]
    )
    run_state_machine_as_test(Conversations, settings=chosen)
    return Conversations.count


def test_no_update_is_lost_and_state_and_reply_are_never_without_each_other() -> None:
    gone_through = go_through(RUNS)
    assert gone_through["turns"] >= TURNS, gone_through
    faults = ("deaths", "turn_failed", "event_dead", "turn_repeated", "claim_lost", "turn_interrupted")
    assert min(gone_through[each] for each in faults) >= RUNS // 2, gone_through


@pytest.mark.soak
def test_no_update_is_lost_in_a_long_run() -> None:
    """Other runs each time, and ten times as many."""
    assert go_through(RUNS * 10, anew=True)["turns"] >= TURNS * 10
