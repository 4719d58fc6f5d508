"""Questions of dialogs: how one is put to the contact, and what an event answers."""

from __future__ import annotations

import inspect
import re
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.errors import HandlerError
from bridge.events import MESSAGE_KINDS, Message, Postback
from bridge.keys import PackedKey
from bridge.messages import Button, Buttons, Cards, Menu, Text
from bridge.planning.choices import Choice, answer, number_choices
from bridge.strict_json import not_json
from bridge.text.equal_text import fold, is_blank, spelling

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.events import Event, MessageKind
    from bridge.messages import Outgoing

_RUN: Final = 8
_MARKED: Final = re.compile(r"ask\.[0-9a-f]{8}\.\d+\.\d+")
"""The key of a button of a dialog, whichever it was."""
WHOLE: Final = {"message": True}
"""The outcome of a question that the message itself answers."""
_WORDY: Final = frozenset({"text", "image", "video", "audio", "voice", "document"})
"""Kinds that may bring words: a text, or a caption."""
_BARE: Final = (str, int, float, bool, type(None))


class Refused(Exception):
    """What was said is no answer; `ignored`: nothing is to be said about it, as for a second press of an old button."""

    def __init__(self, *, ignored: bool = False) -> None:
        """Say so."""
        super().__init__()
        self.ignored = ignored


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question of a dialog: what may be chosen, by title and value; `parse` reads what is said instead.

    `accept` are kinds of messages that are an answer as they are; without them only words are. `retry` is said after
    what is no answer. `mark` begins the keys of the dialog's buttons, `position` counts its operations; both are set
    when the question is put.
    """

    prompt: tuple[Outgoing, ...]
    titles: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()
    parse: Callable[[str], Any] | None = None
    retry: tuple[Outgoing, ...] = ()
    accept: frozenset[str] = frozenset()
    mark: str = ""
    position: int = 0

    @property
    def messages(self) -> tuple[Outgoing, ...]:
        """The messages that ask it."""
        if not self.titles:
            return self.prompt
        *before, last = self.prompt or (None,)
        if not isinstance(last, Text):
            what = "nothing said" if last is None else f"a {type(last).__name__} has its own, or none"
            raise HandlerError(f"choices go with a text; {what}")
        buttons = tuple(Button(key=self._key(index), title=title) for index, title in enumerate(self.titles))
        return (*before, Buttons(last.text, buttons))

    async def read(self, event: Event) -> dict[str, Any]:
        """What an event answers, as a journal keeps it.

        Raises:
            Refused: it is no answer.
        """
        answered = self._answered(event)
        if isinstance(answered, Message):
            return dict(WHOLE)
        if isinstance(answered, int):
            return {"choice": answered}
        if self.titles and self.parse is None:
            raise Refused
        return await self._parsed(answered)

    async def replay(self, outcome: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever was answered
        """The answer that a journal keeps. Whatever `parse` raises now is raised."""
        if "choice" in outcome:
            return self.values[outcome["choice"]]
        if "value" in outcome:
            return deepcopy(outcome["value"])  # what the script does to it is no part of the past
        return await _called(self.parse, outcome["said"]) if self.parse else outcome["said"]

    async def _parsed(self, words: str) -> dict[str, Any]:
        if self.parse is None:
            return {"value": words}
        try:
            value = await _called(self.parse, words)
        except Exception:  # noqa: BLE001 - an author's parse may say no in any way
            raise Refused from None
        return {"value": value} if _comes_back(value) else {"said": words}

    def _answered(self, event: Event) -> Message | int | str:
        """The message itself, the number of the choice that was made, or the words to be parsed."""
        if isinstance(event, Postback):
            return self._pressed(event)
        if not isinstance(event, Message):
            raise Refused
        if self.titles:
            numbers = number_choices(self.titles)
            choices = [
                Choice(number=number, key=str(index), title=title)
                for index, (number, title) in enumerate(zip(numbers, self.titles, strict=True))
            ]
            if (chosen := answer(event, choices)) is not None:
                return int(chosen.key)
        words = _words(event)
        if not self.accept and words:
            return words
        if event.kind in self.accept and (words or event.kind != "text"):
            return event
        raise Refused

    def _pressed(self, event: Postback) -> int | str:
        keys = [self._key(index) for index in range(len(self.titles))]
        if event.key in keys:
            return keys.index(event.key)
        if _MARKED.match(event.key):  # of another question, of this dialog or of one that is over
            raise Refused(ignored=True)
        for form in (spelling, fold):
            words = {form(event.key), form(event.title)} - {""}
            hits = [index for index, title in enumerate(self.titles) if form(title) in words]
            if len(hits) == 1:
                return hits[0]
        if (key := _keys_of(self.prompt).get(event.key)) is not None and _is_good(event, key):
            return event.key
        raise Refused

    def _key(self, index: int) -> str:
        return f"{self.mark}{self.position}.{index}"


def _words(event: Message) -> str:
    """The words of a message: its text or its caption; "" for blank ones, and for kinds that are not words."""
    words = event.text or (event.media.caption if event.media else "")
    return words if event.kind in _WORDY and not is_blank(words) else ""


def accepted(kinds: MessageKind | Sequence[MessageKind] | None, parse: object) -> frozenset[str]:
    """What an author wrote as `accept`. Raises HandlerError for what is no kind, and beside `parse`."""
    if kinds is None:
        return frozenset()
    accept = frozenset([kinds] if isinstance(kinds, str) else kinds)
    if not accept or not accept <= MESSAGE_KINDS:
        raise HandlerError(f"accept names kinds of messages: {', '.join(sorted(MESSAGE_KINDS))}")
    if parse is not None:
        raise HandlerError("accept returns the message itself, so parse has no words to read")
    return accept


def mark_of(run: str) -> str:
    """How the keys of a dialog's buttons begin: short, for providers with little room."""
    return f"ask.{run[:_RUN]}."


