"""Mistakes that one table alone does not show: names that lead nowhere, texts that lack a language."""

from __future__ import annotations

from contextlib import suppress
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, TypeAlias

from bridge import HandlerError, Router, fold

from .matching import exact
from .model import EVERY, Phrase, Question, Replies, Reply, Words, walk
from .phrases import PHRASES
from .texts import OWN, names_in, says_something

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .model import Table

Path: TypeAlias = tuple[int | str, ...]
Mistakes: TypeAlias = "Iterator[tuple[Path, str]]"

_CLOCK: Final = frozenset({"opens", "closes"})
RESERVED: Final = frozenset({"reply", "language", "turn"})
"""Names that no group of a regex may have."""


def mistakes(file: Replies) -> Mistakes:
    """Each mistake of a file: the path of its key, and the reason."""
    known = _values(file)
    for path, part in walk(file):
        match part:
            case Phrase():
                yield from _languages(part, path, file)
                yield from _braces(part, path, known, file)
                if missing := [tag for tag in file.languages if not {tag, EVERY} & part.root.keys()]:
                    yield path, f"lacks {' and '.join(missing)}"
            case Words():
                yield from _languages(part, path, file)
                yield from _faults(path, *((not fold(word), "", f"{word!r} is blank") for _, word in part.each()))
            case Question():
                yield from _question(part, path, file)
            case Reply():
                yield from _reply(part, path, file)
            case _:
                yield from _then(part, path, file)
    yield from _words(file)
    yield from _unreachable(file)
    yield from _own_phrases(file)
    if file.away is not None and file.hours is None:
        yield ("away",), 'is said outside of the hours: write them, like [hours] open = "Mo-Fr 08:00-17:00"'


def _values(file: Replies) -> frozenset[str]:
    """The names that a text may hold."""
    groups: set[str] = set()
    for reply in file.replies.values():
        with suppress(ValueError):  # told where the pattern is looked at
            groups |= _pattern(reply.regex or "")
    return OWN | file.values.keys() | file.questions.keys() | groups


def _pattern(regex: str) -> frozenset[str]:
    """The groups of a pattern, as a rule takes it. Raises ValueError: it cannot be read."""
    import re  # noqa: PLC0415 - to name the groups only

    try:
        Router().message(regex=regex)
    except HandlerError as error:
        raise ValueError(str(error).partition(" cannot be read: ")[2] or "cannot be read") from None
    return frozenset(re.compile(regex).groupindex)


def _languages(part: Phrase | Words, path: Path, file: Replies) -> Mistakes:
    for language in part.root.keys() - {EVERY, *file.languages}:
        yield (*path, language), f"{_no('language', language, file.languages)}; languages = [...] names them"


def _braces(phrase: Phrase, path: Path, known: frozenset[str], file: Replies) -> Mistakes:
    if path[0] == "consent":
        known = frozenset(file.values)
    elif path[-1] in {"title", "question"} or "choices" in path:
        known = frozenset()  # what a contact types is compared with it
    for language, text in phrase.root.items():
        place = (*path, language) if language else path
        try:
            names = [name for name in names_in(text) if name != "range" or path[-1] not in {"again", "number"}]
        except ValueError as error:
            yield place, str(error)
            continue
        unknown = [name for name in names if name not in known]
        clockless = [name for name in names if name in _CLOCK and file.hours is None and name not in unknown]
        yield from ((place, _no("value", name, known)) for name in unknown)
        yield from ((place, f"{{{name}}} needs opening hours: write [hours]") for name in clockless)
        blank = path[-1] != "handoff" and not says_something(text, {*file.values, "today", "time"})
        if blank and not unknown and not clockless:
            hint = f" where {names[0]} is not known: write {{{names[0]}|words}}" if names else ""
            yield place, f"is blank{hint}"


def _question(question: Question, path: Path, file: Replies) -> Mistakes:
    bounded = question.min is not None or question.max is not None
    yield from _faults(
        path,
        (bool(question.choices) != (question.kind == "choice"), "", 'choices and kind = "choice" go together'),
        (bounded and question.kind != "number", "", 'min and max are for kind = "number"'),
        (question.must is not None and question.kind != "date", "must", 'is for kind = "date"'),
        (question.must == "open" and file.hours is None, "must", '"open" needs opening hours: write [hours]'),
    )
    yield from _alike([*question.choices], (*path, "choices"), file)


def _reply(reply: Reply, path: Path, file: Replies) -> Mistakes:
    yield from _then(reply, path, file)
    speaks = reply.text or reply.ask or reply.handoff or reply.language or reply.then
    base = "done" if reply.ask else "text"
    bare = (reply.buttons or reply.faq) and not (reply.done if reply.ask else reply.text)
    unknown = reply.language is not None and reply.language not in file.languages
    yield from _faults(
        path,
        (not speaks, "", "says nothing: give it a text"),
        (bare, "", f"buttons stand below a text: give it {base}"),
        (reply.faq and reply.buttons, "faq", "lists the questions in place of buttons: leave one of them out"),
        (reply.faq and not file.faq, "faq", "there are no questions: write [[faq]]"),
        (reply.done and not reply.ask, "done", "is said after the last question, and there is no ask"),
        (reply.closed and file.hours is None, "closed", "is said outside of the hours: write [hours]"),
        (reply.closed and not reply.text, "closed", "is said in place of text: give it one"),
        (unknown, "language", _no("language", str(reply.language), file.languages)),
    )
    yield from _regex(reply, path)
    yield from _buttons(reply, path, file)


