"""How many messages of a broadcast are on their way: more while that costs no time, fewer once they wait."""

from __future__ import annotations

from bridge.engine.broadcasts.pacing import Window

GATEWAY = 20_000
"""Microseconds that a message takes at a gateway with nothing to do."""
SECOND = 1_000_000


def run(window: Window, messages: int, *, own: int, gateway: int = GATEWAY, now: int = 0) -> int:
    """Messages one after another, each of which takes `own` microseconds of a machine that does one at a time."""
    for _ in range(messages):
        took = max(gateway + own, window.size * own)
        now += took // window.size
        window.took(took, now)
    return now


def test_it_rises_until_messages_wait_for_each_other_and_not_further() -> None:
    window = Window()
    assert window.size == 2
    run(window, 600, own=2_000)
    assert 8 <= window.size <= 16


def test_a_slow_gateway_has_more_at_once_than_a_quick_one() -> None:
    quick, slow = Window(), Window()
    run(quick, 600, own=2_000)
    run(slow, 600, own=2_000, gateway=200_000)
    assert slow.size > 2 * quick.size


def test_it_falls_when_the_machine_has_other_work() -> None:
    window = Window()
    now = run(window, 600, own=2_000)
    before = window.size
    run(window, 100, own=8_000, now=now)
    assert window.size < before


def test_a_gateway_that_became_slower_is_learned_in_time() -> None:
    window = Window()
    now = run(window, 600, own=2_000)
    now = run(window, 2_000, own=2_000, gateway=200_000, now=now + 45 * SECOND)
    assert window.size > 16
