"""Broadcasts: begun with their recipients, watched, paused, resumed, cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.engine.broadcasts.composing import Content, Row
from bridge.store.broadcasts import Bounds, RecipientState
from bridge.units import moment
from bridge.web.api import broadcast_models as models
from bridge.web.api.calls import cursor_of, page_of, read_cursor
from bridge.web.api.problems import Refusal
from bridge.web.control_protocol import number_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.engine.broadcasts.composing import Flaw
    from bridge.store.broadcasts import Broadcast
    from bridge.store.looks import Place
    from bridge.web.api.backend import Backend
    from bridge.web.api.calls import Call

_NOT_FOUND: Final = "there is no broadcast of this id"


async def broadcast(call: Call) -> models.BroadcastBegun:
    """Begin a broadcast: one message for many contacts."""
    asked: models.BroadcastIn = call.body
    backend = call.of_account(asked.account)
    await call.audit(backend, "broadcast", asked.account, asked.title)
    begun = await backend.composer.begin(
        asked.account,
        asked.message,
        channel=asked.channel,
        at=asked.send_at,
        bounds=Bounds(asked.stop_failures, asked.stop_opt_outs, asked.stop_from),
        title=asked.title,
        key=asked.idempotency_key,
    )
    found = await backend.store.broadcast(begun)
    assert found is not None
    flaws: Sequence[Flaw] = ()
    if found.is_draft:
        flaws = await _add(backend, begun, asked)
        if asked.start:
            await backend.composer.start(begun)
    told = await _told(backend, begun)
    return models.BroadcastBegun.model_validate({**told.model_dump(), "left_out": [flaw._asdict() for flaw in flaws]})


async def add_recipients(call: Call) -> models.LeftOut:
    """Add recipients to a draft."""
    backend, found = await _found(call)
    flaws = await _add(backend, found.id, call.body)
    return models.LeftOut.model_validate({"left_out": [flaw._asdict() for flaw in flaws]})


async def broadcasts(call: Call) -> models.Broadcasts:
    """Broadcasts, the newest first."""
    asked: models.BroadcastsAsked = call.query
    before = read_cursor(asked.cursor)
    found = [
        each
        for backend, account in call.lists(asked.account)
        for each in await backend.store.broadcasts(account=account, before=before, limit=asked.limit + 1)
    ]
    page, more = page_of(found, asked.limit, _place)
    return models.Broadcasts(items=[models.BroadcastLine.model_validate(_line(each)) for each in page], next=more)


async def look_at_broadcast(call: Call) -> models.BroadcastOut:
    """Where a broadcast stands."""
    backend, found = await _found(call)
    return await _told(backend, found.id)


async def recipients(call: Call) -> models.RecipientsOut:
    """What became of each recipient's message."""
    asked: models.RecipientsAsked = call.query
    backend, found = await _found(call)
    after = (read_cursor(asked.cursor) or (0, 0))[0]
    state = None if asked.state is None else RecipientState(asked.state)
    rows = await backend.store.recipients(found.id, state=state, after=after, limit=asked.limit + 1)
    items = [
        models.RecipientOut(
            number=row.number,
            to=row.to or row.conversation,
            channel=row.channel,
            state=row.state,
            reason=row.reason or None,
            opted_out=row.opted_out,
            unanswered=row.unanswered,
        )
        for row in rows[: asked.limit]
    ]
    return models.RecipientsOut(items=items, next=cursor_of((items[-1].number, 0)) if len(rows) > asked.limit else None)


async def resume(call: Call) -> models.BroadcastOut:
    """Start a draft, or resume a broadcast that is paused."""
    return await _move(call, "resume")


async def pause(call: Call) -> models.BroadcastOut:
    """Release nothing more until the broadcast is resumed."""
    return await _move(call, "pause")


async def cancel(call: Call) -> models.BroadcastOut:
    """End a broadcast: nothing more leaves."""
    return await _move(call, "cancel")


async def _move(call: Call, verb: str) -> models.BroadcastOut:
    backend, found = await _found(call)
    await call.audit(backend, f"broadcast {verb}", found.account, found.id)
    composer = backend.composer
    moves = {"resume": composer.start, "pause": composer.pause, "cancel": composer.cancel}
    if not await moves[verb](found.id):
        raise Refusal(409, f"the broadcast is {found.state}: it cannot be {_MOVED[verb]}")
    return await _told(backend, found.id)


_MOVED: Final = {"resume": "resumed", "pause": "paused", "cancel": "cancelled"}


async def _add(backend: Backend, broadcast_id: str, asked: models.Recipients) -> Sequence[Flaw]:
    """Add recipients; those that are left out. A flaw that is not to be skipped ends the broadcast."""
    rows = [Row(number, _to(one), one.columns) for number, one in enumerate(asked.recipients, asked.first)]
    flaws = await backend.composer.add(broadcast_id, rows)
    if not asked.skip and (bad := [flaw for flaw in flaws if not flaw.repeated]):
        await backend.composer.cancel(broadcast_id)
        errors = [{"at": f"recipients[{flaw.number - asked.first}]", "reason": flaw.reason} for flaw in bad]
        raise Refusal(422, "recipients have flaws, and the broadcast is cancelled", errors=errors)
    return flaws


def _to(recipient: models.RecipientIn) -> str | int:
    if recipient.to is not None:
        return recipient.to
    number = number_of((recipient.thread or "").rpartition(":")[2])
    return number if number is not None else 0


async def _found(call: Call) -> tuple[Backend, Broadcast]:
    """The broadcast that the path names. Raises Refusal."""
    for backend in call.backends:
        found = await backend.store.broadcast(call.path["broadcast_id"])
        if found is not None and call.sees(found.account):
            return backend, found
    raise Refusal(404, _NOT_FOUND)


async def _told(backend: Backend, broadcast_id: str) -> models.BroadcastOut:
    found = await backend.store.broadcast(broadcast_id)
    if found is None:
        raise Refusal(404, _NOT_FOUND)
    counts = await backend.store.broadcast_counts(broadcast_id)
    return models.BroadcastOut.model_validate(
        {
            **_line(found),
            "recipients": counts.total,
            "states": {state: count for state, count in counts.states.items() if count},
            "opt_outs": counts.opt_outs,
            "unanswered": counts.unanswered,
        }
    )


def _line(found: Broadcast) -> dict[str, object]:
    return {
        "id": found.id,
        "account": found.account,
        "title": Content.decode(found.content).title,
        "state": found.state,
        "reason": found.reason or None,
        "created_at": moment(found.created_at),
        "send_at": moment(found.begins_at),
    }


def _place(found: Broadcast) -> Place:
    return found.created_at, 0
