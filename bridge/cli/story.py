"""A recorded conversation as the text of a World test: what people did, when, and what came of it."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.cli.anonymous import person_name
from bridge.cli.recording import contact_of
from bridge.events import Echo, Handoff, Message, Postback, Returned, Send, Status
from bridge.frozen import dataclass
from bridge.providers.registry import GATEWAYS
from bridge.store.lifecycle import InboxState
from bridge.store.takeover import MISSED
from bridge.units import SECOND, moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bridge.cli.recording import Conversation
    from bridge.config.load import Config
    from bridge.store.traces import TracedEvent, TracedMessage

_MEDIA: Final = frozenset({"image", "video", "audio", "voice", "document"})
_SECTIONS: Final = ("handlers", "delivery", "consent", "guard", "media")
"""Sections of the configuration that change what a bot does; paths and secrets are in none of them."""
_LEFT_OUT: Final = frozenset({"load", "http_client", "concurrency", "slow_concurrency"})
_FILES: Final = (".toml", ".yaml", ".yml")
"""How the entries of auto-responders end."""
_SHOWN: Final = 60
_WIDE: Final = 100
"""Characters of a line of a comment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the test tells. `failure` is what the turn of the last event raised ("": it raised nothing).

    `people` are the contacts: by their ids, their names in the test. `said` are the messages that they saw; `notes` are
    what a reader should know.
    """

    title: str
    conversation: Conversation
    config: Config
    people: Mapping[str, str]
    failure: str = ""
    is_message: bool = False
    said: Sequence[TracedMessage] = ()
    notes: Sequence[str] = ()
    wants_statuses: bool = False


def written(story: Story) -> str:
    """The test as Python text."""
    body = [*_scene(story), *_acts(story), *_end(story)]
    sends = ["from bridge.messages import decode_message"] if any("decode_message(" in line for line in body) else []
    routers = _routers(story.config)
    return "\n".join(
        (
            f'"""{story.title}"""',
            "",
            "from datetime import UTC, datetime",
            *(["from pathlib import Path"] if any("Path(" in name for _, name in routers) else []),
            "from typing import Iterator",
            "",
            "import pytest",
            "",
            *sends,
            "from bridge.testing import World",
            *dict.fromkeys(line for line, _ in routers),
            "",
            "",
            "@pytest.fixture",
            "def world() -> Iterator[World]:",
            *_world(story, ", ".join(name for _, name in routers)),
            "        yield world",
            "",
            "",
            *(f"# {line}" for note in story.notes for line in textwrap.wrap(note, _WIDE)),
            "async def test_captured(world: World) -> None:",
            *(f"    {line}" for line in body),
            "",
        )
    )


def _routers(config: Config) -> list[tuple[str, str]]:
    """By entry of handlers.load, the import of its router and the name it has then."""
    made = []
    for number, entry in enumerate(config.handlers_to_load()):
        module, _, path = entry.partition(":")
        if path.endswith(_FILES):
            made.append(("from handlers.autoresponder import read_router", f"read_router(Path({_python(path)}))"))
            continue
        first, _, rest = (path or "router").partition(".")
        name = f"{first}_{number}" if number else first
        line = f"from {module} import {first}" + (f" as {name}" if name != first else "")
        made.append((line, f"{name}.{rest}" if rest else name))
    return made


def _world(story: Story, routers: str) -> Iterator[str]:
    at = moment(story.conversation.events[0].received_at)
    yield "    with World("
    yield f"        [{routers}],"
    yield f"        at=datetime({at.year}, {at.month}, {at.day}, {at.hour}, {at.minute}, {at.second}, tzinfo=UTC),"
    ref = story.conversation.ref
    if ref.account not in GATEWAYS or ref.account != ref.provider:
        settings: dict[str, Any] = {"provider": ref.provider}
        account = story.config.accounts.get(ref.account)
        if account is not None and (channels := getattr(account.settings, "channels", None)):
            settings["channels"] = [*channels]
        yield f"        accounts={_python({ref.account: settings})},"
    if sections := dict(_sections(story.config)):
        yield f"        settings={_python(sections)},"
    yield "    ) as world:"


def _sections(config: Config) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is set in the file and changes what a bot does."""
    for name in _SECTIONS:
        section = getattr(config, name)
        values = section.model_dump(mode="json", include=section.model_fields_set - _LEFT_OUT)
        if values:
            yield name, values


