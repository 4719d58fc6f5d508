"""Conversations that are scored: for bots whose words are not the same each time, and are good or bad all the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from bridge.conversation.transcript import Entry, pairs_of
from bridge.events import decode_event
from bridge.messages import decode_message
from bridge.testing.conversations import BOT, RESTART, RETURN, WAIT, Conversation, Line, TalkWorld, hold
from bridge.units import moment

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from bridge.app.bridge import Bridge
    from bridge.testing.contacts import Contact

Said: TypeAlias = Sequence[Mapping[str, str]]
"""A conversation as a grader reads it: {"role": "user" or "assistant", "content": words}."""
Grader: TypeAlias = Callable[[Said], float]
"""Scores a conversation from 0 (bad) to 1 (good)."""

_OURS: Final = frozenset({WAIT, RESTART, RETURN})
_LONGEST: Final = 1000


class GradedWorld(TalkWorld, Protocol):
    """What a graded conversation needs of the world that it is held in."""

    @property
    def bridge(self) -> Bridge:
        """The one that is alive."""
        ...

    async def inside(self, work: Coroutine[Any, Any, Said]) -> Said:
        """Carry out a look in the bridge's own loop."""
        ...

    def close(self) -> None:
        """The end of the world."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """The score of one conversation: that of each grader, or 0 where it did not go as its lines say."""

    title: str
    scores: Mapping[str, float]
    said: Said
    differs: str = ""

    @property
    def score(self) -> float:
        """The mean of the graders."""
        return 0.0 if self.differs else fmean(self.scores.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Grades:
    """The scores of all conversations."""

    grades: Sequence[Grade]
    floor: float

    @property
    def low(self) -> list[Grade]:
        """Those below the floor."""
        return [grade for grade in self.grades if grade.score < self.floor]

    def __str__(self) -> str:
        """A table, with what was said where a score is too low."""
        names = [*self.grades[0].scores] if self.grades else []
        rows = [["conversation", *names, "score"]]
        rows += [
            [grade.title, *(f"{grade.scores[name]:.2f}" for name in names), f"{grade.score:.2f}"]
            for grade in self.grades
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*table, *(_told(grade) for grade in self.low)])


async def grade(
    conversations: Sequence[Conversation],
    graders: Sequence[Grader],
    floor: float,
    begin: Callable[[Conversation], GradedWorld],
    place: tuple[str, str],
) -> Grades:
    """Hold each conversation in a world of its own, and score it. Raises AssertionError below the floor."""
    if not conversations or not graders:
        raise ValueError("grade() takes a conversation and a grader at least")
    made = []
    for conversation in conversations:
        with closing(begin(conversation)) as world:
            made.append(await _graded(conversation, graders, world, place))
    grades = Grades(grades=made, floor=floor)
    if grades.low:
        raise AssertionError(f"{len(grades.low)} of {len(made)} conversations are below {floor}\n{grades}")
    return grades


async def _graded(
    conversation: Conversation, graders: Sequence[Grader], world: GradedWorld, place: tuple[str, str]
) -> Grade:
    contacts: dict[str, Contact] = {}
    transcript = await hold(replace(conversation, lines=_open(conversation.lines)), world, *place, contacts)
    said = await _said(world, next(iter(contacts.values())))
    scores = {getattr(grader, "__name__", type(grader).__name__): _score(grader, said) for grader in graders}
    differs = str(transcript) if transcript.differs else ""
    return Grade(title=conversation.title, scores=scores, said=said, differs=differs)


def _open(lines: Sequence[Line]) -> list[Line]:
    """The lines, where nothing in particular is expected after any of them: whatever comes is as it should be."""
    if any(line.who == BOT for line in lines):
        return [*lines]
    made: list[Line] = []
    for line in lines:
        made.append(line)
        if line.who not in _OURS:
            made.append(Line(line.number, BOT, "..."))
    return made


async def _said(world: GradedWorld, contact: Contact) -> Said:
    async def look() -> Said:
        store = world.bridge.store
        number = await store.find_thread(contact.thread)
        rows = [] if number is None else await store.history(number, limit=_LONGEST)
        entries = [
            Entry(direction="in", at=moment(row.at), event=decode_event(row.kind, row.content))
            if row.direction == "in"
            else Entry(direction="out", at=moment(row.at), message=decode_message(row.content))
            for row in rows
        ]
        return pairs_of(entries)

    return await world.inside(look())


def _score(grader: Grader, said: Said) -> float:
    score = float(grader(said))
    if not 0 <= score <= 1:
        raise ValueError(f"a grader scores from 0 to 1, and not {score}")
    return score


def _told(grade: Grade) -> str:
    words = grade.differs or "\n".join(f"{part['role']}: {part['content']}" for part in grade.said)
    return f"\n{grade.title}\n{words}"
