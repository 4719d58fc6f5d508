"""What a try came to is counted once, and so is the end of each message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.errors import NotSent, OutcomeUnknown, Rejected
from tests.support.deliveries import out

if TYPE_CHECKING:
    from bridge.errors import SendError


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