def _python(value: Any) -> str:  # noqa: ANN401 - any JSON
    """A value as a formatter would write it."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_python, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_python(key)}: {_python(item)}' for key, item in value.items())}}}"
    return repr(value)


def _people(story: Story) -> dict[str, str]:
    """By contact id, what a person is in the code of the test."""
    return {contact: person_name(number) for number, contact in enumerate(story.people or [""])}


def _scene(story: Story) -> Iterator[str]:
    ref = story.conversation.ref
    locales = {
        str(contact_of(event).get("id", "")): contact_of(event).get("locale")
        for event in story.conversation.events
        if event.kind == Message.tag
    }
    for contact, name in _people(story).items():
        locale = f", locale={_python(locales[contact])}" if locales.get(contact) and ref.provider == "aelyst" else ""
        called = _python(story.people.get(contact, name))
        yield f"{name} = world.contact({_python(ref.account)}, {_python(ref.channel)}, {called}{locale})"


def _acts(story: Story) -> Iterator[str]:
    """What people did, with the time between it; what came while a turn was under way comes so again."""
    people = _people(story)
    before: TracedEvent | None = None
    for event in story.conversation.events:
        act = [*_act(event, people, story)]
        if before is not None and (act or event is story.conversation.events[-1]):
            yield from _between(before, event)
        yield from act
        if act or before is None:
            before = event


def _between(before: TracedEvent, event: TracedEvent) -> Iterator[str]:
    """The time from one event to the next; one that is kept for a person has no turn that could be under way."""
    was_kept = before.state == InboxState.HELD or before.reason == MISSED
    if not was_kept and (before.done_at is None or before.done_at > event.received_at):
        return
    gap = round((event.received_at - before.received_at) / SECOND)
    yield f'await world.advance("{gap}s")' if gap else "await world.settle()"


def _act(event: TracedEvent, people: Mapping[str, str], story: Story) -> Iterator[str]:
    values = event.values
    name = people.get(str(contact_of(event).get("id", "")), next(iter(people.values())))
    match event.kind:
        case Message.tag:
            yield _says(name, values)
        case Postback.tag:
            yield f"await {name}.clicks({_python(_title(values, story))})"
        case Handoff.tag:
            yield f"await world.agent({name}).takes({_python(values.get('note', ''))})"
        case Returned.tag if not values.get("quiet"):
            yield f"await world.agent({name}).returns()"
        case Echo.tag if values.get("human"):
            yield f"await world.agent({name}).says({_python(values.get('text', ''))})"
        case Send.tag if values.get("human"):
            texts = [orjson.loads(message).get("text", "") for message in values.get("messages", ())]
            yield from (f"await world.agent({name}).writes({_python(text)})" for text in texts)
        case Send.tag:
            said = ", ".join(f"decode_message({message.encode()!r})" for message in values.get("messages", ()))
            yield f"await world.send({_python(event.account)}, {name}.thread, {said})"
        case Status.tag if story.wants_statuses:
            yield f"await {name}.reads()"


def _says(name: str, values: Mapping[str, Any]) -> str:
    media, place = values.get("media"), values.get("location")
    if media and values["kind"] in _MEDIA:
        caption = media.get("caption") or values.get("text") or ""
        url = media.get("url") or "https://example.org/file"
        return f"await {name}.sends({_python(values['kind'])}, {_python(url)}, {_python(caption)})"
    if place:
        near = (round(place[side], 1) for side in ("latitude", "longitude"))  # some 10 km: nobody's home
        return f"await {name}.locates({', '.join(map(repr, near))})"
    return f"await {name}.says({_python(values.get('text', ''))})"


def _title(values: Mapping[str, Any], story: Story) -> str:
    """The title of the pressed choice: the gateway tells it, or the message that offered the key."""
    if values.get("title"):
        return str(values["title"])
    for message in story.conversation.messages:
        for choice in _choices(orjson.loads(message.content)):
            if choice.get("key") == values.get("key"):
                return str(choice.get("title"))
    return str(values.get("key"))


def _choices(value: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        if "key" in value and "title" in value:
            yield value
        for item in value.values():
            yield from _choices(item)
    elif isinstance(value, list):
        for item in value:
            yield from _choices(item)


def _end(story: Story) -> Iterator[str]:
    """What production came to: a failure, or what was said."""
    yield "await world.settle()"
    if story.failure and story.is_message:
        yield f"# In production the message was given up: {story.failure}"
        yield 'dead = [line["reason"] for line in world.log if line["event"] == "message_dead"]'
        yield "assert not dead, dead"
        return
    if story.failure:
        yield f"# In production the turn failed: {story.failure}"
        yield "if world.errors:"
        yield "    raise world.errors[-1]"
        return
    yield "# So it went in production. Correct the line that is wrong: the test fails until the bot is right."
    first = next(iter(_people(story).values()))
    seen = [text for message in story.said if (text := _seen(orjson.loads(message.content)))]
    if seen:
        yield f"{first}.saw("
        yield from (f"    {_python(f'~{text}')}," for text in seen)
        yield ")"
    yield f"assert len({first}.seen) == {len(story.said)}"


def _seen(values: Mapping[str, Any]) -> str:
    """A line of a message that its contact sees."""
    text = values.get("text") or values.get("caption") or ""
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    return lines[0][:_SHOWN] if lines else ""
