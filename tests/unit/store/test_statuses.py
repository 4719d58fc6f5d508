"""News of messages that comes early, late or more than once; and what replaying a dead letter does to it."""

from __future__ import annotations

import pytest

from bridge.store.lifecycle import INBOX, InboxMove, InboxState, OutboxState, Outcome
from bridge.store.replay import letter_of, replay_of
from bridge.store.statuses import EarlyStatus, early_state, highest, is_wanted, resolves
from bridge.testing.contract.store.desk import news, ref_of


@pytest.mark.parametrize(
    ("state", "outcome", "value", "settles"),
    [
        (OutboxState.OPEN, Outcome.UNKNOWN, "sent", True),
        (OutboxState.OPEN, Outcome.UNKNOWN, "read", True),
        (OutboxState.OPEN, Outcome.UNKNOWN, "failed", False),
        (OutboxState.OPEN, Outcome.NOT_SENT, "delivered", False),
        (OutboxState.OPEN, Outcome.CLAIMED, "delivered", False),
        (OutboxState.OPEN, None, "delivered", False),
        (OutboxState.DEAD, Outcome.UNKNOWN, "delivered", True),
        (OutboxState.DEAD, Outcome.UNKNOWN, "failed", False),
        (OutboxState.DEAD, Outcome.REJECTED, "delivered", False),
        (OutboxState.DROPPED, Outcome.UNKNOWN, "delivered", False),
        (OutboxState.SENT, Outcome.UNKNOWN, "delivered", False),
    ],
)
def test_good_news_of_a_try_without_an_answer_settles_it(
    state: OutboxState, outcome: Outcome | None, value: str, *, settles: bool
) -> None:
    assert resolves(state, outcome, value) is settles


@pytest.mark.parametrize(
    ("state", "ref", "stands", "wanted"),
    [
        (InboxState.OPEN, None, InboxState.EARLY, True),
        (InboxState.DONE, None, InboxState.EARLY, False),
        (InboxState.OPEN, ref_of("ann"), InboxState.OPEN, False),
        (InboxState.DONE, ref_of("ann"), InboxState.DONE, False),
    ],
)
def test_a_status_waits_for_its_message_where_only_that_tells_its_thread(
    state: InboxState, ref: object, stands: InboxState, *, wanted: bool
) -> None:
    came = news("m", "read", state=state, ref=ref)
    assert (early_state(came), is_wanted(came)) == (stands, wanted)


@pytest.mark.parametrize(("wanted", "state"), [(True, InboxState.OPEN), (False, InboxState.DONE)])
def test_one_that_waited_has_its_turn_if_it_wants_one(*, wanted: bool, state: InboxState) -> None:
    early = EarlyStatus(inbox_id=1, value="read", error="", wanted=wanted)
    assert INBOX.move(InboxState.EARLY, early.move) is state


def test_the_highest_of_several_is_what_counts() -> None:
    told = [("delivered", ""), ("failed", "blocked"), ("read", "")]
    assert highest(None, told) == ("failed", "blocked")
    assert highest("read", told[::2]) is None
    assert highest("sent", told[::2]) == ("read", "")
    assert highest(None, []) is None


@pytest.mark.parametrize(
    ("letter_id", "split"),
    [("in-7", ("in", 7)), ("out-12", ("out", 12)), ("in-", ("in", None)), ("in-x", ("in", None))],
)
def test_the_id_of_a_dead_letter(letter_id: str, split: tuple[str, int | None]) -> None:
    assert letter_of(letter_id) == split
    assert letter_of("up-7")[1] is None
    assert letter_of(f"in-{'9' * 18}")[1] == 10**18 - 1
    assert letter_of(f"in-{'9' * 23}")[1] is None, "SQLite knows no such number"
    assert letter_of("in-\N{ARABIC-INDIC DIGIT SEVEN}")[1] is None


@pytest.mark.parametrize(
    ("state", "kind", "thread_id", "reread", "move"),
    [
        (InboxState.DEAD, "message", 1, False, InboxMove.REPLAYED),
        (InboxState.DEAD, "message", 1, True, InboxMove.REPLAYED),
        (InboxState.QUARANTINED, "webhook", None, True, InboxMove.REREAD),
        (InboxState.QUARANTINED, "webhook", None, False, None),  # it has no thread to be appended to
        (InboxState.QUARANTINED, "unrecognised", 1, True, InboxMove.REREAD),
        (InboxState.QUARANTINED, "unrecognised", 1, False, InboxMove.REPLAYED),
        (InboxState.QUARANTINED, "message", 1, True, InboxMove.REPLAYED),  # set aside only for its key
        (InboxState.OPEN, "message", 1, True, None),
        (InboxState.DONE, "message", 1, False, None),
        (InboxState.DROPPED, "webhook", None, True, None),
    ],
)
def test_what_replaying_an_event_does_to_it(
    state: InboxState, kind: str, thread_id: int | None, move: InboxMove | None, *, reread: bool
) -> None:
    assert replay_of(state, kind, thread_id, [] if reread else None) is move