def _faults(path: Path, *faults: tuple[object, str, str]) -> Mistakes:
    """The reasons that hold, each at a key of the table, or at the table itself."""
    for holds, key, reason in faults:
        if holds:
            yield (*path, key) if key else path, reason


def _regex(reply: Reply, path: Path) -> Mistakes:
    if reply.regex is None:
        return
    try:
        if taken := _pattern(reply.regex) & RESERVED:
            yield (*path, "regex"), f"no group is named {' or '.join(sorted(taken))}"
    except ValueError as error:
        yield (*path, "regex"), str(error)


def _buttons(reply: Reply, path: Path, file: Replies) -> Mistakes:
    titles: list[Phrase] = []
    for index, button in enumerate(reply.buttons):
        target = file.replies.get(button)
        if target is None:
            yield (*path, "buttons", index), _no("reply", button, file.replies)
        elif target.title is None:
            yield (*path, "buttons", index), f"the reply {button} has no title to show"
        else:
            titles.append(target.title)
    yield from _alike(titles, (*path, "buttons"), file)


def _alike(titles: list[Phrase], path: Path, file: Replies) -> Mistakes:
    """Choices that cannot be told apart, in the first language where that is so."""
    for language in file.languages:
        shown = [fold(title.of(language, file.default)) for title in titles if _has(title, file)]
        if len(set(shown)) < len(shown):
            yield path, f"two of them read the same in {language}"
            return


def _has(phrase: Phrase, file: Replies) -> bool:
    return EVERY in phrase.root or file.default in phrase.root


def _then(part: object, path: Path, file: Replies) -> Mistakes:
    """Of `then`: it leads to a reply, and in no circle."""
    name = getattr(part, "then", None)
    if name is None:
        return
    seen = [name]
    if name not in file.replies:
        yield (*path, "then"), _no("reply", name, file.replies)
        return
    while (following := file.replies.get(seen[-1])) is not None and following.then is not None:
        seen.append(following.then)
        if seen.count(seen[-1]) > 1:
            yield (*path, "then"), f"goes in a circle: {' -> '.join(seen)}"
            return


def _words(file: Replies) -> Mistakes:
    """Words that two replies have, or that no reply ever sees."""
    consent = () if file.consent is None else (*file.consent.stop.each(), *file.consent.start.each())
    taken = {fold(word): "an opt-out word, which no reply sees" for _, word in consent}
    for name, reply in file.all.items():
        where: Path = ("replies", name)
        if name not in file.replies:
            where = ("faq", next(index for index, entry in enumerate(file.faq) if entry.name == name))
        for _, word in (*reply.words.each(), *reply.like.each()):
            owner = taken.setdefault(fold(word), f"a word of {where[0]} {name}")
            if owner != f"a word of {where[0]} {name}":
                yield (*where, "words"), f"{word!r} is already {owner}"
    for index, entry in enumerate(file.faq):
        if entry.name in {earlier.name for earlier in file.faq[:index]}:
            yield ("faq", index, "question"), "has an answer already"


def _unreachable(file: Replies) -> Mistakes:
    parts: Iterable[Table | None] = (file.greeting, file.fallback, *file.replies.values())
    led = {getattr(part, "then", None) for part in parts}
    led |= {button for reply in file.replies.values() for button in reply.buttons}
    found = {name for _, name, _ in exact(file)}
    for name, reply in file.replies.items():
        if name not in led | found and reply.regex is None:
            yield ("replies", name), "nothing leads here: give it words, or name it among the buttons of another"


def _own_phrases(file: Replies) -> Mistakes:
    for name in file.phrases.keys() - PHRASES.keys():
        yield ("phrases", name), _no("phrase", name, PHRASES)
    if not file.questions:
        return
    needed: set[str] = {question.kind for question in file.questions.values()}
    needed |= {question.must for question in file.questions.values() if question.must is not None}
    if "date" in needed:
        needed |= {"today", "tomorrow"}
    for language in file.languages:
        lacking = sorted(
            name
            for name in {*needed, "cancelled"} - file.phrases.keys()
            if not {language, language.partition("-")[0]} & PHRASES[name].keys()
        )
        if lacking:
            reason = f"none of our own in {language}: write [phrases] {' = ..., '.join(lacking)} = ..."
            yield ("languages",), reason


def _no(what: str, name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}" if names else "there are none"
    return f"no {what} is named {name}; {hint}"
