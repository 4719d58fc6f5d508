"""Waiting with an end: each waits on its own, and nobody else's cancellation is taken for a late commit."""

from __future__ import annotations

import asyncio

import pytest

from bridge.engine.patience import Limit, Patience


async def test_what_comes_in_time_comes() -> None:
    patience = Patience(5)

    assert await patience.wait(asyncio.sleep(0, "done")) == "done"
    assert not patience._waiting


async def test_who_waits_too_long_is_told_and_nobody_else() -> None:
    patience = Patience(0.02)
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    soon: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    late = asyncio.create_task(patience.wait(never))
    ended, _ = await asyncio.wait({late}, timeout=30)
    assert ended
    with pytest.raises(TimeoutError):
        late.result()
    soon.set_result("done")

    assert await patience.wait(soon) == "done"
    assert never.cancelled()
    assert not patience._waiting


async def test_who_waits_after_the_others_were_told_in_time_has_an_alarm_too() -> None:
    """The last whose waiting ends takes the alarm away."""
    patience = Patience(5)
    assert await patience.wait(asyncio.sleep(0, "done")) == "done"

    with Limit(patience):
        (until,) = patience._waiting.values()
        assert patience._alarm is not None
        assert (patience._alarm.when(), patience._alarm.cancelled()) == (until, False)
    assert patience._alarm is None


async def test_a_cancellation_from_elsewhere_stays_one() -> None:
    patience = Patience(5)
    waiting = asyncio.create_task(patience.wait(asyncio.get_running_loop().create_future()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert not patience._waiting


async def test_an_alarm_that_comes_early_by_less_than_a_loop_tells_apart_is_on_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else a simulated clock, which stands still meanwhile, would never go on."""
    patience, rung = Patience(5), list[str]()
    loop = asyncio.get_running_loop()
    patience.begin(lambda: rung.append("now"))
    (until,) = patience._waiting.values()
    monkeypatch.setattr(loop, "time", lambda: until - 1e-12)
    patience._look(loop, until)
    assert rung == ["now"]
    assert not patience._waiting
