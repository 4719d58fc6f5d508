"""What a message did not cause costs it no try: the account pauses, one message tries, and all follow."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from bridge.engine.delivery.pause import Pause
from bridge.errors import NotSent, OutcomeUnknown, Rejected, SendError
from tests.support.deliveries import later, out
from tests.support.manual_clock import ManualClock

if TYPE_CHECKING:
    from bridge.engine.delivery.client import Attempt

PEOPLE = ("ann", "bob", "eve", "joe")

OF_THE_ACCOUNT = [
    NotSent("no connection: Connection refused", away=True),
    NotSent("too many", code="429", away=True),
    NotSent("too many", code="429", retry_after=20.0),
    NotSent("the account is refused", code="401", pause=True),
]


def account_lines(lines: list[Any]) -> list[str]:
    return [line["event"] for line in lines if line["event"].startswith("account_")]


@pytest.mark.parametrize("error", OF_THE_ACCOUNT, ids=str)
async def test_what_holds_the_account_costs_no_message_a_try(error: SendError) -> None:
    """An hour, where two tries are allowed; and the log has a line at the pause and a line at its end."""
    async with out({who: [error] * 500 for who in PEOPLE}, attempts=2) as sending:
        with capture_logs() as lines:
            for who in PEOPLE:
                await sending.say(f"{who} then", f"m-{who}", who)
            for _ in range(360):
                await sending.wait(10)
            tried = len(sending.wire.tried)
            sending.wire.script.clear()
            await sending.wait(31)
        assert await sending.world.reasons() == []
        assert [await sending.states(who) for who in PEOPLE] == [["sent", "sent"]] * len(PEOPLE)
        assert tried <= 200, "one probe each time, and not one of each message"
        assert account_lines(lines) == ["account_paused", "account_resumed"]
        assert not [line for line in lines if line["event"] == "message_not_sent"]


async def test_a_pause_that_another_process_tells_of_holds_the_account_until_it_ends_or_a_probe_gets_through() -> None:
    async with out({}) as sending:
        sending.account.follow("away", 1000.0)
        await sending.say("ann", "m-ann", "ann")
        assert await sending.states("ann") == ["open"]
        sending.account.follow("", 0.0)
        await sending.wait(0)
        assert await sending.states("ann") == ["sent"]
        sending.account.follow("away", 20.0)
        await sending.say("bob", "m-bob", "bob")
        assert await sending.states("bob") == ["open"]
        await sending.wait(20)
        assert await sending.states("bob") == ["sent"]


async def test_what_a_process_finds_out_about_an_account_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    error = NotSent("no connection: Connection refused", away=True)
    told: list[tuple[str, str, bool]] = []

    async def tell_pause(account: str, reason: str, seconds: float) -> None:
        told.append((account, reason, seconds > 0))

    async with out({"ann": [error]}) as sending:
        monkeypatch.setattr(sending.world.store, "tell_pause", tell_pause)
        await sending.say("ann", "m-ann", "ann")
        await sending.wait(31)
    assert told == [("shop", "no connection: Connection refused", True), ("shop", "", False)]


async def test_all_that_wait_leave_in_the_moment_that_the_probe_is_accepted() -> None:
    error = NotSent("no connection: Connection refused", away=True)
    async with out({who: [error] * 10 for who in PEOPLE}) as sending:
        for who in PEOPLE:
            await sending.say(who, f"m-{who}", who)
        for _ in range(10):
            await sending.wait(30)
        sending.wire.script.clear()
        before = len(sending.wire.times)
        await sending.wait(31)
        assert len(sending.wire.times) - before == len(PEOPLE)
        assert len(set(sending.wire.times[before:])) == 1


async def test_pauses_grow_to_half_a_minute() -> None:
    error = NotSent("no connection: Connection refused", away=True)
    async with out({"1": [error] * 12}) as sending:
        await sending.say("1")
        for _ in range(4_000):
            await sending.wait(0.1)
        times = sending.wire.times
    pauses = [after - before for before, after in pairwise(times)]
    assert len(pauses) == 12
    for number, pause in enumerate(pauses):
        full = min(30, 2**number)
        assert full / 2 <= pause <= full + 0.1


@pytest.mark.parametrize("error", [OutcomeUnknown("HTTP 500", code="500"), NotSent("no", code="503")], ids=str)
async def test_a_gateway_that_fails_for_all_is_away(error: SendError) -> None:
    async with out({who: [error] * 500 for who in PEOPLE}, attempts=2) as sending:
        for who in PEOPLE:
            await sending.say(who, f"m-{who}", who)
        for _ in range(100):
            await sending.wait(30)
        assert sending.account.paused
        sending.wire.script.clear()
        await sending.wait(31)
        assert await sending.world.reasons() == []
        assert [await sending.states(who) for who in PEOPLE] == [["sent"]] * len(PEOPLE)


async def test_a_message_that_a_gateway_fails_at_while_it_takes_others_spends_its_own_tries() -> None:
    async with out({"poison": [OutcomeUnknown("HTTP 500", code="500")] * 500}, attempts=3) as sending:
        await sending.say("poison 2", "m-1", "ann")
        for number in range(20):
            error = sending.wire.send

            async def meanwhile(outbound: Any, attempt: Attempt, send: Any = error) -> Any:
                sending.account._pause.prove(0)
                return await send(outbound, attempt)

            sending.wire.send = meanwhile  # type: ignore[method-assign] # another message is accepted at that time
            await sending.wait(60)
            sending.wire.send = error  # type: ignore[method-assign]
            await sending.say("hi", f"m-bob-{number}", "bob")
        (reason,) = await sending.world.reasons()
        assert reason.startswith("given up after ")
        assert await sending.states() == ["dead", "sent"]
        assert not sending.account.paused


async def test_what_is_out_without_an_answer_is_not_repeated_for_ever() -> None:
    """Each repeat may reach the contact a second time."""
    async with out({"1": [OutcomeUnknown("no answer in time")] * 500}, attempts=3) as sending:
        await sending.say("1 2")
        for _ in range(20):
            await sending.wait(60)
        assert sending.wire.texts == ["1", "1", "1", "2"]


async def test_a_message_is_given_up_by_time_while_its_account_is_paused() -> None:
    error = NotSent("no connection: Connection refused", away=True)
    async with out({"1": [error] * 500, "a": [error] * 500}, give_up_after=3_600) as sending:
        await sending.say("1")
        await sending.say("a", "m-2", "bob")
        for _ in range(123):
            await sending.wait(30)
        assert [await sending.states(who) for who in ("ann", "bob")] == [["dead"], ["dead"]]
        assert all("Connection refused" in reason for reason in await sending.world.reasons())


async def test_a_message_that_expires_during_a_pause_ends_and_another_one_probes() -> None:
    error = NotSent("no connection: Connection refused", away=True)
    async with out({"soon": [error] * 500}) as sending:
        await sending.say("soon")
        await sending.say("2", "m-2", "bob")
        for _ in range(4):
            await sending.wait(5)
        assert await sending.states() == ["expired"]
        assert await sending.states("bob") == ["sent"]


async def test_a_clock_that_is_set_right_leaves_no_message_waiting() -> None:
    """The clock is an hour ahead, the gateway fails, and the clock is right again."""
    async with out({"1": [NotSent("not now", code="503", retry_after=5.0)]}) as sending:
        sending.world.clock.set_by(3_600)
        await sending.say("1")
        sending.world.clock.set_by(-3_600)
        await sending.wait(5.1)
        assert await sending.states() == ["sent"]


@pytest.mark.parametrize("at_most_once", [False, True])
async def test_expiry_is_looked_at_after_the_last_wait(*, at_most_once: bool) -> None:
    async with out({}, at_most_once=at_most_once) as sending:
        send = sending.wire.send

        async def wait_first(outbound: Any, attempt: Attempt) -> Any:
            sending.world.clock.advance(6)  # for its turn under the rate, say
            return await send(outbound, attempt)

        sending.wire.send = wait_first  # type: ignore[method-assign] # a wait, where there is no door
        await sending.say("soon 2")
        assert sending.wire.texts == ["2"]
        assert await sending.states() == ["expired", "sent"]


async def test_the_window_is_looked_at_after_the_last_wait() -> None:
    async with out({}) as sending:
        send = sending.wire.send

        async def wait_first(outbound: Any, attempt: Attempt) -> Any:
            sending.world.clock.advance(25 * 3_600)
            return await send(outbound, attempt)

        sending.wire.send = wait_first  # type: ignore[method-assign] # a wait, where there is no door
        await sending.say("1")
        assert sending.wire.texts == []
        (reason,) = await sending.world.reasons()
        assert "window" in reason


async def test_a_pause_that_begins_while_a_message_waits_for_its_turn_holds_it() -> None:
    error = NotSent("no connection: Connection refused", away=True)
    async with out({"1": [error]}, at_most_once=True) as sending:
        send = sending.wire.send
        held: list[int] = []

        async def wait_first(outbound: Any, attempt: Attempt) -> Any:
            if not held and outbound.message.text == "a":
                held.append(1)
                sending.account._pause.begin(0, "another message is refused", logged="refused", refused=True)
            return await send(outbound, attempt)

        sending.wire.send = wait_first  # type: ignore[method-assign] # a wait, where there is no door
        await sending.say("a", "m-2", "bob")
        assert sending.wire.texts == []
        assert await sending.states("bob") == ["open"]
        await sending.wait(31)
        assert await sending.states("bob") == ["sent"]


async def test_a_message_that_takes_no_part_in_a_pause_still_waits_its_own_time() -> None:
    async with out({"1": [later()]}) as sending:
        await sending.say("1")
        assert sending.account.paused == ""
        await sending.wait(1.1)
        assert sending.wire.texts == ["1", "1"]


async def test_a_probe_that_is_due_while_the_last_one_is_written_down_is_not_missed() -> None:
    """The store takes longer than the pause: nothing else would ever wake the message."""
    async with out({"1": [NotSent("no connection: Connection refused", away=True)]}) as sending:
        write = sending.world.store.retry_delivery

        async def slow(retry: Any) -> None:
            sending.world.clock.advance(3)
            await write(retry)

        sending.world.store.retry_delivery = slow  # type: ignore[method-assign] # a fault, where there is no door
        await sending.say("1")
        assert await sending.states() == ["sent"]
        assert sending.account.paused == ""


async def test_a_probe_that_the_gateway_refuses_ends_the_pause_too() -> None:
    """It judged the message, so it is there, and no other message has to find that out."""
    async with out({"a": [NotSent("no connection", away=True), Rejected("never", code="13108")]}) as sending:
        await sending.say("a")
        assert sending.account.paused
        await sending.wait(1)
        assert (sending.account.paused, await sending.states()) == ("", ["dead"])


async def test_a_pause_after_one_that_ended_is_as_short_as_the_first() -> None:
    away = NotSent("no connection: Connection refused", away=True)
    async with out({"1": [away] * 5, "2": [away]}) as sending:
        await sending.say("1 2")
        for _ in range(5):
            await sending.wait(30)
        assert sending.wire.texts == ["1"] * 6 + ["2"]
        await sending.wait(1)
        assert await sending.states() == ["sent", "sent"]


async def test_a_probe_that_ends_without_an_answer_leaves_its_place_to_the_next() -> None:
    """It is withheld, say, when its bytes are about to leave."""
    woken: list[int] = []
    pause = Pause("shop", ManualClock(), Random(5), woken.extend)
    pause.follow("away", 20.0)
    for row_id in (1, 2):
        pause.wait(row_id)
    pause._ring()
    pause.take(1)
    assert (woken, pause.admits(1), pause.admits(2)) == ([1], True, False)
    pause.leave(1)
    pause.take(2)
    assert (woken, pause.admits(2)) == ([1, 2], True)
