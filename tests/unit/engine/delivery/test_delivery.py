"""Deliveries: order, retries, pauses and endings of messages, over a wire that answers as the test says."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from structlog.testing import capture_logs

from bridge.engine.backoff import Backoff
from bridge.engine.delivery.client import Client
from bridge.engine.delivery.delivery import Delivery
from bridge.engine.delivery.fitness import Unfit, fit
from bridge.errors import NotSent, OutcomeUnknown, Rejected, SendError, Unavailable
from bridge.providers.port import AccountSettings
from bridge.store.shares import Use
from bridge.units import PerPeriod
from tests.support.deliveries import attached, later, out, parrot
from tests.support.manual_clock import ManualClock
from tests.support.plain_gateway import Plain
from tests.support.turn_engine import turns
from tests.support.whole_bridges import NOWHERE

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.messages import Text
    from bridge.store.records import OutboxRow, Settled


async def test_messages_of_a_thread_leave_in_order_whatever_happens_to_the_first() -> None:
    async with out({"1": [later(), OutcomeUnknown("cut"), later()]}) as sending:
        await sending.say("1 2 3")
        await sending.say("a b", "m-2", "bob")
        assert sending.wire.texts == ["1", "a", "b"]
        for _ in range(3):
            await sending.wait(60)
        assert sending.wire.texts == ["1", "a", "b", "1", "1", "1", "2", "3"]
        assert len(set(sending.wire.tried)) == 5
        assert await sending.states() == ["sent"] * 3


@pytest.mark.parametrize("error", [Rejected("never", code="13108"), Rejected("the answer is a redirect")], ids=str)
async def test_what_is_refused_is_a_dead_letter_and_the_next_goes_on(error: Rejected) -> None:
    async with out({"1": [error]}) as sending:
        await sending.say("1 2")
        assert sending.wire.texts == ["1", "2"]
        (reason,) = await sending.world.reasons()
        assert error.reason in reason
        assert error.code in reason
        assert await sending.states() == ["dead", "sent"]


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        (None, 0.5, 1),
        (5, 5, 5),
        (0, 1, 1),
        (-1, 1, 1),
        (0.25, 1, 1),
        (900, 900, 900),
        (901, 900, 900),
        (1e9, 900, 900),
        (float("inf"), 900, 900),
    ],
)
async def test_what_the_provider_asks_for_is_granted_within_reason(
    asked: float | None, least: float, most: float
) -> None:
    """F45: from a second to a quarter of an hour; the same for the whole account."""
    async with out({"1": [later(retry_after=asked)]}, give_up_after=5_000) as sending:
        await sending.say("1")
        await sending.wait(least - 0.001)
        assert sending.wire.texts == ["1"]
        await sending.wait(most - least + 0.002)
        assert sending.wire.texts == ["1", "1"]


async def test_pauses_grow_and_stay_under_a_minute() -> None:
    async with out({"1": [later() for _ in range(9)]}) as sending:
        await sending.say("1")
        for _ in range(4_000):
            await sending.wait(0.1)
            if len(sending.wire.tried) == 10:
                break
        pauses = [b - a for a, b in zip(sending.wire.times, sending.wire.times[1:], strict=False)]
    for number, pause in enumerate(pauses):
        full = min(60, 2**number)
        assert full / 2 <= pause <= full + 0.1


async def test_enough_tries_are_enough() -> None:
    async with out({"1": [later() for _ in range(9)]}, attempts=3) as sending:
        await sending.say("1 2")
        for _ in range(4):
            await sending.wait(60)
        assert sending.wire.texts == ["1", "1", "1", "2"]
        assert await sending.world.reasons() == ["given up after 3 tries: not now"]


async def test_enough_time_is_enough() -> None:
    async with out({"1": [later() for _ in range(99)]}, give_up_after=100) as sending:
        await sending.say("1 2")
        for _ in range(20):
            await sending.wait(10)
        (reason,) = await sending.world.reasons()
        assert reason.startswith("given up after ")
        assert sending.wire.texts[-1] == "2"
        tried = [at for text, at in zip(sending.wire.texts, sending.wire.times, strict=True) if text == "1"]
        assert tried[-1] - tried[0] <= 100


async def test_a_message_that_is_worth_nothing_any_more_is_not_sent() -> None:
    async with out({"soon": [later(retry_after=10)]}) as sending:
        await sending.say("soon 2")
        await sending.wait(10.001)
        assert sending.wire.texts == ["soon", "2"]
        assert await sending.states() == ["expired", "sent"]


async def test_the_thread_of_a_usual_message_is_looked_at_once_and_of_any_other_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Right before it leaves; what was tried before, or is withheld there, is looked at before anything else."""
    looked_at: list[str] = []

    def look(row: OutboxRow, *judged: Any, **told: Any) -> OutboxRow | Unfit:
        looked_at.append(cast("Text", row.message).text)
        return fit(row, *judged, **told)

    monkeypatch.setattr("bridge.engine.delivery.worker.fit", look)
    async with out({"2": [later(retry_after=10)]}) as sending:
        await sending.say("1")
        assert looked_at == ["1"]
        await sending.say("2", "m-2")
        await sending.wait(10.001)
        assert looked_at == ["1", "2", "2", "2"]
        assert sending.wire.texts == ["1", "2", "2"]


