"""Conversations written as plain text, held in a world: what was expected, and what came."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bridge.testing.spans import seconds_of
from bridge.testing.stage import Stuck

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bridge.providers.port import Seen
    from bridge.testing.contacts import Contact

_LINE: Final = re.compile(r"(?P<who>[^\W_][\w .'-]{0,39}?):(?:\s+(?P<text>.*))?", re.DOTALL)
_PRESS: Final = re.compile(r"\[(.+)\]")
_TITLES: Final = re.compile(r"(?:\s*\[[^\[\]]+\])+\s*\Z")
_TITLE: Final = re.compile(r"\[([^\[\]]+)\]")
_NUMBERED: Final = re.compile(r"\s*^(\d{1,3})[.)] (.+)$\s*\Z", re.MULTILINE)
_ANY: Final = "..."

BOT: Final = "bot"
HANDOFF: Final = "handoff"
AT: Final = "at"
WAIT: Final = "wait"
RESTART: Final = "restart"
RETURN: Final = "return"
_EXPECTED: Final = frozenset({BOT, HANDOFF})
_SILENT: Final = frozenset({RESTART, RETURN})


class TalkWorld(Protocol):
    """What a conversation needs of the world that it is held in."""

    @property
    def errors(self) -> Sequence[BaseException]:
        """What turns that failed raised, oldest first."""
        ...

    def contact(self, account: str, channel: str, name: str) -> Contact:
        """A person at an account."""
        ...

    async def settle(self) -> None:
        """Let everything happen that was set off."""
        ...

    async def advance(self, span: str) -> None:
        """Let time pass."""
        ...

    async def crash(self) -> None:
        """Let the process die, and another one begin."""
        ...

    async def hand_over(self, contact: Contact, note: str | None) -> bool:
        """Give a conversation back to the bot (None)."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """One line: who says it, or a word of ours, and the text."""

    number: int
    who: str
    text: str

    def __str__(self) -> str:
        return f"{self.who}: {self.text}".replace("\n", "\n  ").rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One conversation of a file. It begins `at` a time; None: at that of every world."""

    title: str
    number: int
    lines: Sequence[Line]
    at: datetime | None = None


@dataclass(slots=True)
class Transcript:
    """A conversation as it went: each line with " " (as expected), "-" (did not come) or "+" (came unexpected)."""

    lines: list[tuple[str, str]] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        """Whether anything is not as expected."""
        return any(mark != " " for mark, _ in self.lines)

    def add(self, mark: str, text: str) -> None:
        """Append a line."""
        self.lines.append((mark, text))

    def __str__(self) -> str:
        return "\n".join(f"{mark} {text}".replace("\n", f"\n{mark} ") for mark, text in self.lines)


