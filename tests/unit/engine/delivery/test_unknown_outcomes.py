"""Messages of which nobody knows whether the gateway took them, and `at_most_once`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from bridge.engine.backoff import Backoff
from bridge.engine.ingest import arrivals_of
from bridge.errors import OutcomeUnknown
from bridge.providers.port import Sent, Webhook
from bridge.testing.contract.store.desk import news
from tests.support.deliveries import attached, later, out
from tests.support.whole_bridges import body

if TYPE_CHECKING:
    from bridge.engine.delivery.client import Attempt
    from bridge.providers.port import Outbound
    from tests.support.turn_engine import Turns


async def test_an_unknown_outcome_is_repeated_under_the_same_key() -> None:
    async with out({"1": [OutcomeUnknown("no answer in time")]}) as sending:
        await sending.say("1")
        await sending.wait(60)
        assert sending.wire.texts == ["1", "1"]
        assert len(set(sending.wire.tried)) == 1
        assert await sending.states() == ["sent"]


async def test_at_most_once_an_unknown_outcome_is_parked() -> None:
    async with out({"1": [OutcomeUnknown("no answer in time")]}, at_most_once=True) as sending:
        await sending.say("1 2")
        await sending.wait(600)
        assert sending.wire.texts == ["1", "2"]
        assert await sending.world.reasons() == ["no answer in time"]


async def test_at_most_once_what_was_not_sent_is_sent_also_by_the_next_process() -> None:
    """The note that it was about to be sent is taken back with the proof that it was not."""
    async with out({"1": [later()]}, at_most_once=True) as sending:
        await sending.say("1")
        await sending.account.lanes.stop(1)
        after = attached(sending.world, {}, Backoff(attempts=12), {"at_most_once": True})
        await after.account.start()
        await after.wait(60)
        assert after.wire.texts == ["1"]
        assert (await after.states(), await after.world.reasons()) == (["sent"], [])
        await after.account.lanes.stop(1)


async def test_at_most_once_what_a_dead_process_was_sending_is_parked() -> None:
    async with out({}, at_most_once=True) as sending:
        await sending.account.lanes.stop(1)
        await sending.say("1")
        (row,) = await sending.world.store.outbox_heads(0, 10)
        await sending.world.store.claim_delivery(row.id, sending.world.clock.now())
        after = attached(sending.world, {}, Backoff(attempts=12), {"at_most_once": True})
        await after.account.start()
        await after.world.settle()
        assert after.wire.texts == []
        assert await after.world.reasons() == ["the process died while it was sent"]
        await after.account.lanes.stop(1)


def fate(world: Turns, message_id: str, code: int) -> Any:
    """Konnek tells what became of a message."""
    told = {"status": {"message_id": message_id, "status": code, "recipient_id": "ann"}}
    webhook = Webhook(channel="whatsapp", body=body(told), json=told, received_at=world.clock.now())
    return arrivals_of("shop", world.config.accounts["shop"].provider, webhook, lambda _: False)


async def test_a_status_settles_an_unknown_outcome_and_nothing_is_sent_twice() -> None:
    async with out({"1": [OutcomeUnknown("no answer in time")]}, resolve_window=30.0) as sending:
        await sending.say("1 2")
        ((_, key),) = sending.wire.tried
        await sending.world.store.receive(fate(sending.world, key, 2))
        await sending.wait(31)
        assert sending.wire.texts == ["1", "2"]
        assert await sending.states() == ["sent", "sent"]


async def test_at_most_once_what_was_stopped_before_it_left_is_sent_by_the_next_process() -> None:
    """Waiting for a place or a token is no try: a restart under load parks nothing."""
    async with out({}, at_most_once=True) as sending:
        never = asyncio.Event()

        async def wait(outbound: Outbound, attempt: Attempt) -> Sent:
            del outbound, attempt
            await never.wait()
            return Sent()

        sending.wire.send = wait  # type: ignore[method-assign]
        await sending.world.heard("1", "m-1")
        await sending.world.dispatcher.lanes.settle()
        await sending.account.lanes.stop(0.05)
        after = attached(sending.world, {}, Backoff(attempts=12), {"at_most_once": True})
        await after.account.start()
        await after.world.settle()
        assert (after.wire.texts, await after.world.reasons()) == (["1"], [])
        await after.account.lanes.stop(1)


async def test_a_message_that_a_person_ends_after_a_try_without_answer_says_so_and_a_status_settles_it() -> None:
    async with out({"hello": [OutcomeUnknown("no answer")]}) as sending:
        await sending.say("hello")
        assert await sending.world.handoffs.hand_off(1, "mine")
        await sending.wait(60)
        (letter,) = await sending.world.store.dead_letters()
        assert letter.reason == (
            "a person took the conversation; an earlier try had no answer, so the contact may have it"
        )
        assert sending.wire.texts == ["hello"]
        await sending.world.store.receive([news(sending.wire.tried[0][1], "delivered")])
        assert await sending.states() == ["sent"]
