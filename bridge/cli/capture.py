"""`threadbridge capture`: a conversation of production as a test of the bot, without the people who had it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
import typer

from bridge.cli.anonymous import Replacements, person_name, words
from bridge.cli.looking import OfDemo, OfDev, StoreUrl  # noqa: TC001 - typer reads the annotations
from bridge.cli.output import DEFAULT, ConfigFile, bot_at_work, complain, exits, leave
from bridge.cli.recording import Conversation, Recording, bot_and_store, contact_of, conversation, with_account
from bridge.cli.replay_run import rerun
from bridge.cli.story import Story, written
from bridge.cli.threads import no_store_yet
from bridge.engine.turns.signing import SIGNING
from bridge.errors import NoThread
from bridge.events import Status
from bridge.routing.loading import load_routers
from bridge.routing.router import combine, rulebook_of
from bridge.store.lifecycle import InboxState
from bridge.store.opening import open_reader
from bridge.store.replay import letter_of
from bridge.store.takeover import SPOKEN

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from bridge.config.load import Config
    from bridge.routing.router import Router
    from bridge.store.traces import TracedEvent, TracedMessage

_PATIENCE: Final = 3600 * 1_000_000
"""Microseconds after the last event in which its tries come to their end."""
_RAISED: Final = re.compile(r"(?:^|: )([A-Za-z_]\w*)(?:: |$)")
"""The class of an error, in the reason of a dead letter."""
_TRIALS: Final = 200
"""Reruns that look for the words on which a failure depends."""
_TEXTS: Final = frozenset({"text", "caption", "header", "footer"})
"""Fields of a message that hold words."""


def capture(
    name: Annotated[
        str, typer.Argument(metavar="THREAD|LETTER", help='The id of a conversation like 7, or of a letter: "in-7".')
    ],
    config: ConfigFile = DEFAULT,
    *,
    keep_texts: Annotated[bool, typer.Option("--keep-texts", help="Leave texts as they were written.")] = False,
    store: StoreUrl = None,
    dev: OfDev = False,
    demo: OfDemo = False,
) -> None:
    """Print a conversation as a test of the bot that fails as production did.

    The test builds a World of `bridge.testing`, and lets contacts do what they did, at the same pace. Of a dead letter
    it ends with that, and raises what the turn raised. Of a conversation it expects what the bot said: correct the
    wrong line.

    Names, numbers and words are replaced, the same by the same. Words on which the failure depends are kept: a run in
    memory finds them, which writes nothing and asks nobody.

    Example: `threadbridge capture in-7 > test_captured.py`
    """
    with exits():
        read, source = bot_and_store(config, store, dev=dev, demo=demo)
        if no_store_yet(source):
            leave(1)
        captured = asyncio.run(_captured(source, name))
        if captured is None:
            complain(f"{name}: no conversation and no event or message of one has this id")
            leave(1)
        with bot_at_work():
            router = combine(load_routers(read.handlers_to_load(), read.folder, file=read.file))
            story = told(captured, read, router, keep_texts=keep_texts)
        typer.echo(written(story), nl=False)


class Captured:
    """A conversation as far as it matters, and the event or message that failed in it."""

    def __init__(self, whole: Conversation, secret: str | None, letter: str) -> None:
        """`letter` is "" where the whole conversation is meant."""
        side, number = letter_of(letter)
        self.letter = letter
        self.is_message = side == "out"
        self.message = next((one for one in whole.messages if self.is_message and one.id == number), None)
        last = self.message.event_id if self.message is not None else number
        if letter:
            events = [event for event in whole.events if event.id <= (last or 0)]
            whole = replace(whole, events=events)
        self.conversation = whole
        self.secret = secret

    @property
    def last(self) -> TracedEvent:
        """The event with which it ends."""
        return self.conversation.events[-1]

    def with_events(self, events: Sequence[TracedEvent]) -> Recording:
        """What is to run."""
        return Recording(conversations=[replace(self.conversation, events=events)], secret=self.secret)


async def _captured(source: Config, name: str) -> Captured | None:
    store = await open_reader(source.storage.url, source.storage.keys)
    try:
        thread_id, letter = None, ""
        if letter_of(name)[1] is not None:
            letter, trace = name, await store.trace(name)
            row = (trace.messages[0] if name.startswith("out") else trace.event) if trace is not None else None
            thread_id = row.thread_id if row is not None else None
        elif name.isascii() and name.isdecimal():
            thread_id = int(name)
        if thread_id is None:
            return None
        return Captured(await conversation(store, thread_id), await store.secret("", SIGNING), letter)
    except NoThread:
        return None
    finally:
        await store.close()


def told(captured: Captured, config: Config, router: Router, *, keep_texts: bool) -> Story:
    """The story of a conversation, with as few words of its people as it takes to fail as it did."""
    config = with_account(config, captured.conversation.ref)
    trial = _Trial(captured, config, router)
    original = trial.run(captured.conversation.events)
    failure = _failure(captured)
    notes = []
    if failure and not captured.is_message and _cause(original.last) != _cause(captured.last):
        notes.append(
            "In a run without an outside it went another way: the handlers ask something there, or have changed."
        )
    events, kept = trial.anonymous(original, keep_texts=keep_texts)
    if kept:
        notes.append(f"{kept} texts are as they were written, because what happens depends on them: read them first.")
    people = trial.people(events, original)
    final = trial.run([_named(event, people) for event in events])
    return Story(
        title=f"Captured from production: {captured.letter or f'conversation {captured.conversation.id}'}.",
        conversation=replace(
            captured.conversation, events=events, messages=[*final.messages, *captured.conversation.messages]
        ),
        config=config,
        failure=failure,
        is_message=captured.is_message,
        people=people,
        said=final.messages,
        notes=notes,
        wants_statuses=rulebook_of(router).wants(Status.tag),
    )


def _failure(captured: Captured) -> str:
    """What went wrong in the end, without words of anybody; "": nothing did."""
    if captured.message is not None:
        return f"{captured.message.outcome or captured.message.state}"
    if not captured.letter or captured.last.state not in {InboxState.DEAD, InboxState.OPEN, InboxState.DROPPED}:
        return ""
    raised = _RAISED.search(captured.last.reason)
    return ", ".join(filter(None, (raised[1] if raised else "it is open", _line_of(captured.last))))


class _Ran:
    """What a run came to: its messages, and how its last event ended."""

    def __init__(self, one: Conversation | None, last: str) -> None:
        self.messages: Sequence[TracedMessage] = one.messages if one is not None else ()
        events = one.events if one is not None else ()
        self.last = next((event for event in events if event.key == last), None)
        self.states = [(event.key, event.state, _line_of(event)) for event in events]


def _line_of(event: TracedEvent) -> str:
    """Where in the author's code its turn failed."""
    lines = [line.strip() for line in event.trace.splitlines() if line.lstrip().startswith("File ")]
    return lines[-1] if lines else ""