def read_conversations(text: str) -> list[Conversation]:
    """The conversations of a file. Raises ValueError: with the line's number."""
    found: list[tuple[str, int, list[Line]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("= "):
            found.append((line.removeprefix("= ").strip(), number, []))
            continue
        if not line.strip() or line.startswith("#"):
            continue
        if not found:
            found.append(("conversation", number, []))
        lines = found[-1][2]
        if line[0].isspace() and lines:
            lines[-1] = Line(lines[-1].number, lines[-1].who, f"{lines[-1].text}\n{line.strip()}")
        else:
            lines.append(_line(line, number))
    return [_conversation(title, number, lines) for title, number, lines in found]


def _line(line: str, number: int) -> Line:
    match = _LINE.fullmatch(line.rstrip())
    if match is None:
        raise ValueError(f'line {number}: want "name: words", "bot: words", or "= title"')
    text = (match["text"] or "").strip()
    if not text and match["who"] not in _SILENT:
        raise ValueError(f"line {number}: {match['who']} says nothing")
    if match["who"] == WAIT:
        try:
            seconds_of(text)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
    return Line(number, match["who"], text)


def _conversation(title: str, number: int, lines: list[Line]) -> Conversation:
    at = None
    if lines and lines[0].who == AT:
        at = _moment(lines[0])
        lines = lines[1:]
    for line in lines:
        if line.who == AT:
            raise ValueError(f'line {line.number}: "at" is the first line of a conversation; "wait: 2h" goes on')
    if lines and lines[0].who in _EXPECTED:
        raise ValueError(f"line {lines[0].number}: a contact speaks first")
    return Conversation(title=title, number=number, lines=tuple(lines), at=at)


def _moment(line: Line) -> datetime:
    day, _, zone = line.text.partition(" ")
    hour, _, zone = zone.partition(" ")
    try:
        return datetime.fromisoformat(f"{day}T{hour}").replace(tzinfo=ZoneInfo(zone.strip()) if zone else UTC)
    except (ValueError, ZoneInfoNotFoundError):
        raise ValueError(f'line {line.number}: want a time like "at: 2026-11-30 09:00 Asia/Jakarta"') from None


async def hold(
    conversation: Conversation, world: TalkWorld, account: str, channel: str, contacts: dict[str, Contact] | None = None
) -> Transcript:
    """Let the contacts of a conversation say their lines, and compare what they see; `contacts` is filled with them."""
    transcript = Transcript()
    contacts = {} if contacts is None else contacts
    looked: dict[str, int] = {}
    speaker: Contact | None = None
    expected: list[Line] = []
    for line in (*conversation.lines, Line(0, "", "")):
        if line.who in _EXPECTED:
            expected.append(line)
            continue
        if speaker is not None:
            await _compare(expected, speaker, looked[speaker.name], transcript)
            looked[speaker.name] = len(speaker.seen)
        expected = []
        if not line.who:
            break
        transcript.add(" ", str(line))
        try:
            if line.who in {WAIT, RESTART, RETURN}:
                await _pass(line, world, speaker)
                continue
            if line.who not in contacts:
                contacts[line.who] = world.contact(account, channel, line.who)
            speaker = contacts[line.who]
            looked.setdefault(line.who, 0)
            press = _PRESS.fullmatch(line.text)
            await (speaker.clicks(press[1]) if press else speaker.says(line.text))
            await world.settle()
        except (AssertionError, Stuck) as error:
            transcript.add("+", str(error).splitlines()[0])
    for failure in world.errors:
        transcript.add("+", f"a turn failed: {type(failure).__name__}: {failure}")
    return transcript


async def _pass(line: Line, world: TalkWorld, speaker: Contact | None) -> None:
    if line.who == WAIT:
        await world.advance(line.text)
    elif line.who == RESTART:
        await world.crash()
        await world.settle()
    elif speaker is not None:
        await world.hand_over(speaker, None)
        await world.settle()


async def _compare(expected: Sequence[Line], speaker: Contact, since: int, transcript: Transcript) -> None:
    """What came `since` the last look, beside what should have come."""
    bot = [line for line in expected if line.who == BOT]
    for mark, text in _aligned(bot, speaker.seen[since:]):
        transcript.add(mark, text)
    for line in expected:
        if line.who == HANDOFF:
            note = await speaker.handoff()
            if note is not None and _fits(line.text, note):
                transcript.add(" ", str(line))
            else:
                transcript.add("-", str(line))
                transcript.add("+", "handoff: (none)" if note is None else f"handoff: {note}")


def _aligned(expected: Sequence[Line], seen: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """Each expected and seen message once, as many as possible side by side, in both orders."""
    lengths = _common(len(expected), len(seen), lambda i, j: _is(expected[i].text, seen[j]))
    i = j = 0
    while i < len(expected) or j < len(seen):
        if i < len(expected) and expected[i].text == _ANY:
            yield " ", str(expected[i])
            rest = len(expected) - i - 1
            i, j = i + 1, max(j, len(seen) - rest)
        elif i < len(expected) and j < len(seen) and _is(expected[i].text, seen[j]):
            yield " ", str(expected[i])
            i, j = i + 1, j + 1
        elif i < len(expected) and (j == len(seen) or lengths[i + 1][j] >= lengths[i][j + 1]):
            yield "-", str(expected[i])
            i += 1
        else:
            yield "+", f"bot: {shown(seen[j])}".replace("\n", "\n  ")
            j += 1


def _common(rows: int, columns: int, same: Callable[[int, int], bool]) -> list[list[int]]:
    """For each pair of places the length of the longest common subsequence behind it."""
    lengths = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows - 1, -1, -1):
        for j in range(columns - 1, -1, -1):
            lengths[i][j] = lengths[i + 1][j + 1] + 1 if same(i, j) else max(lengths[i + 1][j], lengths[i][j + 1])
    return lengths


def _is(wanted: str, seen: Seen) -> bool:
    """Whether a message is what a line wants: its words, and its choices if any are named."""
    text, titles = _parts(seen)
    match = _TITLES.search(wanted)
    if match is None:
        whole = "\n".join((text, *titles, seen.url)) if wanted.startswith("~") else text if titles else seen.text
        return _fits(wanted, whole) or _fits(wanted, shown(seen))
    return _fits(wanted[: match.start()], text) and _TITLE.findall(match[0]) == titles


def _fits(wanted: str, text: str) -> bool:
    """Equal but for white space, or, after a ~, a part of it in any case."""
    plain = " ".join(text.split())
    if wanted.startswith("~"):
        return " ".join(wanted[1:].split()).casefold() in plain.casefold()
    return " ".join(wanted.split()) == plain


def shown(seen: Seen) -> str:
    """A message as a line has it: words, then the choices in brackets."""
    text, titles = _parts(seen)
    kind = "" if seen.kind in {"text", "buttons", "menu"} else f"({seen.kind}) "
    return " ".join([f"{kind}{text or seen.url}", *(f"[{title}]" for title in titles)])


def _parts(seen: Seen) -> tuple[str, list[str]]:
    """The words and the choices of a message; where there are no buttons, the choices are numbered lines at its end."""
    if seen.choices:
        return seen.text, [choice.title for choice in seen.choices]
    text, numbered = seen.text, list[tuple[int, str]]()
    while match := _NUMBERED.search(text):
        numbered.insert(0, (int(match[1]), match[2]))
        text = text[: match.start()]
    if [number for number, _ in numbered] == list(range(1, len(numbered) + 1)):
        return text, [title for _, title in numbered]
    return seen.text, []
