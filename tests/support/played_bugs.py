"""Some of the planted bugs as they come to light at the playground of `demo` and `dev`."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tests.support.planted_bugs import BUGS, says

_KEPT: Final = ("one", "agent:takes", "are you there?", "agent:returns", "another thing", "a last thing")
_PLAYED: Final = {
    name: says(*texts, account="demo", channel="console")
    for name, texts in {
        "a word in a text": ("hello, I am Maria", "I want a refund for my broken lamp"),
        "a press": ("seats", "click:Seat 1", "seats", "click:Seat 2"),
        "a wrong number in an answer": _KEPT,
    }.items()
}
PLAYED: Final = tuple(
    replace(bug, name=f"{bug.name}, at the playground", happens=_PLAYED[bug.name])
    for bug in BUGS
    if bug.name in _PLAYED
)
