"""What is counted of events: each once, and under no name that a peer made up."""

from __future__ import annotations

from typing import Any, Final

import pytest

from bridge.engine.counters import Counters
from bridge.store.lifecycle import InboxState
from bridge.store.records import Receipt
from bridge.testing.contract.store.desk import arrival

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
