"""The Store port's promises about messages: each journey ends once, and news of it never goes backwards."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING, Final

import pytest

from bridge.errors import ClaimLost
from bridge.store.lifecycle import STATUS_RANK, InboxState, OutboxState, Outcome
from bridge.testing.contract.store.desk import AT, Desk, again, news, ref_of, refused, sent
from bridge.testing.contract.store.suite import StoreSuite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.events import StatusValue
    from bridge.store.records import OutboxRow


SETTLED: Final = "settled"


KEY, ID = "by our key", "by the provider's id"


STORIES: Final[tuple[tuple[tuple[str, StatusValue], ...], ...]] = (
    ((SETTLED, "sent"), (KEY, "sent"), (ID, "delivered"), (ID, "read")),
    ((SETTLED, "sent"), (ID, "failed"), (KEY, "delivered")),
    ((SETTLED, "delivered"), (KEY, "sent"), (ID, "sent")),
    ((SETTLED, "failed"), (KEY, "delivered"), (ID, "sent")),
    ((SETTLED, "read"), (ID, "read"), (KEY, "read")),
)
"""What is heard of one message, in any order."""


class DeliveryContract(StoreSuite):
    """Messages and news of them."""

    # The journey

    @pytest.mark.parametrize("state", [OutboxState.SENT, OutboxState.DEAD, OutboxState.EXPIRED])
    async def test_the_end_of_a_journey_frees_the_next(self, desk: Desk, state: OutboxState) -> None:
        first, second, third = await desk.said("a", "b", "c")
        await desk.store.settle_delivery(sent(first, "m-1", state=state))
        assert await desk.messages(first.thread_id) == [replace(second, attempt=1), third]
        assert await desk.fate(first) == (state, "")

    async def test_a_message_refused_is_a_dead_letter_with_its_reason(self, desk: Desk) -> None:
        (row,) = await desk.said("a")
        await desk.store.settle_delivery(refused(row, "no such number"))
        (letter,) = await desk.store.dead_letters()
        assert (letter.kind, letter.reason, letter.thread, letter.attempt) == (
            "text",
            "no such number",
            "whatsapp:ann",
            1,
        )
        assert (await desk.store.counts())["dead_messages"] == 1

    async def test_a_journey_ends_once_and_its_second_end_costs_the_next_no_attempt(self, desk: Desk) -> None:
        first, second = await desk.said("a", "b")
        await desk.store.settle_delivery(sent(first, "m-1"))
        await desk.store.settle_delivery(refused(first))
        assert await desk.fate(first) == ("sent", "")
        assert await desk.messages(first.thread_id) == [replace(second, attempt=1)]
        with pytest.raises(ClaimLost):
            await desk.store.retry_delivery(again(first, Outcome.UNKNOWN))
        assert await desk.store.dead_letters() == []

    async def test_a_message_that_is_tried_again_keeps_its_place(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        first, second = await desk.said("a", "b")
        await desk.store.retry_delivery(again(first, Outcome.NOT_SENT, exchange=b"{}"))
        await desk.reopen()
        waiting = replace(first, attempt=2, available_at=AT + 1_000_000, tried_at=AT)
        assert await desk.messages(first.thread_id) == [waiting, second]
        assert await desk.store.outbox_heads(0, 10) == [waiting]

    async def test_a_message_about_to_be_sent_at_most_once_is_noted_durably(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        (row,) = await desk.said("a")
        await desk.store.claim_delivery(row.id, AT)
        await desk.reopen()
        assert await desk.messages(row.thread_id) == [replace(row, claimed=True)]

    async def test_heads_are_those_of_one_account_and_paged_by_a_cursor(self, desk: Desk) -> None:
        for number in range(12):
            for account in ("shop", "other"):
                await desk.said("a", "b", conversation=f"c{number}", account=account)
        found: list[OutboxRow] = []
        while page := await desk.store.outbox_heads(found[-1].seq if found else 0, 5, "shop"):
            found += page
        assert [row.ref for row in found] == [ref_of(f"c{number}") for number in range(12)]
        assert all(row.attempt == 1 for row in found)
        assert len(await desk.store.outbox_heads(0, 100)) == 24

    # News

    @pytest.mark.parametrize("story", STORIES)
    async def test_news_of_a_message_ends_in_the_same_row_in_whatever_order_it_comes(
        self, desk: Desk, story: Sequence[tuple[str, StatusValue]]
    ) -> None:
        highest = max((value for _, value in story), key=STATUS_RANK.__getitem__)
        for number, order in enumerate(permutations(story)):
            row, following = await desk.said("a", "b", conversation=f"c{number}")
            for how, value in order:
                if how == SETTLED:
                    await desk.store.settle_delivery(sent(row, f"m-{number}", status=value))
                else:
                    await desk.receive(news(row.key if how == KEY else f"m-{number}", value))
            assert await desk.fate(row) == ("sent", highest), order
            assert await desk.messages(row.thread_id) == [replace(following, attempt=1)], order

    async def test_news_that_came_before_its_message_is_known_is_joined(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        await desk.receive(news("m-1", "read"))
        await desk.receive(news("m-1", "delivered"))
        (row,) = await desk.said("a")
        await desk.reopen()
        await desk.store.settle_delivery(sent(row, "m-1", status="sent"))
        assert await desk.fate(row) == ("sent", "read")

    async def test_news_of_another_account_is_not_joined(self, desk: Desk) -> None:
        (row,) = await desk.said("a")
        await desk.receive(news("m-1", "read", account="other"), news(row.key, "read", account="other"))
        await desk.store.settle_delivery(sent(row, "m-1"))
        await desk.receive(news("m-1", "read", account="other"))
        assert await desk.fate(row) == ("sent", "")

    async def test_news_goes_to_the_message_of_its_own_conversation_where_two_have_one_id(self, desk: Desk) -> None:
        rows = [(await desk.said("a", conversation=name))[0] for name in ("ann", "bob")]
        for row in rows:
            await desk.store.settle_delivery(sent(row, "42"))
        await desk.receive(news("42", "read", ref=ref_of("bob")))
        assert [await desk.fate(row) for row in rows] == [("sent", ""), ("sent", "read")]

    @pytest.mark.parametrize("early", [False, True])
    async def test_news_that_a_rule_waits_for_gets_its_turn_in_the_thread_of_the_message(
        self, desk: Desk, *, early: bool
    ) -> None:
        (row,) = await desk.said("a")
        wanted = news("m-1", "read", state=InboxState.OPEN)
        desk.told.events.clear()
        if early:
            await desk.receive(wanted)
            assert desk.told.events == []
        await desk.store.settle_delivery(sent(row, "m-1"))
        if not early:
            await desk.receive(wanted)
        (told,) = desk.told.events
        assert (told.thread_id, told.ref, told.event, told.attempt) == (row.thread_id, row.ref, wanted.event, 1)
        assert await desk.events(row.thread_id) == [told]
        await desk.turn(told)
        assert await desk.events(row.thread_id) == []

    async def test_news_that_a_rule_waits_for_stands_behind_what_is_in_its_thread(self, desk: Desk) -> None:
        (row,) = await desk.said("a")
        await desk.receive(news("m-1", "read", state=InboxState.OPEN))
        (before,) = await desk.hear("before")
        await desk.store.settle_delivery(sent(row, "m-1"))
        first, second = await desk.events(row.thread_id)
        assert (first, second.attempt, second.event.tag) == (before, 0, "status")

    async def test_the_same_news_twice_is_one_event(self, desk: Desk) -> None:
        (row,) = await desk.said("a")
        await desk.store.settle_delivery(sent(row, "m-1"))
        desk.told.events.clear()
        for _ in range(2):
            await desk.receive(news("m-1", "read", key="n-1", state=InboxState.OPEN))
        assert len(desk.told.events) == 1

    # An unknown outcome

    @pytest.mark.parametrize("value", ["sent", "delivered", "read"])
    async def test_an_unknown_outcome_is_resolved_by_good_news(self, desk: Desk, value: StatusValue) -> None:
        first, second = await desk.said("a", "b")
        await desk.store.retry_delivery(again(first, Outcome.UNKNOWN))
        await desk.receive(news(first.key, value))
        assert desk.told.settled == [first.id]
        assert await desk.fate(first) == ("sent", value)
        assert await desk.messages(first.thread_id) == [replace(second, attempt=1)]

    @pytest.mark.parametrize(("outcome", "value"), [(Outcome.UNKNOWN, "failed"), (Outcome.NOT_SENT, "delivered")])
    async def test_other_outcomes_and_other_news_resolve_nothing(
        self, desk: Desk, outcome: Outcome, value: StatusValue
    ) -> None:
        (row,) = await desk.said("a")
        await desk.store.retry_delivery(again(row, outcome))
        await desk.receive(news(row.key, value))
        assert desk.told.settled == []
        assert await desk.fate(row) == ("open", value)

    @pytest.mark.parametrize("value", ["sent", "delivered", "read"])
    async def test_a_dead_letter_of_unknown_outcome_is_resolved_by_good_news(
        self, desk: Desk, value: StatusValue
    ) -> None:
        """It is no dead letter any more, so nobody replays it; its thread had gone on before."""
        first, second = await desk.said("a", "b")
        await desk.store.settle_delivery(sent(first, state=OutboxState.DEAD, outcome=Outcome.UNKNOWN, reason="parked"))
        await desk.receive(news(first.key, value))
        assert await desk.fate(first) == ("sent", value)
        assert await desk.store.dead_letters() == []
        assert not await desk.store.replay(f"out-{first.id}", AT)
        assert await desk.messages(first.thread_id) == [replace(second, attempt=1)]

    async def test_a_message_resolved_while_it_was_sent_again_is_still_found_by_the_providers_id(
        self, desk: Desk
    ) -> None:
        first, second = await desk.said("a", "b")
        await desk.store.retry_delivery(again(first, Outcome.UNKNOWN))
        await desk.receive(news("m-1", "read"))
        await desk.receive(news(first.key, "sent"))
        await desk.store.settle_delivery(sent(first, "m-1", status="sent"))
        assert await desk.fate(first) == ("sent", "read")
        assert await desk.messages(first.thread_id) == [replace(second, attempt=1)]
        await desk.receive(news("m-1", "failed"))
        assert await desk.fate(first) == ("sent", "failed")
