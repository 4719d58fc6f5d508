"""A conversation with the bot that adds up, as a model knows it: what has to be in its state, by what it replied."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True, slots=True)
class Waiting:
    """A timer that is set: by which event, and in which turn."""

    origin: str
    turn: int
    name: str = ""
    unless: bool = False


@dataclass(slots=True)
class Talk:
    """One conversation as the model knows it: what was said (event by name: deed, number), and what was answered."""

    said: dict[str, tuple[str, int]] = field(default_factory=dict)
    elsewhere: set[str] = field(default_factory=set)
    """Events whose turn another process made, before that of an older one."""
    replies: list[str] = field(default_factory=list)
    # What follows from the replies so far:
    seen: dict[str, None] = field(default_factory=dict)
    total: int = 0
    step: str | None = None
    heard: int = 0
    waiting: dict[str, Waiting] = field(default_factory=dict)

    def reply(self, text: str) -> None:
        """Go through one more reply: each counts on from the last, and holds what could be due or heard, once."""
        self.replies.append(text)
        count, total, *names = text.split()
        assert int(count) == len(self.replies), f"a turn was lost, or its state: {self.replies[-2:]}"
        assert names, text
        for name in names:
            assert name not in self.seen, f"{name} had two turns"
            self.seen[name] = None
            self._fire(name) if name.startswith("@") else self._do(name)
        if not names[0].startswith("@"):
            self.heard = len(self.replies)
        assert int(total) == self.total, f"an update was lost: {text}, and not {self.total}"

    def _fire(self, name: str) -> None:
        timer = self.waiting.pop(name[1:], None)
        assert timer is not None, f"{name} fired, which was cancelled, replaced or never set"
        assert not (timer.unless and self.heard > timer.turn), f"{name} fired after a reply"

    def _do(self, name: str) -> None:
        assert name in self.said, f"nobody said {name}"
        deed, amount = self.said[name]
        self.total += amount
        match deed:
            case "go":
                self.step = name
            case "named" | "cancel":
                self.waiting = {origin: each for origin, each in self.waiting.items() if each.name != "the one"}
        if deed in {"named", "unless", "wait"}:
            called = "the one" if deed == "named" else ""
            self.waiting[name] = Waiting(name, len(self.replies), called, unless=deed == "unless")

    def compare(self, state: bytes, step: str | None) -> None:
        """The state is what the replies say it is: neither is there without the other."""
        kept = orjson.loads(state)
        found = {"turns": kept.get("turns", 0), "total": kept.get("total", 0), "seen": kept.get("seen", [])}
        assert found == {"turns": len(self.replies), "total": self.total, "seen": [*self.seen]}
        assert step == self.step

    def account(self, dead: Collection[str], *, all_due: bool, spares: bool) -> None:
        """Every event had one turn, in order, or was given up for a reason; every timer that had to fire did.

        `spares`: nothing died meanwhile, so that nobody may be given up who did nothing wrong.
        """
        heard = [name for name in self.seen if not name.startswith("@")]
        assert not set(heard) & set(dead)
        assert set(heard) | set(dead) == set(self.said), "an event is gone"
        in_order = [name for name in self.said if name not in dead and name not in self.elsewhere]
        assert [name for name in heard if name not in self.elsewhere] == in_order
        faulty = {name for name, (deed, _) in self.said.items() if deed in {"poison", "flaky", "hang"}}
        assert {name for name, (deed, _) in self.said.items() if deed == "poison"} <= set(dead)
        assert not spares or set(dead) <= faulty
        if all_due:
            left = [each for each in self.waiting.values() if not (each.unless and self._replied(each, dead))]
            assert not left, f"never fired: {left}"

    def _replied(self, timer: Waiting, dead: Collection[str]) -> bool:
        """Whether something was said after a timer was set; what was given up was said all the same."""
        names = [*self.said]
        return self.heard > timer.turn or any(name in dead for name in names[names.index(timer.origin) :])
