"""What a stranger may send: the work on a text grows with its length and not faster, and no letter is lost."""

from __future__ import annotations

import math
import random
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest

from bridge.events import Contact, Message
from bridge.planning.choices import Choice, answer
from bridge.planning.split import cut_text, graphemes, split_text
from bridge.text.equal_text import fold, is_blank, normalized

if TYPE_CHECKING:
    from collections.abc import Callable

_RNG: Final = random.Random(1)
_MARKS: Final = "".join(_RNG.choice("\u0301\u0323\u0327\u0328\u0345") for _ in range(120_000))
_FAMILY: Final = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
WORST: Final = {
    "marks in no order, one text of WhatsApp": "a" + _MARKS[:65_000],
    "marks in no order, one webhook": "a" + _MARKS,
    "marks, among half-width ones": "".join(f"{mark}\uff9e" for mark in _MARKS[:30_000]),
    "marks, parted by invisible ones": "".join(f"{mark}\u034f" for mark in _MARKS[:60_000]),
    "marks of a script without letters before them": "\u0903" * 40_000,
    "flags": "\U0001f1e9" * 12_500,
    "flags, joined": "\U0001f1e9\u200d" * 10_000,
    "families": _FAMILY * 5_000,
    "one family": "\U0001f468" + "\u200d\U0001f469" * 10_000,
    "skin tones": "\U0001f44d\U0001f3fd" * 10_000,
    "new lines": "\n" * 50_000,
    "spaces": " a" + " " * 50_000 + "b",
    "words": "word " * 10_000,
    "one long word": "a" * 50_000,
    "full stops": "." * 50_000,
    "closing marks": ")" * 25_000 + " " + ")" * 25_000,
    "marks of direction": "\u200f" * 40_000,
    "ligatures of eighteen letters": "\ufdfa" * 20_000,
    "digits of another script": "\u0662" * 25_000,
    "pictures": "\U0001f600" * 20_000,
    "fences": "```\na\n" * 10_000,
    "a fence that nothing closes": "```\n" + "~~~\n" * 12_000,
}
QUICK: Final = 0.02
"""Seconds of which nobody asks how they grow."""
SPLIT_WITH_MORE: Final = {"code": "```python\n" + "print(1)\n" * 5_000 + "```"}
"""What a split adds letters to: fences of code."""
CHOICES: Final = [
    Choice(number=number, key=title, title=title) for number, title in enumerate(("Cancel", "Tea", "a\u0301" * 20), 1)
]
FUNCTIONS: Final[dict[str, Callable[[str], object]]] = {
    "rules": fold,
    "choices": lambda text: answer(
        Message(id="e", contact=Contact(id="ann"), at=datetime(2025, 1, 1, tzinfo=UTC), raw={}, text=text), CHOICES
    ),
    "blank": is_blank,
    "normal form": lambda text: normalized("NFD", text),
    "graphemes": graphemes,
    "split": lambda text: split_text(text, 4096),
    "split into short pieces": lambda text: split_text(text, 20),
    "cut": lambda text: cut_text(text, 20),
}


def _seconds(function: Callable[[str], object], text: str, *, enough: float = 0.0) -> float:
    """The processor time of the quickest of five runs, for others share the core; of the first below `enough`."""
    quickest = math.inf
    for _ in range(5):
        began = time.thread_time()
        function(text)
        quickest = min(quickest, time.thread_time() - began)
        if quickest < enough:
            break
    return quickest


@pytest.mark.slow
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("text", [*WORST, *SPLIT_WITH_MORE])
def test_four_times_the_text_is_no_more_than_about_four_times_the_work(text: str, function: str) -> None:
    whole = {**WORST, **SPLIT_WITH_MORE}[text]
    at_most = max(QUICK, 9 * _seconds(FUNCTIONS[function], whole[: len(whole) // 4]))  # squared, it is 16
    assert _seconds(FUNCTIONS[function], whole, enough=at_most) < at_most


@pytest.mark.parametrize("text", WORST)
@pytest.mark.slow
def test_a_split_loses_no_letter_of_the_worst_text(text: str) -> None:
    whole = WORST[text]
    pieces = split_text(whole, 4096)
    assert all(0 < len(piece) <= 4096 for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(whole.split())


@pytest.mark.parametrize("text", WORST)
def test_no_worst_text_answers_a_choice(text: str) -> None:
    assert FUNCTIONS["choices"](WORST[text]) is None
