"""Polling RelationLabs: nothing missed, nothing out of order, and it ends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import NotSent, OutcomeUnknown, Rejected
from bridge.events import ThreadRef
from bridge.providers.port import Request
from bridge.providers.relationlabs.poller import Window
from bridge.testing.contract.provider import ACCOUNT, CREATED_AT, answer
from tests.contract.provider.relationlabs_cases import SAID
from tests.contract.provider.relationlabs_outbound import GROUP, RIVER
from tests.support.relationlabs_setup import Time, account, arrived, emulator, keyed, said_to

if TYPE_CHECKING:
    from bridge.providers.relationlabs.emulator import Emulator


def polled(gateway: Emulator, thread: ThreadRef, window: Window | None) -> list[Any]:
    """All pages from the newest on, as the engine's loop would read them."""
    provider = account()
    pages: list[Any] = []
    while window:
        response = gateway.handle(provider.poll_request(thread, window, None))
        pages.append(provider.read_page(response, thread, window, None, received_at=window.before))
        window = pages[-1].older
        assert len(pages) < 100, "it never ends"
    return pages


def in_order(pages: list[Any]) -> list[str]:
    return list(dict.fromkeys(found.event.text for page in reversed(pages) for found in page.inbound))


def test_a_poll_asks_for_a_channel_or_for_a_peer() -> None:
    window = Window(since=0, before=CREATED_AT, limit=20)
    asked = account().poll_request(ThreadRef(ACCOUNT, "relationlabs", "group", GROUP), window, None)
    assert asked == Request(
        method="GET",
        path="/api/v1/message/list",
        headers=next(account().send(said_to(), None)).headers,
        query={"channelUuid": GROUP, "maxCreateAt": "1760086900125", "limit": "20"},
    )
    asked = account().poll_request(ThreadRef(ACCOUNT, "relationlabs", "peer", RIVER), window, None)
    assert asked.query["toRelationId"] == RIVER
    assert "channelUuid" not in asked.query
    with pytest.raises(NotSent):
        keyed().poll_request(ThreadRef(ACCOUNT, "relationlabs", "peer", RIVER), window, None)


@given(gaps=st.lists(st.sampled_from([0, 0, 1, 500]), max_size=12), limit=st.integers(3, 5), known=st.integers(0, 12))
@settings(max_examples=40, deadline=None)
def test_polling_finds_everything_since_the_watermark_in_order(gaps: list[int], limit: int, known: int) -> None:
    gaps = [gap if place % 2 else gap or 1 for place, gap in enumerate(gaps)]  # at most two in one millisecond
    now = Time()
    gateway = emulator(now)
    times: list[int] = []
    thread = ThreadRef(ACCOUNT, "relationlabs", "peer", RIVER)
    for number, gap in enumerate(gaps):
        now.at += gap * 1000
        times.append(now.at // 1000 * 1000)
        thread = replace(
            thread, conversation_id=arrived(gateway.says("peer", RIVER, str(number))).conversation_id or ""
        )
    since = times[known] if known < len(times) else CREATED_AT // 1000 * 1000
    pages = polled(gateway, thread, Window(since=since, before=now.at, limit=limit))
    assert in_order(pages) == [str(number) for number, at in enumerate(times) if at >= since]
    assert pages[0].watermark == max([since, *times])
    assert all((found.channel, found.conversation_id) == ("peer", thread.conversation_id) for found in pages[0].inbound)


def read(data: Any, **changes: Any) -> Any:
    window = Window(since=1_760_086_800_000_000, before=CREATED_AT, **changes)
    thread = ThreadRef(ACCOUNT, "relationlabs", "group", GROUP)
    response = answer(200, {"code": "0", "data": data})
    return account().read_page(response, thread, window, None, received_at=CREATED_AT)


def test_a_page_is_the_data_or_its_list() -> None:
    assert read([SAID]) == read({"list": [SAID]})
    assert [found.key for found in read([SAID]).inbound] == [SAID["id"]]


def test_what_cannot_be_mapped_stands_beside_the_rest() -> None:
    broken = {**SAID, "id": "7", "content": 7}
    page = read([{**SAID, "id": "8"}, broken, "x", SAID, {**SAID, "type": "SYS"}])
    assert [found.key for found in page.inbound] == [SAID["id"], "8"]
    assert [orjson.loads(body) for body, _ in page.unmappable] == ["x", broken]
    assert all(reason for _, reason in page.unmappable)


def test_a_message_from_the_future_does_not_hide_those_of_today() -> None:
    page = read([{**SAID, "createAt": "253402300799999"}])
    assert len(page.inbound) == 1
    assert page.watermark == CREATED_AT


def test_a_full_page_without_times_ends() -> None:
    assert read([{}] * 3, limit=3).older is None


def test_a_page_that_is_no_page_is_an_error() -> None:
    bad: tuple[Any, ...] = (None, {}, {"list": {}}, "x")
    for data in bad:
        with pytest.raises(OutcomeUnknown):
            read(data)
    window = Window(since=0, before=CREATED_AT)
    thread = ThreadRef(ACCOUNT, "relationlabs", "group", GROUP)
    gateway = emulator()
    gateway.not_member.add(GROUP)
    with pytest.raises(Rejected) as refused:
        polled(gateway, thread, window)
    assert refused.value.code == "13108"
