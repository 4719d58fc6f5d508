"""Dead letters and quarantine: lists with filters, one whole, and replay and drop, one at a time or many."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, get_args

import orjson
from aiohttp import hdrs

from bridge.errors import Unmappable
from bridge.events import ThreadRef
from bridge.providers.redaction import Redaction, secrets_of
from bridge.store.searching import is_own
from bridge.web.api import letters, models
from bridge.web.api.problems import Refusal
from bridge.web.operator.page import Page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from bridge.web.api.models import Action
    from bridge.web.operator.page import Ask

_SHOWN: Final = 50
_BATCH: Final = 200
"""Letters that one request changes at most; a page goes on with the next ones by itself."""
_FILTERS: Final = ("cursor", "account", "reason", "older_than", "state")
_AGES: Final = (("3600", "An hour and older"), ("86400", "A day and older"), ("604800", "A week and older"))
_NOT_FOUND: Final = 404


@dataclass(kw_only=True)
class _Result:
    """What became of many letters. `more` is where it goes on."""

    verb: Action
    done: int
    refused: list[models.RefusedLetter] = field(default_factory=list)
    more: str | None = None


async def _letters(ask: Ask) -> web.StreamResponse:
    """Dead letters, the newest first."""
    return await _list(ask, None)


async def _list(ask: Ask, result: _Result | None) -> web.StreamResponse:
    query = ask.request.query
    asked = ask.read(models.LettersAsked, {**{name: query.get(name) for name in _FILTERS}, "limit": _SHOWN})
    page = await letters.letters(ask.call(query=asked))
    accounts = sorted(name for backend in ask.backends for name in backend.accounts)
    template = "letter-rows.html" if ask.is_fragment else "letters.html"
    return ask.render(template, page=page, asked=asked, accounts=accounts, ages=_AGES, result=result)


async def _change(ask: Ask) -> web.StreamResponse:
    """Replay or drop the chosen ones, or with `all` those that fit the filters."""
    action, _, every = ask.form.get("do", "").partition(" ")
    verb = next((verb for verb in get_args(models.Action) if verb == action), None)
    if verb is None:
        raise Refusal(422, "want to replay or to drop")
    result = await (_all(ask, verb) if every else _chosen(ask, verb))
    return await _list(ask, result)


async def _chosen(ask: Ask, verb: Action) -> _Result:
    ids = ask.form.getall("id", [])
    if not ids:
        raise Refusal(422, "choose some letters first")
    result = _Result(verb=verb, done=0)
    for letter_id in reversed(ids):  # as they came: the list has the newest first
        try:
            await _act(ask, verb, letter_id)
        except Unmappable as error:
            result.refused.append(models.RefusedLetter(id=letter_id, reason=str(error)))
        except Refusal as refusal:
            if refusal.status != _NOT_FOUND:
                raise
        else:
            result.done += 1
    return result


async def _all(ask: Ask, verb: Action) -> _Result:
    """A part of those that fit, and how many they are with the parts before."""
    chosen = {name: ask.request.query.get(name) for name in ("account", "reason", "older_than", "state")}
    choice = ask.read(models.Choice, {**chosen, "action": verb, "limit": _BATCH, "cursor": ask.form.get("cursor")})
    changed = await letters.change_many(ask.call(body=choice))
    done = _number(ask.form.get("done", "")) + len(changed.done)
    return _Result(verb=verb, done=done, refused=changed.refused, more=changed.next)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < len(str(1 << 62)) else 0


async def _act(ask: Ask, verb: Action, letter_id: str) -> None:
    call = ask.call(letter_id=letter_id)
    await (letters.replay(call) if verb == "replay" else letters.drop(call))


async def _letter(ask: Ask) -> web.StreamResponse:
    """One dead letter, with what it holds and without a secret."""
    call = ask.call()
    backend, found = await call.letter()
    letter = await letters.letter(call)
    account = backend.accounts.get(letter.account)
    redaction = Redaction(secrets_of(account.settings, account.inbound) if account is not None else ())
    content = redaction.text(_text(letter.content))
    trace = redaction.text(letter.trace or "")
    channel, _, conversation = found.thread.partition(":")
    thread_id = await backend.store.find_thread(ThreadRef(letter.account, "", channel, conversation))
    thread = None if thread_id is None or is_own(letter.account) else call.id_of(letter.account, thread_id)
    return ask.render("letter.html", letter=letter, content=content, trace=trace, thread=thread)


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()


async def _replay(ask: Ask) -> web.StreamResponse:
    """Append it to its conversation again."""
    await _act(ask, "replay", ask.path["letter_id"])
    return ask.go("letters")


async def _drop(ask: Ask) -> web.StreamResponse:
    """Put it aside."""
    await _act(ask, "drop", ask.path["letter_id"])
    return ask.go("letters")


PAGES: Sequence[Page] = (
    Page(path="/letters", act=_letters, name="Dead letters"),
    Page(path="/letters", act=_change, method=hdrs.METH_POST, role="operator"),
    Page(path="/letters/{letter_id}", act=_letter),
    Page(path="/letters/{letter_id}/replay", act=_replay, method=hdrs.METH_POST, role="operator"),
    Page(path="/letters/{letter_id}/drop", act=_drop, method=hdrs.METH_POST, role="operator"),
)
