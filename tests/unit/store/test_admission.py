"""What is new among arrivals, what is a repetition, and what has a known key and another content."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.store.admission import Known, admit, conflict_key, conflict_keys_of, done_at, joins_message, keys_of
from bridge.store.lifecycle import InboxState
from bridge.store.records import Receipt
from bridge.testing.contract.store.desk import AT, arrival, news, riddle

FIRST = arrival("1")
SAME_WEBHOOK = replace(FIRST, encoded=b"read otherwise")
OTHER = arrival("1", text="other")


@pytest.mark.parametrize(
    ("arrivals", "receipts"),
    [
        ([FIRST], [Receipt.STORED]),
        ([FIRST, FIRST], [Receipt.STORED, Receipt.REPEATED]),
        ([FIRST, SAME_WEBHOOK], [Receipt.STORED, Receipt.CONFLICT]),  # two events of one webhook
        ([FIRST, OTHER, OTHER], [Receipt.STORED, Receipt.CONFLICT, Receipt.CONFLICT]),
        ([FIRST, replace(FIRST, account="desk")], [Receipt.STORED, Receipt.STORED]),
    ],
)
def test_one_webhook(arrivals: list, receipts: list[Receipt]) -> None:  # type: ignore[type-arg]
    known: dict[tuple[str, str], Known] = {}
    assert [admit(known, each, 0)[1] for each in arrivals] == receipts


def test_the_same_webhook_again_is_a_repetition_however_it_is_read() -> None:
    known = {("shop", "1"): Known(FIRST.encoded, FIRST.raw)}
    assert admit(known, SAME_WEBHOOK, 0) == (None, Receipt.REPEATED)
    assert admit({}, FIRST, 0) == (FIRST, Receipt.STORED)


def test_another_content_is_quarantined_once_under_a_key_of_its_own() -> None:
    known = {("shop", "1"): Known(FIRST.encoded, FIRST.raw)}
    assert conflict_keys_of([[FIRST, OTHER]], known) == [("shop", conflict_key(OTHER))]
    kept, receipt = admit(known, OTHER, 0)
    assert kept == replace(
        OTHER,
        key=conflict_key(OTHER),
        state=InboxState.QUARANTINED,
        reason="the event key 1 is known with another content",
    )
    assert (receipt, admit(known, OTHER, 1)) == (Receipt.CONFLICT, (None, Receipt.CONFLICT))
    assert conflict_key(OTHER) != conflict_key(arrival("1", text="a third"))


def test_nothing_is_looked_up_for_conflicts_where_nothing_is_known() -> None:
    assert keys_of([[FIRST], [OTHER]], 0) == [("shop", "1"), ("shop", "1")]
    assert conflict_keys_of([[FIRST], [OTHER]], {}) == []


FORMER = replace(FIRST, key="whatsapp/ann/1", former_keys=("1",))
"""As today's version names what an earlier one stored as "1"."""


def test_former_keys_are_looked_up_for_as_long_as_a_gateway_may_deliver_again() -> None:
    assert keys_of([[FORMER]], AT + 1) == [("shop", "whatsapp/ann/1"), ("shop", "1")]
    assert keys_of([[FORMER]], AT) == [("shop", "whatsapp/ann/1")]


def test_what_is_stored_under_its_former_key_is_a_repetition() -> None:
    known = {("shop", "1"): Known(FIRST.encoded, FIRST.raw)}
    assert admit(known, FORMER, 0) == (None, Receipt.REPEATED)


def test_a_former_key_may_be_another_persons_message() -> None:
    known = {("shop", "1"): Known(OTHER.encoded, OTHER.raw)}
    assert admit(known, FORMER, 0) == (FORMER, Receipt.STORED)


def test_a_status_belongs_to_its_message_unless_it_was_not_understood() -> None:
    assert joins_message(news("m", "read"))
    assert not joins_message(news("m", "read", state=InboxState.QUARANTINED))
    assert not joins_message(FIRST)
    assert not joins_message(riddle("r"))


@pytest.mark.parametrize(
    ("state", "at"),
    [(InboxState.OPEN, None), (InboxState.EARLY, None), (InboxState.DONE, AT), (InboxState.QUARANTINED, AT)],
)
def test_an_event_is_over_at_its_arrival_unless_something_is_still_to_happen(state: InboxState, at: int | None) -> None:
    assert done_at(state, AT) == at
