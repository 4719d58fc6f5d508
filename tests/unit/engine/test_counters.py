"""What is counted of events and messages: each once, and under no name that a peer made up."""

from __future__ import annotations

from typing import Any, Final

import pytest

from bridge.engine.counters import Counters
from bridge.errors import NotSent, OutcomeUnknown, Rejected, SendError
from bridge.store.lifecycle import InboxState
from bridge.store.records import Receipt
from bridge.testing.contract.store.desk import arrival
from tests.support.deliveries import out

NOT_MAPPED: Final[dict[str, Any]] = {"ref": None, "event": None, "state": InboxState.QUARANTINED}


@pytest.mark.parametrize(
    ("about", "receipt", "counted"),
    [
        ({}, Receipt.STORED, ("whatsapp", "message", "stored")),
        ({}, Receipt.REPEATED, ("whatsapp", "message", "repeated")),
        ({"state": InboxState.QUARANTINED}, Receipt.STORED, ("whatsapp", "message", "quarantined")),
        (NOT_MAPPED, Receipt.STORED, ("other", "other", "quarantined")),
        (NOT_MAPPED, Receipt.REPEATED, ("other", "other", "repeated")),
        ({"account": "new"}, Receipt.STORED, ("other", "message", "stored")),
    ],
)
def test_an_event_is_counted_once_by_its_channel_and_kind_and_what_became_of_it(
    about: dict[str, Any], receipt: Receipt, counted: tuple[str, str, str]
) -> None:
    counters = Counters({"shop": ("whatsapp", "telegram")})
    arrived = arrival("m-1", **about)
    counters.arrived([arrived], [receipt])
    assert counters.events == {(arrived.account, *counted): 1}


async def test_each_try_and_each_message_is_counted_once() -> None:
    script: dict[str, list[SendError | None]] = {
        "1": [NotSent("not now"), OutcomeUnknown("cut"), None],
        "2": [Rejected("never")],
    }
    async with out(script) as sending:
        await sending.say("1 2 3")
        for _ in range(3):
            await sending.wait(60)
        counters = sending.account._tools.counters
    outcomes = {"not sent": 1, "unknown": 1, "sent": 2, "rejected": 1}
    assert counters.attempts == {("shop", outcome): count for outcome, count in outcomes.items()}
    assert sum(counters.attempt_seconds["shop"].counts) == 5
    assert counters.messages == {("shop", "sent"): 2, ("shop", "rejected"): 1}
    assert counters.dead == {("shop", "message"): 1}
    assert counters.retries == {("shop", "message"): 2}
