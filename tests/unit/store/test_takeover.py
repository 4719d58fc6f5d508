"""Whose a thread is: what a gateway's news of it means, and what a person's taking and returning it does."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from bridge.events import Contact, Echo, Handoff, Returned
from bridge.store.lifecycle import HoldState, InboxMove, InboxState
from bridge.store.records import Hold, ThreadRow
from bridge.store.takeover import (
    after_news,
    after_taking,
    after_turn,
    gateway_news,
    given_back,
    is_taken,
    may_take,
    restarted,
)
from bridge.testing.contract.store.desk import AT, NOON, arrival, ref_of

HOLDS: Final = {
    HoldState.BOT: Hold(),
    HoldState.CLAIMED: Hold(at_gateway=True),
    HoldState.PERSON: Hold(note="hers"),
    HoldState.AT_GATEWAY: Hold(note="hers", at_gateway=True),
}
ECHO: Final = Echo(id="e", contact=Contact(id="ann"), at=NOON, text="hello", human=True)


def in_thread(state: HoldState) -> ThreadRow:
    return ThreadRow(id=1, ref=ref_of("ann"), hold=HOLDS[state])


@pytest.mark.parametrize("state", HoldState)
def test_a_hold_stands_where_its_note_and_its_gateway_say(state: HoldState) -> None:
    assert HOLDS[state].state is state
    assert in_thread(state).is_held is (state in {HoldState.PERSON, HoldState.AT_GATEWAY})


@pytest.mark.parametrize(
    ("state", "with_person", "event", "after"),
    [
        (HoldState.BOT, True, Handoff, HoldState.CLAIMED),
        (HoldState.BOT, False, None, HoldState.BOT),
        (HoldState.CLAIMED, True, Handoff, HoldState.CLAIMED),  # returned here, and there a person has it still
        (HoldState.CLAIMED, False, Returned, HoldState.BOT),
        (HoldState.PERSON, True, Handoff, HoldState.AT_GATEWAY),
        (HoldState.PERSON, False, None, HoldState.PERSON),  # the gateway cannot know of a handoff on this side
        (HoldState.AT_GATEWAY, True, None, HoldState.AT_GATEWAY),
        (HoldState.AT_GATEWAY, False, Returned, HoldState.PERSON),  # until the Returned has its turn
    ],
)
def test_what_a_gateway_tells_is_news_or_not(
    state: HoldState, event: type | None, after: HoldState, *, with_person: bool
) -> None:
    came = arrival("1", with_person=with_person, address={"a": "b"})
    news = gateway_news(came, in_thread(state))
    assert type(news.event if news else None) is (event or type(None))
    if news is None:
        return
    assert (news.key, news.raw, news.address, news.with_person) == ("by hand:gateway:1", b"", {}, None)
    assert after_news(HOLDS[state], with_person=with_person).state is after


def test_only_what_wants_a_turn_brings_news() -> None:
    thread = in_thread(HoldState.BOT)
    assert gateway_news(arrival("1"), thread) is None
    assert gateway_news(arrival("1", with_person=True, state=InboxState.DONE), thread) is None
    assert gateway_news(arrival("1", with_person=True, event=None), thread) is None


def test_taking_a_thread_silences_what_was_to_be_said_before() -> None:
    taken = after_taking(Hold(), 7)
    assert taken == Hold(taken_seq=7, silenced_seq=7)
    assert [taken.takes(seq) for seq in (6, 7, 8)] == [True, False, False]
    assert [taken.silences(seq) for seq in (6, 7, 8)] == [True, False, False]


def test_in_a_thread_that_a_person_has_nothing_more_is_silenced() -> None:
    """What waits there is what the bot said when it gave the thread away."""
    assert after_taking(Hold(note="", silenced_seq=3), 7) == Hold(note="", taken_seq=7, silenced_seq=3)


@pytest.mark.parametrize(
    ("event", "state", "may"),
    [
        (ECHO, InboxState.OPEN, True),
        (replace(ECHO, human=False), InboxState.OPEN, False),
        (Handoff(id="h", contact=Contact(id="ann"), at=NOON), InboxState.OPEN, True),
        (ECHO, InboxState.QUARANTINED, False),
        (arrival("1").event, InboxState.OPEN, False),
        (None, InboxState.QUARANTINED, False),
    ],
)
def test_a_person_takes_a_thread_by_a_handoff_or_their_own_words(
    event: Echo | Handoff | None, state: InboxState, *, may: bool
) -> None:
    assert may_take(event, state) is may


@pytest.mark.parametrize(("ours", "taken"), [(False, True), (True, False), (None, False)])
def test_an_echo_takes_a_thread_at_once_only_when_it_is_certainly_not_ours(*, ours: bool | None, taken: bool) -> None:
    assert is_taken(ECHO, ours=ours) is taken
    assert is_taken(Handoff(id="h", contact=Contact(id="ann"), at=NOON), ours=False)


@pytest.mark.parametrize(
    ("state", "note", "after"),
    [
        (HoldState.BOT, None, HoldState.BOT),
        (HoldState.BOT, "", HoldState.PERSON),
        (HoldState.CLAIMED, None, HoldState.CLAIMED),
        (HoldState.CLAIMED, "", HoldState.AT_GATEWAY),
        (HoldState.PERSON, None, HoldState.BOT),
        (HoldState.PERSON, "", HoldState.PERSON),
        (HoldState.AT_GATEWAY, None, HoldState.CLAIMED),
        (HoldState.AT_GATEWAY, "", HoldState.AT_GATEWAY),
    ],
)
def test_a_turn_leaves_a_thread_with_a_person_or_with_the_bot(
    state: HoldState, note: str | None, after: HoldState
) -> None:
    left = after_turn(HOLDS[state], note)
    assert (left.state, left.note) == (after, note)


@pytest.mark.parametrize(
    ("kind", "move"),
    [("timer", InboxMove.RETURNED), ("status", InboxMove.RETURNED), ("message", InboxMove.MISSED)],
)
def test_what_nobody_said_waits_again_when_a_thread_is_returned(kind: str, move: InboxMove) -> None:
    assert given_back(kind) is move


def test_a_timer_waits_its_whole_time_again() -> None:
    assert restarted(due_at=AT + 30, set_at=AT, now=AT + 100) == AT + 130
