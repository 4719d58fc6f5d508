"""When a message may go: its expiry, and the window of the channel."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from bridge.messages import (
    Image,
    Outgoing,
    Raw,
    Template,
    Text,
)
from bridge.planning.plan import Plan, expires_at, plan
from bridge.units import SECOND, moment
from tests.support.channel_profiles import DAY, NOW, PLAIN, WINDOWED, planned


def test_a_fallback_inherits_when_it_may_be_sent() -> None:
    message = Template("hello", at=moment(NOW + SECOND), expires=timedelta(seconds=9), fallback=[Text("Hello!")])
    assert planned(message, PLAIN).parts == (Text("Hello!", at=moment(NOW + SECOND), expires=moment(NOW + 9 * SECOND)),)


@pytest.mark.parametrize(
    ("message", "goes"),
    [
        (Text("a", expires=moment(NOW)), False),
        (Text("a", expires=moment(NOW + 1)), True),
        (Text("a", expires=timedelta(0)), False),
        (Text("a", expires=timedelta(microseconds=1)), True),
        (Text("a", expires=timedelta.max), True),
        (Text("a", expires=timedelta(hours=1), at=moment(NOW + 3600 * SECOND)), False),
        (Text("a", expires=moment(NOW), fallback=[Text("b")]), False),
    ],
)
def test_a_message_past_its_expiry_is_dropped(message: Outgoing, *, goes: bool) -> None:
    made = planned(message, PLAIN)
    assert (made.dropped is None) == goes == bool(made.parts)
    if not goes:
        assert str(made.dropped).startswith("expired: worth nothing after 2025-10-09 ")


def test_an_expiry_from_now_becomes_a_moment_in_every_part() -> None:
    made = planned(Text("one two", expires=timedelta(minutes=1)), replace(PLAIN, text=3))
    assert [part.expires for part in made.parts] == [moment(NOW + 60 * SECOND)] * 2
    assert expires_at(made.parts[0], NOW + 5) == NOW + 60 * SECOND
    assert expires_at(Text("a"), NOW) is None


SHUT: Final = NOW - DAY * SECOND - 1


CLOSED: Final = "window: free text goes only within 24 hours of the contact's last message"


UNSURE: Final = "window: not known when the contact last wrote; sent all the same"


@pytest.mark.parametrize(
    ("message", "heard", "expected"),
    [
        (Text("a"), NOW - DAY * SECOND, Plan(parts=(Text("a"),))),
        (Text("a"), SHUT, Plan(dropped=CLOSED)),
        (
            Text("a", reply_to="m"),
            NOW - DAY * SECOND,
            Plan(parts=(Text("a"),), given_up=("reply_to: not possible here",)),
        ),
        (Text("a", at=moment(NOW + 1)), NOW - DAY * SECOND, Plan(dropped=CLOSED)),
        (Text("a", tag="ACCOUNT_UPDATE"), SHUT, Plan(parts=(Text("a", tag="ACCOUNT_UPDATE"),))),
        (Text("a", tag="OTHER"), SHUT, Plan(given_up=("tag OTHER: not taken here",), dropped=CLOSED)),
        (Template("t"), SHUT, Plan(parts=(Template("t"),))),
        (Raw({"a": 1}), SHUT, Plan(parts=(Raw({"a": 1}),))),
        (
            Text("a", fallback=[Text("b"), Template("t")]),
            SHUT,
            Plan(
                parts=(Template("t"),),
                given_up=(CLOSED, f"fallback: {CLOSED}", "text: the fallback is sent instead"),
            ),
        ),
        (Text("a", fallback=[Text("b")]), SHUT, Plan(dropped=f"{CLOSED}; fallback: {CLOSED}")),
        (Text("a", fallback=[Template("t")]), NOW, Plan(parts=(Text("a", fallback=[Template("t")]),))),
        (Text("a"), None, Plan(parts=(Text("a"),), given_up=(UNSURE,))),
        (Text("a", tag="ACCOUNT_UPDATE"), None, Plan(parts=(Text("a", tag="ACCOUNT_UPDATE"),))),
        (
            Text("a", fallback=[Template("t")]),
            None,
            Plan(parts=(Template("t"),), given_up=(CLOSED, "text: the fallback is sent instead")),
        ),
        (
            Text("a", fallback=[Text("b")]),
            None,
            Plan(parts=(Text("a", fallback=[Text("b")]),), given_up=(UNSURE,)),
        ),
        (Image("https://x/a.png"), SHUT, Plan(dropped=CLOSED)),
    ],
)
def test_outside_the_window_the_tag_the_template_or_the_fallback_goes(
    message: Outgoing, heard: int | None, expected: Plan
) -> None:
    assert plan(message, WINDOWED, now=NOW, last_heard=heard) == expected