async def test_a_refused_account_is_left_alone_and_tried_every_half_minute() -> None:
    """By one message; and that costs it no attempt: three tries are allowed here, and there are five probes."""
    async with out({"1": [later(pause=True) for _ in range(9)]}, attempts=3) as sending:
        with capture_logs() as lines:
            await sending.say("1 2")
            await sending.say("a", "m-2", "bob")
            assert sending.account.paused == "not now"
            assert sending.wire.texts == ["1"]
            sending.wire.script["a"] = [later(pause=True) for _ in range(9)]
            for probe in range(4):
                assert len(sending.wire.tried) == 1 + probe
                await sending.wait(29.9)
                assert len(sending.wire.tried) == 1 + probe
                await sending.wait(0.2)
            sending.wire.script.clear()
            for _ in range(3):
                await sending.wait(31)
        assert sending.account.paused == ""
        assert sorted(sending.wire.texts[-3:]) == ["1", "2", "a"]
        assert (await sending.states(), await sending.world.reasons()) == (["sent", "sent"], [])
    told = [line["event"] for line in lines if line["event"].startswith("account_")]
    assert told == ["account_paused", "account_resumed"]


async def test_what_was_sent_is_written_down_however_long_the_store_is_away() -> None:
    """And not sent again meanwhile."""
    async with out({}) as sending:
        settle, refusals = sending.world.store.settle_delivery, [Unavailable("disk full")] * 5

        async def away(settled: Settled) -> None:
            if refusals:
                raise refusals.pop()
            await settle(settled)

        sending.world.store.settle_delivery = away  # type: ignore[method-assign] # a fault, where there is no door
        await sending.world.heard("1", "m-1")
        await sending.world.dispatcher.lanes.settle()
        for _ in range(200):
            sending.world.clock.advance(0.5)
            await sending.world.store.threads()
            if await sending.states() == ["sent"]:
                break
        assert (refusals, sending.wire.texts, await sending.states()) == ([], ["1"], ["sent"])


async def test_what_waits_is_sent_after_a_restart_in_order() -> None:
    async with out({}) as sending:
        await sending.account.lanes.stop(1)
        await sending.say("1 2 3")
        await sending.say("4", "m-2")
        after = attached(sending.world, {}, Backoff(attempts=12), {})
        await after.account.start()
        await after.world.settle()
        assert after.wire.texts == ["1", "2", "3", "4"]
        await after.account.lanes.stop(1)


