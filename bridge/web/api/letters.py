"""Dead letters: lists, one whole, and replay and drop, one at a time or many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from bridge.engine.dead_letters import in_order
from bridge.errors import Unmappable
from bridge.store.following import dead
from bridge.store.looks import FIRST
from bridge.store.replay import letter_of
from bridge.units import SECOND, moment
from bridge.web.api import models
from bridge.web.api.calls import NO_LETTER, cursor_of, page_of, place_of, read_cursor
from bridge.web.api.problems import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.store.looks import DeadLetter
    from bridge.web.api.backend import Backend
    from bridge.web.api.calls import Call
    from bridge.web.api.models import Action


_SINCE: Final = "."
"""In the cursor of `change_many`, behind the time of its first part: what fails again meanwhile is not in the rest."""


async def letters(call: Call) -> models.Letters:
    """Dead letters, the newest first."""
    asked: models.LettersAsked = call.query
    found: list[DeadLetter] = []
    before = read_cursor(asked.cursor) or FIRST
    if asked.older_than:
        before = min(before, (_until(call, asked.older_than), FIRST[1]))
    for backend, account in call.lists(asked.account):
        found += await backend.store.dead_letters(
            account=account, reason=asked.reason, state=asked.state, limit=asked.limit + 1, before=before
        )
    page, more = page_of(found, asked.limit, place_of)
    return models.Letters(items=[models.Letter.model_validate(_letter(call, letter)) for letter in page], next=more)


async def letter(call: Call) -> models.WholeLetter:
    """One dead letter, with what it holds."""
    _, found = await call.letter()
    tries = [{**tried, "at": moment(tried["at"])} for tried in orjson.loads(found.tries)]
    whole = {"content": _content(found.content), "trace": found.trace or None, "tries": tries}
    return models.WholeLetter.model_validate(_letter(call, found) | whole)


async def replay(call: Call) -> models.Done:
    """Append a dead letter to its conversation again."""
    return await _change(call, "replay")


async def drop(call: Call) -> models.Done:
    """Put a dead letter aside for good."""
    return await _change(call, "drop")


async def _change(call: Call, verb: Action) -> models.Done:
    backend, found = await call.letter()
    await call.audit(backend, verb, found.account, found.id)
    if not await _act(backend, verb, found.id):
        raise Refusal(404, NO_LETTER)
    return models.Done(id=call.path["letter_id"])


async def _act(backend: Backend, verb: Action, letter_id: str) -> bool:
    return await (backend.letters.replay(letter_id) if verb == "replay" else backend.letters.drop(letter_id))


async def change_many(call: Call) -> models.Changed:
    """Replay or drop many dead letters, the oldest first."""
    asked: models.Choice = call.body
    began, _, place = (asked.cursor or "").rpartition(_SINCE)
    after, until = read_cursor(place or None) or (0, 0), _until(call, asked.older_than)
    until = min(until, int(began, 16) if began else until)
    places: list[tuple[int, int, Backend, str]] = []
    for backend, account in call.lists(asked.account):
        found = await backend.store.oldest_letters(
            account=account, reason=asked.reason, state=asked.state, until=until, limit=asked.limit + 1, after=after
        )
        places += [(at, letter_of(own)[1] or 0, backend, own) for at, own in found]
    places.sort(key=lambda place: place[:2])
    page = places[: asked.limit]
    done: list[str] = []
    refused: list[models.RefusedLetter] = []
    for backend in call.backends:
        for own in in_order(own for _, _, where, own in page if where is backend):
            named = await _changed(call, backend, asked.action, own, refused.append)
            done += [named] if named else []
    until = min(until, call.clock.now() - 1)
    more = f"{until:x}{_SINCE}{cursor_of(page[-1][:2])}" if len(places) > len(page) else None
    return models.Changed(done=done, refused=refused, next=more)


def _until(call: Call, age: float) -> int:
    """The latest time of what is so old."""
    return call.clock.now() - round(age * SECOND)


async def _changed(
    call: Call, backend: Backend, verb: Action, own: str, refuse: Callable[[models.RefusedLetter], None]
) -> str | None:
    """The id of a letter that was changed; None: it is none any more, or it stays one."""
    found = await backend.store.dead_letter(own)
    if found is None or not call.sees(found.account):
        return None
    named = call.id_of(found.account, own)
    await call.audit(backend, verb, found.account, own)
    try:
        return named if await _act(backend, verb, own) else None
    except Unmappable as error:
        refuse(models.RefusedLetter(id=named, reason=str(error)))
        return None


def _letter(call: Call, found: DeadLetter) -> dict[str, object]:
    return dead(found, call.id_of(found.account, found.id))


def _content(content: bytes) -> object:
    """JSON where it is, else text."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return content.decode("utf-8", "backslashreplace")
