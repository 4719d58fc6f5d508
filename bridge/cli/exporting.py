"""All that is stored of a person, as a JSON document that they can read."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any, Final, TextIO

import orjson

from bridge.cli.output import counting, time_of
from bridge.store.admission import OWN_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bridge.store.looks import HistoryEntry
    from bridge.store.media import MediaRow
    from bridge.store.port import StoreReader
    from bridge.store.records import ThreadRow

_EVERYTHING: Final = 1_000_000_000
_MEDIA: Final = 500
"""Events whose media are looked up at a time."""
_STEP: Final = "  "


async def export_to(file: str | None, store: StoreReader, contact_id: int, person: Mapping[str, Any], now: int) -> str:
    """Write the document to a file, or to standard output; what it holds, in words."""
    with _opened(file) as out, counting(shown=file is not None) as progress:
        task = progress.add_task("written", total=None)
        threads = await store.threads_of_contact(contact_id)
        said = 0
        out.write(f'{{\n{_STEP}"exported_at": "{time_of(now)}",\n{_STEP}"person": {_text(person, 1)},\n')
        out.write(f'{_STEP}"conversations": [')
        for number, thread in enumerate(threads):
            history = await store.history(thread.id, limit=_EVERYTHING)
            media = await _media(store, history)
            out.write(f"{',' if number else ''}\n{_STEP * 2}{{\n")
            for name, value in _about(thread).items():
                out.write(f"{_STEP * 3}{json.dumps(name)}: {_text(value, 3)},\n")
            out.write(f'{_STEP * 3}"said": [')
            for place, entry in enumerate(history):
                out.write(f"{',' if place else ''}\n{_STEP * 4}{_text(_entry(entry, media.get(entry.id)), 4)}")
                progress.advance(task)
            out.write(f"\n{_STEP * 3}]\n{_STEP * 2}}}")
            said += len(history)
        out.write(f"\n{_STEP}]\n}}\n")
    return f"{_count(len(threads), 'conversation')}, {_count(said, 'entry', 'entries')}"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _text(value: object, depth: int) -> str:
    """A value as JSON, behind its name at a depth of the document."""
    text = json.dumps(value, indent=len(_STEP), ensure_ascii=False)
    return indent(text, _STEP * depth).lstrip()


def _about(thread: ThreadRow) -> dict[str, object]:
    """A conversation without what was said in it."""
    return {
        "id": thread.id,
        "account": thread.ref.account,
        "provider": thread.ref.provider,
        "channel": thread.ref.channel,
        "conversation": thread.ref.conversation_id,
        "last_heard": None if thread.last_heard is None else time_of(thread.last_heard),
        "opted_out": thread.opted_out > 0,
        "state": orjson.loads(thread.state),
        "step": thread.step,
    }


def _entry(entry: HistoryEntry, medium: MediaRow | None) -> dict[str, object]:
    """Something said, or an event of the conversation; `status` is how far a message of ours came."""
    shown: dict[str, object] = {
        "at": time_of(entry.at),
        "from": _from(entry),
        "kind": entry.kind,
        "state": entry.state,
        "status": entry.status or None,
        "key": entry.key,
        "content": _content(entry.content),
    }
    if medium is not None:
        shown["file"] = {
            "state": medium.state,
            "sha256": medium.sha256 or None,
            "size": medium.size or None,
            "mime_type": medium.mime_type or None,
        }
    return shown


def _from(entry: HistoryEntry) -> str:
    if entry.direction == "out":
        return "bot"
    return "bridge" if entry.kind in OWN_KINDS else "contact"


def _content(content: bytes) -> object:
    """The content as JSON, or else as text."""
    try:
        return json.loads(content)
    except ValueError:
        return content.decode("utf-8", "backslashreplace")


async def _media(store: StoreReader, history: Sequence[HistoryEntry]) -> dict[int | None, MediaRow]:
    """The media of events, by their ids."""
    ids = [entry.id for entry in history if entry.direction == "in"]
    rows: list[MediaRow] = []
    for place in range(0, len(ids), _MEDIA):
        rows += await store.media(ids[place : place + _MEDIA])
    return {row.inbox_id: row for row in rows}


@contextmanager
def _opened(file: str | None) -> Iterator[TextIO]:
    """Standard output, or a file that only its owner can read, and that is there whole or not at all."""
    if file is None:
        yield sys.stdout
        return
    target = Path(file)
    unfinished = target.with_name(f"{target.name}.unfinished")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            os.fchmod(descriptor, 0o600)
            yield out
        unfinished.replace(target)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise
