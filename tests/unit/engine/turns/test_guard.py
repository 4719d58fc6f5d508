"""The guard: two machines that answer each other are found, and no person is taken for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.engine.turns.guard import Guard
from bridge.engine.turns.loops import SHORT, STANDSTILL, GuardPolicy, is_back
from bridge.events import Contact, Echo, Status
from bridge.planning.choices import Choice
from bridge.units import SECOND, moment
from tests.support.guarded import DEFAULTS, Guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn

WHOLE = "Thank you for your message"
MINUTE = 60 * SECOND

BOTS: dict[str, Callable[[str], str | None]] = {
    "echo": lambda text: text,
    "quotes": lambda text: f"You said: {text}",
    "menu": lambda _: "What would you like?\n1. Pizza\n2. Pasta\n3. A person",
    "fixed": lambda _: "Sorry, I did not understand that.",
}

# People

WORDS = st.one_of(
    st.integers(0, 99).map(str),
    st.sampled_from(["hi", "ok", "hello?", "Pizza", "3", "3.", "yes please", "A person", "test test", "👍👍👍"]),
    st.text(max_size=SHORT - 1),
)


@st.composite
def days(draw: DrawFn) -> list[tuple[int, str, bool]]:
    """What a fast person does and when: at most 20 short messages and 9 presses in any minute, in bursts or not."""
    said: list[int] = []
    pressed: list[int] = []
    day: list[tuple[int, str, bool]] = []
    now = 0
    for gap in draw(st.lists(st.sampled_from([0, 1, 50, 500, 1500, 3000, 9000, 61_000]), min_size=20, max_size=200)):
        now += gap * SECOND // 1000
        presses = draw(st.booleans())
        times, most = (pressed, 9) if presses else (said, 20)
        if len(times) < most or now - times[-most] > MINUTE:
            times.append(now)
            day.append((now, draw(WORDS), presses))
    return day


@given(days(), st.sampled_from(sorted(BOTS)))
@pytest.mark.slow
def test_a_person_at_any_speed_of_people_is_never_held_and_never_waits(
    day: list[tuple[int, str, bool]], bot: str
) -> None:
    talk = Guarded(BOTS[bot], took=0)
    begin = talk.clock.now()
    for at, text, presses in day:
        talk.clock.advance((begin + at - talk.clock.now()) / SECOND)
        assert talk.hears(text, pressed=presses) is not None, talk.note
    assert talk.waited == 0


def test_many_speakers_of_a_group_are_bounded_each_for_themselves() -> None:
    talk = Guarded(BOTS["echo"])
    for _ in range(20):
        for who in range(30):
            talk.clock.advance(0.1)
            assert talk.hears("morning", f"member {who}") is not None


def test_whoever_copies_the_bot_a_few_times_is_no_machine() -> None:
    talk = Guarded(BOTS["fixed"])
    for _ in range(20):
        for _ in range(DEFAULTS.repeats):
            talk.clock.advance(2)
            assert talk.hears("Sorry, I did not understand that.") is not None
        talk.clock.advance(2)
        assert talk.hears("a person please") is not None


def test_what_is_said_back_after_a_while_is_no_machine() -> None:
    talk = Guarded(BOTS["echo"])
    for _ in range(10):
        for seconds in (11, 11, 11, 11, 11, 11, 2):
            talk.clock.advance(seconds)
            assert talk.hears(WHOLE) == WHOLE


def test_a_message_that_the_bot_leaves_unanswered_ends_what_went_round() -> None:
    talk = Guarded(lambda text: None if "enough" in text else text)
    for _ in range(10):
        for _ in range(DEFAULTS.repeats):
            talk.clock.advance(2.5)
            assert talk.hears(WHOLE) == WHOLE
        assert talk.hears("that is enough for now") is None
    assert talk.note is None


def test_a_person_of_ours_may_say_whatever_they_like() -> None:
    talk = Guarded(BOTS["fixed"])
    for _ in range(40):
        talk.clock.advance(0.1)
        event = Echo(id="1", contact=Contact(id="ann"), at=moment(talk.clock.now()), text="hi", human=True)
        assert talk.handles(event, talk.clock.now()) is not None


def test_a_title_typed_is_a_press_and_none_of_the_bots_words() -> None:
    title = "Talk to a person now"
    talk = Guarded(lambda _: title, choices=(Choice(number=None, key="person", title=title),))
    for _ in range(25):
        talk.clock.advance(3)
        assert talk.hears(title) == title


def test_what_waited_for_the_bridge_is_no_loop_however_fast_it_is_answered() -> None:
    talk = Guarded(BOTS["echo"])
    began = talk.clock.now()
    talk.clock.advance(3600)
    for number in range(200):
        assert talk.hears(f"message no {number}", came=began + number * 18 * SECOND) is not None


def test_what_the_gateway_held_back_counts_when_it_was_said() -> None:
    talk = Guarded(BOTS["echo"])
    said = talk.clock.now()
    talk.clock.advance(3600)
    for number in range(40):
        talk.clock.advance(0.1)
        about: dict[str, Any] = {"id": "1", "contact": Contact(id="ann"), "at": moment(said + number * 60 * SECOND)}
        status = Status(message_id="m", value="read", **about)
        assert talk.handles(status, talk.clock.now()) is not None


# Machines


@given(
    words=st.text("abcdefgh ij", min_size=2 * SHORT, max_size=3 * SHORT).filter(lambda text: len(text.split()) > 1),
    makes=st.sampled_from([str, str.upper, "It says: {}".format, "{} (09:00:01)".format, "** {} **".format]),
    bot=st.sampled_from(["echo", "quotes"]),
    latency=st.floats(0.01, 9),
)
def test_a_bot_that_says_back_what_it_hears_is_held_after_the_allowed_repeats(
    words: str, makes: Callable[[str], str], bot: str, latency: float
) -> None:
    talk = Guarded(BOTS[bot])
    talk.meets(lambda said: [makes(said)], words, latency)
    assert talk.note is not None
    assert talk.note.startswith("the contact said back what the bot said, 6 times in ")
    assert len(talk.answers) == DEFAULTS.repeats + 1


@given(words=st.text(min_size=1, max_size=40), bot=st.sampled_from(sorted(BOTS)), latency=st.floats(0.01, 1.9))
def test_any_two_bots_that_answer_each_other_fast_stop_within_the_limit(words: str, bot: str, latency: float) -> None:
    talk = Guarded(BOTS[bot])
    numbers = iter(range(1000))
    talk.meets(lambda _: [f"{next(numbers)} {words}"], words, latency)
    assert talk.note is not None
    assert len(talk.answers) <= DEFAULTS.turns_per_minute


@given(back=st.integers(2, 5), latency=st.floats(0.01, 1.9))
@pytest.mark.slow
def test_a_bot_that_answers_more_than_it_hears_is_held_too(back: int, latency: float) -> None:
    talk = Guarded(BOTS["menu"])
    numbers = iter(range(10**6))
    talk.meets(lambda _: [f"{next(numbers)} is news" for _ in range(back)], "hello", latency)
    assert talk.note is not None
    assert "the bot answered 30 times in" in talk.note


def test_two_bots_that_say_the_same_again_and_again_are_held_at_any_pace() -> None:
    talk = Guarded(BOTS["fixed"])
    talk.meets(lambda _: [WHOLE], WHOLE, 8)
    assert talk.note == "the contact and the bot said the same again, 21 times in a row"
    assert len(talk.answers) == STANDSTILL * DEFAULTS.repeats + 1


def test_a_bot_that_answers_its_own_messages_coming_back_is_held() -> None:
    talk = Guarded(BOTS["fixed"])
    for _ in range(40):
        talk.clock.advance(0.1)
        event = Echo(id="1", contact=Contact(id="ann"), at=moment(talk.clock.now()), text="hi")
        talk.handles(event, talk.clock.now())
    assert talk.note is not None
    assert len(talk.answers) == DEFAULTS.turns_per_minute


def test_after_a_return_all_begins_anew_and_a_loop_is_held_again() -> None:
    talk = Guarded(BOTS["echo"])
    for _ in range(3):
        talk.meets(lambda said: [said], WHOLE, 1)
        assert talk.note is not None
        assert talk.hears(WHOLE) is None  # a rule for held conversations is not asked
        talk.note = None
    assert len(talk.answers) == 3 * (DEFAULTS.repeats + 1)


@pytest.mark.parametrize("own", ["62811", "+62811"])
@pytest.mark.parametrize("who", ["62811", "+62811"])
def test_one_of_our_own_accounts_is_no_contact(own: str, who: str) -> None:
    talk = Guarded(BOTS["echo"], GuardPolicy(own=frozenset({own.removeprefix("+")})))
    assert talk.hears("hi", "62812") == "hi"
    assert talk.hears("hi", who) is None
    assert talk.note == "the contact is one of our own accounts"


def test_without_bounds_nothing_is_a_loop() -> None:
    talk = Guarded(BOTS["echo"], GuardPolicy())
    talk.meets(lambda said: [said], WHOLE, 0.1, events=300)
    assert talk.note is None
    assert len(talk.answers) == 300


# Floods


@given(st.integers(61, 300), st.floats(0, 0.9))
@pytest.mark.slow
def test_a_flood_waits_and_every_event_has_its_turn(events: int, apart: float) -> None:
    heard: list[str] = []
    talk = Guarded(heard.append, took=0)
    began = talk.clock.now()
    for number in range(events):
        came = began + round(number * apart * SECOND)
        talk.clock.advance(max(0, came - talk.clock.now()) / SECOND)
        talk.hears(str(number), came=came)
    assert heard == [str(number) for number in range(events)]
    spent = (talk.clock.now() - began) / SECOND
    assert spent == pytest.approx(max(events - 60, apart * (events - 1)), abs=1.5)


def test_a_burst_is_answered_to_the_end_and_is_no_loop() -> None:
    talk = Guarded(BOTS["echo"])
    began = talk.clock.now()
    for number in range(500):
        assert talk.hears(f"line number {number}", came=began) is not None


@given(st.floats(-7200, 7200))
def test_a_clock_that_is_set_delays_nobody_for_more_than_a_minute(by: float) -> None:
    talk = Guarded(lambda _: None)
    for _ in range(100):
        talk.hears("a")
    talk.clock.set_by(by)
    began = talk.clock.now()
    talk.hears("b")
    assert talk.clock.now() - began <= MINUTE
    for _ in range(100):
        talk.hears("c")
    assert talk.clock.now() - began >= 30 * SECOND  # the bound holds again


RUNS = st.lists(
    st.tuples(
        st.sampled_from([WHOLE, f"{WHOLE} 1", "Where is my order now?", "You said: nothing at all", "hi", ""]),
        st.integers(1, 7),
        st.sampled_from([0.1, 3.0, 11.0]),
    ),
    min_size=2,
    max_size=12,
)


def answered(text: str) -> str | None:
    return {"Where is my order now?": "It is on its way to you.", "hi": WHOLE, "": None}.get(text, text)


@given(RUNS, st.sampled_from([1, 2, 3, 5]))
def test_rounds_that_are_counted_later_make_the_same_verdicts(runs: list[tuple[str, int, float]], repeats: int) -> None:
    ends = []
    for put_off in (1, 3, 100):
        with mock.patch("bridge.engine.turns.loops._PUT_OFF", put_off):
            talk = Guarded(answered, GuardPolicy(repeats=repeats))
            for text, times, pause in runs:
                for _ in range(times):
                    talk.clock.advance(pause)
                    talk.hears(text)
        ends.append((talk.note, talk.answers))
    assert ends[0] == ends[1] == ends[2]


# What is remembered


def test_the_memory_is_bounded_and_those_who_spoke_last_stay_in_it() -> None:
    talk = Guarded(BOTS["echo"])
    talk.guard = Guard(DEFAULTS, talk.clock, most=10)
    for number in range(100):
        talk.clock.advance(0.1)
        talk.hears("hi", f"passer-by {number}")
        talk.hears("ho", "regular")
        assert len(talk.guard._talks) <= 10
    assert talk.note is not None
    assert talk.answers.count("ho") == DEFAULTS.turns_per_minute


@pytest.mark.parametrize(
    ("heard", "said", "back"),
    [
        ("Your order is on its way", "Your order is on its way!", True),
        ("YOUR ORDER  IS ON ITS WAY", "Your order is on its way!", True),
        ("You said: Your order is on its way", "Your order is on its way!", True),
        ("It is 09:01 o'clock here", "It is 23:59 o'clock here", True),
        ("Your order", "Your order is on its way!", False),
        ("My order is on its way", "Your order is on its way!", False),
        ("123456789012345", "123456789012345", False),
        ("hello hello", "hello hello", False),
        ("x" * 10_000, "x" * 10_000, True),
    ],
)
def test_what_is_said_back(heard: str, said: str, *, back: bool) -> None:
    assert is_back(heard, [said[:200]]) is back