def choices_of(choices: Sequence[object]) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """What an author wrote as choices, as titles and values. Raises HandlerError where two read the same."""
    if isinstance(choices, str) or not choices:
        raise HandlerError("choices are several: a list of texts or numbers")
    titles = tuple(map(str, choices))
    check_titles(titles)
    return titles, tuple(choices)


def check_titles(titles: Sequence[str]) -> None:
    """Refuse titles that cannot be told apart. Raises HandlerError."""
    if any(map(is_blank, titles)) or len({spelling(title) for title in titles}) < len(titles):
        raise HandlerError(f"choices are told apart by their titles: {', '.join(map(repr, titles))}")


def _keys_of(messages: Sequence[Outgoing]) -> dict[str, object]:
    """The keys that an author's own buttons, rows and cards hold, by their texts."""
    keys: dict[str, object] = {}
    for message in messages:
        match message:
            case Buttons(buttons=buttons):
                keys |= {str(button.key): button.key for button in buttons}
            case Menu(sections=sections):
                keys |= {str(row.key): row.key for section in sections for row in section.rows}
            case Cards(cards=cards):
                keys |= {str(button.key): button.key for card in cards for button in card.buttons}
            case _:
                pass
    return keys


def _is_good(event: Postback, key: object) -> bool:
    """Whether a press with the text of a key is one of it: a typed key comes back under its seal, or is forged."""
    return bool(event.sealed) if isinstance(key, PackedKey) else not event.sealed


async def _called(parse: Callable[[str], Any], words: str) -> Any:  # noqa: ANN401 - whatever it makes of it
    value = parse(words)
    return await value if inspect.isawaitable(value) else value


def _comes_back(value: object) -> bool:
    """Whether a value is the same when it comes back from JSON; of another class, an enum's say, it is not."""
    if not_json(value, "") is not None:
        return False
    if isinstance(value, dict | list):
        return type(orjson.loads(orjson.dumps(value))) is type(value) and all(
            map(_comes_back, value.values() if isinstance(value, dict) else value)
        )
    return type(value) in _BARE
