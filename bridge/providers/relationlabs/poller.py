"""The pure half of polling GET api/v1/message/list, for accounts whose conversations no relay forwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.errors import OutcomeUnknown, Unmappable
from bridge.providers.optional import Polled
from bridge.providers.port import Request
from bridge.providers.relationlabs import wire
from bridge.providers.relationlabs.inbound import read_message
from bridge.providers.relationlabs.outbound import destination, read_answer
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.events import ThreadRef
    from bridge.providers.optional import Exchange
    from bridge.providers.port import Inbound, Response

_OVERLAP: Final = 10 * SECOND
"""Asked for again in every round, because a message may be listed a little after a later one; known ones are known."""
_MOST_PAGES: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What to ask one thread for: at most `limit` messages up to `before`, of which those from `since` on are news.

    Both are in microseconds. The first window of a thread begins where its reader wants to begin: nothing older is
    ever taken.
    """

    since: int
    before: int
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a window showed: events oldest first, and beside them what could not be mapped, with the reason.

    `older` is the window to ask next, because this page was full before it reached `since`; None: that was all.
    Pages are received from the last to the first, to keep the order; only then is `watermark` the next `since`.
    It is part of the next window, since more messages may come in the same millisecond: the store knows the repeats
    by their key. It never lies after the reading itself: a message from the future must not hide those of today.
    """

    inbound: Sequence[Inbound]
    unmappable: Sequence[tuple[bytes, str]]
    watermark: int
    older: Window | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks: the headers of a request, our own relation id, and whether the token is one that cannot be renewed."""

    headers: Mapping[str, str]
    own: str | None
    fixed: bool


def read_name(name: str) -> tuple[str, str]:
    """The (channel, conversation id) of an entry of `poll`. Raises ValueError when it is none."""
    channel, separator, conversation_id = name.partition(":")
    if channel not in wire.CHANNEL_TYPES.values() or not separator or not conversation_id:
        raise ValueError(f"want {wire.GROUP}:UUID or {wire.PEER}:RELATION_ID")
    return channel, conversation_id


def poll(thread: ThreadRef, cursor: str, now: int, asker: Asker) -> Exchange[Polled]:
    """One round: page after page back to the cursor (microseconds), and all of them in the order they were said.

    What was said in the last ten seconds before the cursor is asked for once more. A round ends after 1000 pages;
    that something older was left out is told among the unmappable.
    """
    since = int(cursor)
    window: Window | None = Window(since=since - _OVERLAP, before=now)
    pages: list[Page] = []
    while window is not None and len(pages) < _MOST_PAGES:
        response = yield poll_request(thread, window, asker.headers)
        pages.append(read_page(response, thread, window, asker.own, received_at=now, fixed=asker.fixed))
        window = pages[-1].older
    pages.reverse()
    left_out = []
    if window is not None:
        told = {"conversation": thread.conversation_id, "from": window.since, "to": window.before}
        left_out = [(orjson.dumps(told), f"not read: there is more than {_MOST_PAGES} pages of it")]
    return Polled(
        inbound=[found for page in pages for found in page.inbound],
        unmappable=left_out + [found for page in pages for found in page.unmappable],
        cursor=str(max(since, *(page.watermark for page in pages))),
    )


def poll_request(thread: ThreadRef, window: Window, headers: Mapping[str, str]) -> Request:
    """GET api/v1/message/list: channelUuid or toRelationId, maxCreateAt (ms), limit. Newest first; members only."""
    channel_uuid, relation_id = destination(thread.channel, thread.conversation_id)
    where = {"channelUuid": channel_uuid} if channel_uuid else {"toRelationId": relation_id or ""}
    query = {**where, "maxCreateAt": str(window.before // 1000), "limit": str(window.limit)}
    return Request(method="GET", path=wire.LIST_PATH, headers=headers, query=query)


def read_page(
    response: Response, thread: ThreadRef, window: Window, own: str | None, *, received_at: int, fixed: bool
) -> Page:
    """What the answer to a `poll_request` holds: `data` is the list, or holds it as `list`.

    Raises:
        SendError: as for a message that is sent; OutcomeUnknown where there is no list.
    """
    data = read_answer(response, fixed=fixed)
    listed = data.get("list") if isinstance(data, dict) else data
    if not isinstance(listed, list):
        raise OutcomeUnknown("an answer without a list of messages", code=wire.OK)
    inbound: list[Inbound] = []
    unmappable: list[tuple[bytes, str]] = []
    times: list[int] = []
    for info in reversed(listed):
        at = _millis(info)
        times += [at] if at is not None else []
        if at is not None and at < window.since // 1000:
            continue
        try:
            inbound += _read(info, thread, own, received_at)
        except Unmappable as error:
            unmappable.append((orjson.dumps(info), str(error)))
    return Page(
        inbound=inbound,
        unmappable=unmappable,
        watermark=max(window.since, min(max(times, default=0) * 1000, received_at)),
        older=_older(window, times) if len(listed) >= window.limit else None,
    )


def _read(info: object, thread: ThreadRef, own: str | None, received_at: int) -> list[Inbound]:
    if not isinstance(info, dict):
        raise Unmappable("no MessageInfo")
    return read_message(info, own, raw=info, received_at=received_at, channel=thread.channel)


def _older(window: Window, times: Sequence[int]) -> Window | None:
    """The window before a full page.

    Whether maxCreateAt takes its own millisecond in is not documented. One more is asked for, so that nothing of the
    oldest millisecond is skipped; and always one less than before, so that it ends.
    """
    oldest = min(times, default=0)
    if oldest < window.since // 1000:
        return None
    before = min(oldest + 1, window.before // 1000 - 1) * 1000
    return Window(since=window.since, before=before, limit=window.limit) if before >= window.since else None


def _millis(info: Any) -> int | None:  # noqa: ANN401 - whatever stands in the list
    """When it was said, in milliseconds, where that can be read."""
    text = wire.identifier(info.get("createAt")) if isinstance(info, dict) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None  # noqa: PLR2004 - year 9999
