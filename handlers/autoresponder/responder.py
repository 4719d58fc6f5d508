"""The rules of a file, and the turns of a conversation with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from bridge import Button, Buttons, Dialog, Filter, NoAnswer, Router, fold

from .answers import Wrong, read_answer, span_of
from .hours import Clock
from .matching import Finder, captures, exact
from .memory import fields_of, memory_of
from .texts import Voice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bridge import Outgoing, Turn

    from .model import Consent, Question, Replies, Reply

_GROUP: Final = "group"
"""Where many talk to each other: only what is asked for is answered."""
_FINDS: Final = ("reply", "language")


class Responder:
    """One file at work."""

    def __init__(self, file: Replies, name: str) -> None:
        """`name` tells its buttons and dialogs from those of other files."""
        self._file = file
        self._name = name
        self._zone = ZoneInfo(file.timezone)
        self._clock = None if file.hours is None else Clock(file.hours, self._zone)
        self._begins, self._answers = self.form, self.answer  # one object each: functions are known by identity
        self._cancels = {fold(word) for _, word in file.asking.cancel.each()}
        self._handoffs = {fold(text): name for text, name, _ in exact(file) if file.all[name].handoff}

    def router(self) -> Router:
        """Whole texts first, then patterns, then words, then likeness; in each, the order of the file."""
        file, router, finder = self._file, Router(self._name), Finder(self._file)
        router.postback(f"{_literal(self._name)}:{{reply}}", anytime=True)(self._answers)
        texts: dict[tuple[str, str], list[str]] = {}
        for text, name, language in exact(file):
            texts.setdefault((name, language), []).append(text)
        for (name, language), words in texts.items():
            router.message(_always(name, language), text=words)(self._answers)
        for name, reply in file.replies.items():
            if reply.regex is not None:
                router.message(_always(name, ""), regex=reply.regex)(self._answers)
        for find in (finder.by_words, finder.by_likeness):
            router.message(Filter(find, finds=_FINDS))(self._answers)
        if file.greeting or file.away or file.fallback:
            router.default()(self.unmatched)
        router.dialog(name=f"auto:{self._name}")(self._begins)
        if (consent := file.consent) is not None:
            stop = {word: self._confirmation(consent, tag) for tag, word in consent.stop.each()}
            router.consent(stop, [word for _, word in consent.start.each()])
        return router

    def _confirmation(self, consent: Consent, language: str) -> str:
        """What is said once to who opts out by a word; no contact is known then."""
        if consent.confirm is None:
            return ""
        voice = Voice(self._file, language or self._file.default, datetime.now(self._zone), {}, {}, None)
        return voice.fill(consent.confirm)

    async def answer(self, turn: Turn[Any], reply: str, language: str | None = None, **found: Any) -> None:  # noqa: ANN401 - groups
        """Say what was asked for."""
        if reply not in self._file.all:  # an old button
            await self.unmatched(turn)
            return
        memory = memory_of(turn)
        memory["misses"] = 0
        if language is not None:
            memory["language"] = language
        self._choose_language(turn, self._file.all[reply])
        for message in self._opening(turn, self._file.all[reply]):
            turn.reply(message)
        await self._play(turn, reply, {name: value for name, value in found.items() if value is not None})

    async def unmatched(self, turn: Turn[Any]) -> None:
        """Greet, or say that it is closed; else that it was not understood, and more after some misses."""
        if turn.thread.channel == _GROUP:
            return
        file, memory = self._file, memory_of(turn)
        is_first = not memory.get("greeted")
        if opening := list(self._opening(turn)):
            turn.reply(*opening)
            if is_first and file.greeting is not None and file.greeting.then is not None:
                await self._play(turn, file.greeting.then)
        elif file.fallback is not None:
            memory["misses"] = memory.get("misses", 0) + 1
            await self._miss(turn)

    async def _miss(self, turn: Turn[Any], *, inside: bool = False) -> None:
        fallback = self._file.fallback
        if fallback is None:
            return
        if fallback.then is not None and memory_of(turn).get("misses", 0) >= fallback.misses:
            memory_of(turn)["misses"] = 0
            await self._play(turn, fallback.then, inside=inside)
        else:
            turn.say(self._voice(turn).fill(fallback.text))

    def _opening(self, turn: Turn[Any], reply: Reply | None = None) -> Iterator[str]:
        """What comes before an answer: the greeting once, and once a day that it is closed."""
        file, memory = self._file, memory_of(turn)
        if turn.thread.channel == _GROUP:
            return
        voice = self._voice(turn)
        if file.greeting is not None and not memory.get("greeted"):
            memory["greeted"] = True
            yield voice.fill(file.greeting.text)
        told = reply is not None and reply.closed is not None
        today = voice.today.isoformat()
        if file.away is not None and not told and not self._is_open(turn) and memory.get("away") != today:
            memory["away"] = today
            yield voice.fill(file.away)

    async def _play(
        self, turn: Turn[Any], name: str | None, found: Mapping[str, Any] | None = None, *, inside: bool = False
    ) -> None:
        """Say a reply and what follows it, up to its first question; `inside` of a form, which ends by itself."""
        ends = False
        while name is not None:
            reply = self._file.all[name]
            self._choose_language(turn, reply)
            voice = self._voice(turn, found)
            if reply.text is not None:
                text = reply.closed if reply.closed is not None and not self._is_open(turn) else reply.text
                turn.reply(voice.fill(text) if reply.ask else self._shown(reply, voice.fill(text), voice))
            if reply.ask:
                await turn.begin(self._begins, name, voice.language, dict(voice.known))
                return
            if reply.handoff is not None:
                turn.handoff(voice.fill(reply.handoff))
                ends = not inside
            name = reply.then
        if ends:  # a question is not asked of who waits for a person
            turn.end()

    async def form(self, d: Dialog, name: str, language: str, known: dict[str, Any]) -> None:
        """Ask the questions of a reply, keep the answers, and say what comes then."""
        reply = self._file.all.get(name)
        if reply is None:  # gone from the file
            return
        answers: dict[str, Any] = {}
        for question in reply.ask:
            if question.once and question.field in known:
                continue
            voice = self._voice(d.turn, {**known, **answers}, language)
            try:
                answer = await self._ask(d, question, voice)
            except NoAnswer:
                return
            if answer is None:
                return
            answers[question.field] = answer
        fields_of(d.turn).update(answers)
        voice = self._voice(d.turn, {**known, **answers}, language)
        if reply.done is not None:
            d.turn.reply(self._shown(reply, voice.fill(reply.done), voice))
        if reply.handoff is not None:
            d.turn.handoff(voice.fill(reply.handoff))
        await self._play(d.turn, reply.then, inside=True)

    async def _ask(self, d: Dialog, question: Question, voice: Voice) -> Any:  # noqa: ANN401 - JSON
        """The checked answer; None: it was cancelled, or something else was wanted."""
        asking, prompt = self._file.asking, voice.fill(question.text)
        titles = [voice.fill(choice) for choice in question.choices]
        for _ in range(asking.tries):
            timeout = f"{asking.hours}h"
            if titles:
                said = await d.ask(prompt, choices=titles, parse=str, timeout=timeout)
            else:
                said = await d.ask(prompt, parse=str, timeout=timeout)
            if said in titles:
                return question.choices[titles.index(said)].of(self._file.default, self._file.default)
            if fold(said) in self._cancels:
                d.turn.say(voice.own("cancelled"))
                return None
            if (other := self._handoffs.get(fold(said))) is not None:
                await self._play(d.turn, other, inside=True)
                return None
            try:
                return read_answer(question, said, self._voice(d.turn, voice.known, voice.language))
            except Wrong as wrong:
                told = replace(voice, known={**voice.known, "range": span_of(question)})
                prompt = told.own(str(wrong)) if question.again is None else told.fill(question.again)
        memory_of(d.turn)["misses"] = self._file.fallback.misses if self._file.fallback else 0
        await self._miss(d.turn, inside=True)
        return None

    def _shown(self, reply: Reply, text: str, voice: Voice) -> Outgoing | str:
        """A text, with the buttons of its reply."""
        names = [entry.name for entry in self._file.faq] if reply.faq else reply.buttons
        titles = [(name, self._file.all[name].title) for name in names]
        buttons = [Button(f"{self._name}:{name}", voice.fill(title)) for name, title in titles if title is not None]
        return Buttons(text, buttons) if buttons else text

    def _is_open(self, turn: Turn[Any]) -> bool:
        return self._clock is None or self._clock.is_open(turn.now)

    def _voice(self, turn: Turn[Any], found: Mapping[str, Any] | None = None, language: str | None = None) -> Voice:
        """How to speak to the contact of a turn; in a dialog, all that may change meanwhile is given."""
        if language is None:
            fields = fields_of(turn)
            found = {**fields, **(found or {})}
            language = self._language(turn, fields.get("language"))
        name = turn.contact.name if any(map(str.isalpha, turn.contact.name)) else ""  # a number is no name
        contact = {"name": name, "phone": turn.contact.phone or ""}
        now = turn.now.astimezone(self._zone)
        return Voice(self._file, language, now, found or {}, contact, self._clock)

    def _choose_language(self, turn: Turn[Any], reply: Reply) -> None:
        if reply.language is not None:
            fields_of(turn)["language"] = reply.language

    def _language(self, turn: Turn[Any], chosen: str | None) -> str:
        """The language that the contact chose, writes, or has set; else that of last resort."""
        locale = (turn.contact.locale or "").replace("_", "-")
        for tag in (chosen, memory_of(turn).get("language"), locale, locale.partition("-")[0]):
            if tag in self._file.languages:
                return str(tag)
        return self._file.default


def _always(name: str, language: str) -> Filter:
    """A condition that holds, and names the reply."""
    found = captures(name, language)
    return Filter(lambda _: found, finds=_FINDS)


def _literal(text: str) -> str:
    """A text in the pattern of a key."""
    return text.replace("{", "{{").replace("}", "}}")
