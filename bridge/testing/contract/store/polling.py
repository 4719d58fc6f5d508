"""What a store keeps for those who ask the provider: how far they read, and which messages nobody told of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.store.lifecycle import Outcome
from bridge.testing.contract.store.desk import AT, again, news, refused, sent
from bridge.testing.contract.store.suite import StoreSuite
from bridge.units import SECOND

if TYPE_CHECKING:
    from bridge.testing.contract.store.desk import Desk


class PollingContract(StoreSuite):
    """Cursors, secrets and messages without news."""

    async def test_a_cursor_is_kept_by_account_and_name(self, lasting_desk: Desk) -> None:
        store = lasting_desk.store
        assert await store.cursor("shop", "a") is None
        for account, name, value in (("shop", "a", "1"), ("shop", "a", "2"), ("shop", "b", "3"), ("desk", "a", "4")):
            await store.advance(account, name, value)
        await lasting_desk.reopen()
        store = lasting_desk.store
        assert [await store.cursor("shop", "a"), await store.cursor("shop", "b"), await store.cursor("desk", "a")] == [
            "2",
            "3",
            "4",
        ]

    async def test_a_secret_is_kept_by_account_and_name_and_the_first_one_stays(self, lasting_desk: Desk) -> None:
        store = lasting_desk.store
        assert await store.secret("", "a") is None
        assert await store.keep_secret("", "a", "1") == "1"
        assert await store.keep_secret("", "a", "2") == "1"
        assert await store.keep_secret("shop", "a", "3") == "3"
        assert await store.cursor("shop", "a") is None
        await store.advance("shop", "a", "4")
        for value in ("5", "6"):
            await store.renew_secret("shop", "renewed", value)
        assert await store.secret("shop", "renewed") == "6"
        await lasting_desk.reopen()
        store = lasting_desk.store
        assert (await store.secret("", "a"), await store.secret("shop", "a"), await store.secret("", "b")) == (
            "1",
            "3",
            None,
        )

    async def test_unconfirmed_are_messages_sent_under_an_id_and_not_known_to_be_delivered(self, desk: Desk) -> None:
        fates = ("", "sent", "delivered", "read", "failed")
        rows = [(await desk.said("hi", conversation=f"c{number}"))[0] for number in range(len(fates) + 4)]
        for row, fate in zip(rows, fates, strict=False):
            await desk.store.settle_delivery(sent(row, f"id-{row.id}"))
            if fate:
                await desk.receive(news(f"id-{row.id}", fate))  # type: ignore[arg-type] # one of StatusValue
        await desk.store.settle_delivery(sent(rows[5]))  # without an id
        await desk.store.settle_delivery(refused(rows[6]))
        (other,) = await desk.said("hi", account="desk")
        await desk.store.settle_delivery(sent(other, "id-other"))

        async def found(*, since: int = AT, after: int = 0, limit: int = 10) -> list[tuple[int, str, str]]:
            listed = await desk.store.unconfirmed("shop", since=since, after=after, limit=limit)
            return [(each.row_id, each.message_id, each.status) for each in listed]

        first, second = (rows[0].id, f"id-{rows[0].id}", ""), (rows[1].id, f"id-{rows[1].id}", "sent")
        assert await found() == [first, second]
        assert await found(limit=1) == [first]
        assert await found(after=first[0]) == [second]
        assert await found(since=AT + SECOND) == []
        (only,) = await desk.store.unconfirmed("desk", since=0, after=0, limit=1)
        assert only.ref == other.ref

    async def test_a_thread_says_why_what_waits_in_it_did_not_go_through(self, desk: Desk) -> None:
        (row,) = await desk.said("hi")
        assert [each.reason for each in await desk.store.threads()] == [""]
        await desk.store.retry_delivery(again(row, Outcome.NOT_SENT))
        assert [each.reason for each in await desk.store.threads()] == ["not now"]
        await desk.store.settle_delivery(sent(row, "1"))
        assert [each.reason for each in await desk.store.threads()] == [""]