@pytest.mark.parametrize(("hours", "state"), [(23, "sent"), (25, "dead")])
async def test_the_window_is_looked_at_again_when_a_message_that_waited_leaves(hours: int, state: str) -> None:
    async with out({"1": [NotSent("the token is refused", pause=True)]}) as sending:
        await sending.say("1")
        await sending.wait(hours * 3600)
        assert await sending.states() == [state]
        if state == "dead":
            assert sending.wire.texts == ["1"]
            (reason,) = await sending.world.reasons()
            assert "window" in reason


async def test_nothing_is_remembered_of_messages_that_are_through() -> None:
    async with out({"soon": [later(retry_after=9.0)], "1": [later(), OutcomeUnknown("no answer in time")]}) as sending:
        await sending.say("soon 1")
        for _ in range(10):
            await sending.wait(10)
        assert await sending.states() == ["expired", "sent"]
        assert sending.account._waits == {}
        assert sending.account._pause._waiting == {}


async def test_a_clock_that_is_set_back_makes_no_pause_of_an_account_longer() -> None:
    async with out({"1": [later(pause=True)]}) as sending:
        await sending.say("1")
        sending.world.clock.set_by(-86_400)
        await sending.wait(30)
        await sending.wait(30)
        assert await sending.states() == ["sent"]


@pytest.mark.parametrize(
    ("error", "actions"),
    [
        (Rejected("no account for +6281234500099", code="400"), ["message_dead"]),
        (NotSent("not now, Ann", code="429"), ["message_not_sent", "message_dead"]),
        (OutcomeUnknown("Ann waits", code="504"), ["message_not_sent", "message_dead"]),
        (NotSent("no such number: +6281234500099", code="401", pause=True), ["account_paused"]),
    ],
    ids=str,
)
async def test_what_a_gateway_says_is_kept_and_never_logged(error: SendError, actions: list[str]) -> None:
    with capture_logs() as lines:
        async with out({"1": [error, error]}, attempts=2) as sending:
            await sending.say("1")
            await sending.wait(60)
            reasons = await sending.world.reasons()
    told = [line for line in lines if line["event"] in actions]
    assert [line["event"] for line in told] == actions
    assert all(f"({error.code})" in line["reason"] for line in told)
    assert not [line for line in lines if "Ann" in str(line) or "+62" in str(line)]
    assert all(error.reason in reason for reason in reasons)
    assert len(reasons) == ("message_dead" in actions)


@pytest.mark.parametrize("outcome", [NotSent("not now"), OutcomeUnknown("no answer")])
async def test_a_pause_from_while_the_clock_was_ahead_lasts_no_longer_than_it_was_meant_to(
    tmp_path: Path, outcome: SendError
) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    async with turns(parrot(), url=url) as world:
        world.clock.set_by(7200)
        sending = attached(world, {"hello": [outcome]}, Backoff(attempts=12), {})
        await sending.account.start()
        await sending.say("hello")
        await sending.account.lanes.stop(1)
    async with turns(parrot(), url=url) as world:
        sending = attached(world, {}, Backoff(attempts=12), {})
        await sending.account.start()
        await sending.wait(60)
        assert sending.wire.texts == ["hello"]
        await sending.account.lanes.stop(1)


def test_each_account_keeps_to_its_own_share_of_its_rate() -> None:
    rates = {"shop": PerPeriod(100, 60.0), "relay": PerPeriod(20, 60.0), "free": None}
    clock, provider = ManualClock(), cast("Any", Plain(NOWHERE))
    clients = {
        name: Client(provider, AccountSettings(provider="plain", rate=rate), cast("Any", None), clock)
        for name, rate in rates.items()
    }
    workers = [cast("Any", SimpleNamespace(account=name, client=client)) for name, client in clients.items()]

    def room() -> list[int | None]:
        return [client.room(Fraction(1)) for client in clients.values()]

    delivery = Delivery(workers)
    assert delivery.uses() == {"shop": Use(100, 0, 0), "relay": Use(20, 0, 0)}
    delivery.share(4, {"shop": 10})
    assert room() == [10, 5, None]
    delivery.share(1, {})
    assert room() == [100, 20, None]