def _cause(event: TracedEvent | None) -> tuple[bool, str]:
    """Whether an event failed, and at which line."""
    return event is not None and bool(event.reason), "" if event is None else _line_of(event)


class _Trial:
    """Runs a conversation with other words, and looks whether it goes as it went."""

    def __init__(self, captured: Captured, config: Config, router: Router) -> None:
        self._captured = captured
        self._config = config
        self._router = router
        self._trials = 0
        self._people = {*words(*(f"{contact_of(event).get('name') or ''}" for event in captured.conversation.events))}
        self.names = Replacements()

    def run(self, events: Sequence[TracedEvent]) -> _Ran:
        """What these events come to."""
        until = max(event.received_at for event in events) + _PATIENCE
        if self._captured.letter == "":
            until -= _PATIENCE - 60 * 1_000_000
        result = rerun(self._captured.with_events(events), self._config, self._router, until)
        ref = self._captured.conversation.ref
        return _Ran(next((one for one in result.conversations if one.ref == ref), None), self._captured.last.key)

    def anonymous(self, original: _Ran, *, keep_texts: bool) -> tuple[list[TracedEvent], int]:
        """The events with the words of their people replaced, and how many texts had to stay."""
        events = [*self._captured.conversation.events]
        careful = [self._replaced(event, self._people) for event in events]
        if keep_texts:
            return careful, 0
        bold = [self._replaced(event, None) for event in events]
        if self._agrees(bold, original):
            return bold, 0
        current = [*careful]
        for place in range(len(events)):
            if bold[place].content != careful[place].content and self._trials < _TRIALS:
                trial = [*current[:place], self._thinned(current, place, original), *current[place + 1 :]]
                current = trial
        kept = sum(now.content != new.content for now, new in zip(current, bold, strict=True))
        return current, kept

    def _thinned(self, current: list[TracedEvent], place: int, original: _Ran) -> TracedEvent:
        """One event with as many of its words replaced as leave everything as it was."""
        event = self._captured.conversation.events[place]
        own = [*dict.fromkeys(words(*_texts(event)))]
        replaced = {*self._people}
        best = current[place]
        for attempt in (own, *([word] for word in own if len(own) > 1)):
            tried = self._replaced(event, replaced.union(attempt))
            if self._trials < _TRIALS and self._agrees([*current[:place], tried, *current[place + 1 :]], original):
                best = tried
                replaced.update(attempt)
                if attempt is own:
                    break
        return best

    def _agrees(self, events: Sequence[TracedEvent], original: _Ran) -> bool:
        """Whether it goes the same way: the same events fail at the same lines, and the same is said, but for words."""
        self._trials += 1
        ran = self.run(events)
        if ran.states != original.states or len(ran.messages) != len(original.messages):
            return False
        return all(_same(then, now, self.names) for then, now in zip(original.messages, ran.messages, strict=True))

    def people(self, events: Sequence[TracedEvent], original: _Ran) -> dict[str, str]:
        """By contact, the name in the test; one in the shape of their own, where what happens depends on that."""
        people: dict[str, str] = {}
        for event in events:
            contact = str(contact_of(event).get("id", ""))
            if event.kind not in SPOKEN or contact in people:
                continue
            plain = person_name(len(people))
            shaped = self.names.text(contact_of(event).get("name") or plain)
            names = (name for name in (plain, shaped) if self._goes_so(events, {contact: name}, original))
            people[contact] = next(names, plain)
        return people

    def _goes_so(self, events: Sequence[TracedEvent], people: Mapping[str, str], original: _Ran) -> bool:
        """Whether the same events fail at the same lines, and as much is said, when people have these names."""
        ran = self.run([_named(event, people) for event in events])
        return ran.states == original.states and len(ran.messages) == len(original.messages)

    def _replaced(self, event: TracedEvent, only: Collection[str] | None) -> TracedEvent:
        """An event with its texts replaced (`only`: these words of them), and its person by another."""
        values = dict(event.values)
        for key in ("text", "note"):
            if isinstance(values.get(key), str):
                values[key] = self.names.text(values[key], only)
        if values.get("media"):
            media = dict(values["media"])
            for key in ("caption", "name", "url"):
                media[key] = self.names.text(media.get(key) or "", only)
            values["media"] = media
        if values.get("messages"):
            values["messages"] = [self._said(message, only) for message in values["messages"]]
        return replace(event, content=orjson.dumps(values)) if values else event

    def _said(self, message: str, only: Collection[str] | None) -> str:
        """A message of the bot's own, as it is stored, with the texts in it replaced."""
        values = {
            key: self.names.text(value, only) if key in _TEXTS and isinstance(value, str) else value
            for key, value in orjson.loads(message).items()
        }
        return orjson.dumps(values).decode()


def _named(event: TracedEvent, people: Mapping[str, str]) -> TracedEvent:
    """An event of which the person has another name."""
    contact = contact_of(event)
    if (name := people.get(str(contact.get("id", "")))) is None:
        return event
    return replace(event, content=orjson.dumps({**event.values, "contact": {**contact, "name": name}}))


def _texts(event: TracedEvent) -> list[str]:
    values = event.values
    media = values.get("media") or {}
    return [str(values.get("text") or ""), str(media.get("caption") or ""), str(media.get("name") or "")]


def _strings(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def _same(then: TracedMessage, now: TracedMessage, names: Replacements) -> bool:
    """Whether two messages are the same, but for words of people that they quote."""
    if then.kind != now.kind:
        return False
    texts = [[*_strings(orjson.loads(message.content))] for message in (then, now)]
    return len(texts[0]) == len(texts[1]) and all(map(names.same, *texts))
