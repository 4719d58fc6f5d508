"""What a store keeps of media: queued with their events, fetched once, forgotten, removed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from bridge.events import Contact, Media, Message, encode_event
from bridge.store.lifecycle import MediaState
from bridge.store.media import FetchEnd, FetchRetry, KeptMedium
from bridge.testing.contract.store.desk import AT, NOON, arrival
from bridge.testing.contract.store.suite import StoreSuite
from bridge.units import SECOND

if TYPE_CHECKING:
    from bridge.store.media import MediaRow
    from bridge.store.records import Arrival
    from bridge.testing.contract.store.desk import Desk

KEPT: Final = KeptMedium(sha256="ab" * 32, size=7, mime_type="image/png")
_LATER: Final = AT + 60 * SECOND


def photo(key: str, conversation: str = "ann", *, account: str = "shop", **changes: Any) -> Arrival:
    """A photo of a contact, to be fetched."""
    media = Media(url=f"https://gateway.example/{key}")
    event = Message(id=key, contact=Contact(id=conversation), at=NOON, kind="image", media=media)
    return arrival(
        key, conversation, account=account, event=event, encoded=encode_event(event), **{"fetches": True} | changes
    )


class MediaContract(StoreSuite):
    """Media and their events."""

    async def test_a_medium_is_queued_with_its_event_and_once(self, desk: Desk) -> None:
        await desk.receive(photo("1"), arrival("2"), photo("3", fetches=False))
        await desk.receive(photo("1"))
        (row,), coming = await desk.store.claim_media(AT, 10)
        assert coming is None
        assert (row.account, row.kind, row.url) == ("shop", "image", "https://gateway.example/1")
        assert (row.state, row.inbox_id, row.attempt) == (MediaState.WAITING, desk.told.events[0].id, 1)
        assert [word for word, _ in desk.told.log].count("fetchable") == 1
        assert await of_events(desk) == [row]

    async def test_a_medium_outlives_the_process_that_fetched_it(self, lasting_desk: Desk) -> None:
        await lasting_desk.receive(photo("1"))
        before = await lasting_desk.store.claim_media(AT, 10)
        await lasting_desk.reopen()
        assert await lasting_desk.store.claim_media(AT, 10) == before

    async def test_every_account_has_its_share_of_what_is_fetched(self, desk: Desk) -> None:
        await desk.receive(*(photo(f"{at}") for at in range(5)), photo("other", account="desk"))
        rows, _ = await desk.store.claim_media(AT, 2)
        assert sorted(row.account for row in rows) == ["desk", "shop", "shop"]

    async def test_a_fetch_that_failed_waits_for_its_time(self, desk: Desk) -> None:
        await desk.receive(photo("1"))
        (row,), _ = await desk.store.claim_media(AT, 10)
        await desk.store.retry_fetch(FetchRetry(media_id=row.id, attempt=2, available_at=_LATER, reason="busy"))
        assert await desk.store.claim_media(AT, 10) == ([], _LATER)
        (again,), _ = await desk.store.claim_media(_LATER, 10)
        assert (again.attempt, again.reason, again.state) == (2, "busy", MediaState.WAITING)

    async def test_a_fetch_ends_once_with_its_bytes_or_with_a_reason(self, desk: Desk) -> None:
        await desk.receive(photo("1"), photo("2"))
        (first, second), _ = await desk.store.claim_media(AT, 10)
        assert await desk.store.settle_fetch(FetchEnd(media_id=first.id, at=AT, kept=KEPT))
        assert await desk.store.settle_fetch(FetchEnd(media_id=second.id, at=AT, reason="the link is dead"))
        assert not await desk.store.settle_fetch(FetchEnd(media_id=first.id, at=AT, reason="late"))
        kept, failed = await of_events(desk)
        assert (kept.state, kept.sha256, kept.size, kept.mime_type) == (MediaState.KEPT, "ab" * 32, 7, "image/png")
        assert (failed.state, failed.reason, failed.sha256) == (MediaState.FAILED, "the link is dead", "")
        assert await desk.store.claim_media(AT, 10) == ([], None)

    async def test_media_are_forgotten_with_their_thread(self, desk: Desk) -> None:
        await desk.receive(photo("1"), photo("2"), photo("3", "bob"))
        rows, _ = await desk.store.claim_media(AT, 10)
        for row in rows[1:]:
            await desk.store.settle_fetch(FetchEnd(media_id=row.id, at=AT, kept=KEPT))
        thread_id = desk.told.events[0].thread_id
        assert await desk.store.forget_media(thread_id=thread_id) == 2
        assert await desk.store.forget_media(thread_id=thread_id) == 0
        forgotten = await desk.store.forgotten_media(10)
        assert [(row.id, row.sha256, row.url, is_shared) for row, is_shared in forgotten] == [
            (rows[0].id, "", "", False),
            (rows[1].id, KEPT.sha256, "", True),
        ]
        assert [row.state for row in await of_events(desk)] == [*[MediaState.FORGOTTEN] * 2, MediaState.KEPT]

    async def test_media_are_forgotten_by_their_age(self, desk: Desk) -> None:
        await desk.receive(photo("1"), photo("2", "bob"), photo("3", received_at=_LATER))
        thread_id = desk.told.events[0].thread_id
        assert await desk.store.forget_media(before=AT) == 0
        assert await desk.store.forget_media(before=AT + 1, thread_id=thread_id) == 1
        assert await desk.store.forget_media(before=AT + 1, limit=1) == 1
        assert await desk.store.forget_media(before=_LATER + 1) == 1

    async def test_bytes_that_no_other_medium_has_are_removed(self, desk: Desk) -> None:
        await desk.receive(photo("1"))
        (row,), _ = await desk.store.claim_media(AT, 10)
        await desk.store.settle_fetch(FetchEnd(media_id=row.id, at=AT, kept=KEPT))
        await desk.store.forget_media(before=_LATER)
        assert [is_shared for _, is_shared in await desk.store.forgotten_media(10)] == [False]
        await desk.store.remove_media(row.id)
        assert await desk.store.forgotten_media(10) == []
        (gone,) = await of_events(desk)
        assert (gone.state, gone.sha256) == (MediaState.REMOVED, "")

    async def test_a_medium_that_was_forgotten_while_it_was_fetched_leaves_no_bytes(self, desk: Desk) -> None:
        await desk.receive(photo("1"))
        (row,), _ = await desk.store.claim_media(AT, 10)
        await desk.store.forget_media(before=_LATER)
        assert not await desk.store.settle_fetch(FetchEnd(media_id=row.id, at=AT, kept=KEPT))
        ((left, is_shared),) = await desk.store.forgotten_media(10)
        assert (left.sha256, is_shared) == (KEPT.sha256, False)

    async def test_what_a_turn_says_of_our_own_is_kept_with_it(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        commit = await desk.commit_of(row, "look")
        await desk.store.commit_turn(replace(commit, media=[KEPT]))
        await desk.store.forget_media(thread_id=row.thread_id)
        ((ours, _),) = await desk.store.forgotten_media(10)
        assert (ours.inbox_id, ours.sha256, ours.kind, ours.queued_at) == (None, KEPT.sha256, "image", AT)


async def of_events(desk: Desk) -> list[MediaRow]:
    """The media of all events that were told of, by their ids."""
    found = await desk.store.media([row.id for row in desk.told.events])
    return sorted(found, key=lambda row: row.id)
