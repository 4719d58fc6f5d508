"""What followers are told: in the transaction of the facts, and in the order of each thread."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from bridge.errors import ClaimLost
from bridge.events import Contact, Echo, Merged, Status, encode_event
from bridge.messages import Raw
from bridge.planning.plan import Bar
from bridge.store.following import TYPES, Followers, account_of, beside
from bridge.store.lifecycle import InboxState, OutboxState, Outcome
from bridge.store.looks import ThreadSearch
from bridge.store.retention import Sweep
from bridge.testing.contract.store.desk import (
    AT,
    NOON,
    again,
    arrival,
    given_up,
    news,
    ref_of,
    refused,
    riddle,
    saying,
    sent,
)
from bridge.testing.contract.store.suite import StoreSuite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.store.records import OutboxRow
    from bridge.testing.contract.store.desk import Desk

CRM: Final = account_of("crm")
AUDIT: Final = account_of("audit")
_ALL: Final = frozenset(TYPES)


def follow(desk: Desk, **types: Sequence[str]) -> None:
    """Let followers be told, each by its name of its types; without any one of all."""
    told = {account_of(name): frozenset(kinds) for name, kinds in types.items()}
    desk.store.follow(Followers(told or {CRM: _ALL}))


def rows_of(desk: Desk, account: str = CRM) -> list[OutboxRow]:
    """What a follower was told of, as the engine has it."""
    return [row for row in desk.told.messages if row.ref.account == account]


def payloads(desk: Desk, account: str = CRM) -> list[Mapping[str, Any]]:
    """What it was told."""
    return [row.message.payload for row in rows_of(desk, account) if isinstance(row.message, Raw)]


def types(desk: Desk, account: str = CRM) -> list[str]:
    """The types of that."""
    return [payload["type"] for payload in payloads(desk, account)]


async def said(desk: Desk, *texts: str, **at: str) -> list[OutboxRow]:
    """Messages of a turn, without those to followers."""
    return [row for row in await desk.said(*texts, **at) if row.ref.account == "shop"]


class FollowingContract(StoreSuite):
    """Outgoing events."""

    async def test_without_followers_nothing_is_told(self, desk: Desk) -> None:
        (row,) = await said(desk, "a")
        await desk.store.settle_delivery(sent(row))
        assert desk.told.messages == [row]

    async def test_a_message_and_its_answer_are_told_in_their_order(self, desk: Desk) -> None:
        follow(desk)
        (event,) = await desk.hear("1")
        row, *_ = await desk.turn(event, "hello")
        await desk.store.settle_delivery(sent(row, "m-1"))
        await desk.receive(news("m-1", "delivered"))
        await desk.receive(news("m-1", "read"), news("m-1", "delivered", key="late"))
        assert types(desk) == ["message.received", "message.sent", "message.delivered", "message.read"]
        received, left, *_, read = payloads(desk)
        thread = {
            "id": str(event.thread_id),
            "account": "shop",
            "provider": "konnek",
            "channel": "whatsapp",
            "conversation": "ann",
            "contact_id": None,
        }
        assert [payload["data"]["thread"] for payload in (received, left, read)] == [thread] * 3
        assert received["data"]["message"]["content"]["text"] == "1"
        assert received["timestamp"] == NOON.isoformat()
        assert left["data"]["message"] == {
            "id": row.key,
            "direction": "out",
            "kind": "text",
            "state": "sent",
            "status": None,
            "at": NOON.isoformat(),
            "content": {"kind": "text", "text": "hello"},
        }
        assert read["data"]["message"]["status"] == "read"

    async def test_what_is_told_waits_as_messages_do_beside_those_of_its_thread(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        follow(desk)
        (event,) = await desk.hear("1")
        await desk.hear("2")
        await desk.hear("3", conversation="bob")
        first, second, third = rows_of(desk)
        assert first.ref == second.ref == beside(CRM, event.ref) != third.ref
        assert [first.attempt, second.attempt, third.attempt] == [1, 0, 1]
        assert len({row.key for row in rows_of(desk)}) == 3
        await desk.reopen()
        assert await desk.store.outbox_heads(0, 10, CRM) == [first, third]
        await desk.store.retry_delivery(again(first, Outcome.NOT_SENT))
        await desk.store.settle_delivery(sent(first))
        assert await desk.messages(first.thread_id) == [replace(second, attempt=1)]
        assert rows_of(desk) == []

    async def test_followers_are_told_of_what_they_asked_for_each_by_itself(self, desk: Desk) -> None:
        follow(desk, crm=["message.sent"], audit=["message.received", "message.sent"])
        (row,) = await said(desk, "a")
        await desk.store.settle_delivery(sent(row))
        assert types(desk) == ["message.sent"]
        assert types(desk, AUDIT) == ["message.received", "message.sent"]
        assert len({told.thread_id for told in (*rows_of(desk), *rows_of(desk, AUDIT))}) == 2

    async def test_what_was_not_committed_is_not_told(self, desk: Desk) -> None:
        follow(desk)
        (event,) = await desk.hear("1")
        row, *_ = await desk.turn(event, "a")
        count = len(rows_of(desk))
        with pytest.raises(ClaimLost):
            await desk.turn(event, "a")
        await desk.receive(arrival("1"))
        await desk.store.settle_delivery(sent(row))
        await desk.store.settle_delivery(sent(row))
        assert len(rows_of(desk)) == count + 1

    async def test_a_message_that_is_refused_given_up_or_dropped_failed_and_is_a_dead_letter(self, desk: Desk) -> None:
        follow(desk)
        first, second = await said(desk, "a", "b")
        await desk.store.settle_delivery(refused(first, "no such number"))
        await desk.store.settle_delivery(sent(second, state=OutboxState.EXPIRED, outcome=None, reason="too late"))
        (event,) = await desk.hear("2")
        await desk.turn(event, saying("c", dropped="opted out", bar=Bar.CONSENT))
        failed = [payload for payload in payloads(desk) if payload["type"] == "message.failed"]
        assert [payload["data"]["reason"] for payload in failed] == ["no such number", "too late", "opted out"]
        assert [payload["data"]["message"]["state"] for payload in failed] == ["dead", "expired", "dead"]
        letters = [payload["data"]["letter"] for payload in payloads(desk) if "letter" in payload["data"]]
        assert [letter["reason"] for letter in letters] == ["no such number", "opted out"]
        assert {letter["id"] for letter in letters} == {letter.id for letter in await desk.store.dead_letters()}

    async def test_news_of_a_failure_has_its_reason(self, desk: Desk) -> None:
        follow(desk)
        (row,) = await said(desk, "a")
        await desk.store.settle_delivery(sent(row, "m-1"))
        failure = Status(id="f", contact=Contact(id="ann"), at=NOON, message_id="m-1", value="failed", error="blocked")
        await desk.receive(news("m-1", "failed", event=failure, encoded=encode_event(failure)))
        assert types(desk)[-1] == "message.failed"
        assert payloads(desk)[-1]["data"]["reason"] == "blocked"

    async def test_news_that_comes_before_its_message_is_told_behind_it(self, desk: Desk) -> None:
        follow(desk)
        (row,) = await said(desk, "a")
        await desk.receive(news("m-1", "read"))
        assert types(desk) == ["message.received"]
        await desk.store.settle_delivery(sent(row, "m-1"))
        assert types(desk) == ["message.received", "message.sent", "message.read"]

    async def test_a_message_without_an_answer_is_told_sent_when_a_status_proves_it(self, desk: Desk) -> None:
        follow(desk)
        (row,) = await said(desk, "a")
        await desk.store.retry_delivery(again(row, Outcome.UNKNOWN))
        await desk.receive(news(row.key, "delivered"))
        await desk.store.settle_delivery(sent(row, "m-1"))
        assert types(desk) == ["message.received", "message.sent", "message.delivered"]

    async def test_an_event_that_is_given_up_is_told_as_a_dead_letter(self, desk: Desk) -> None:
        follow(desk)
        (event,) = await desk.hear("1")
        await desk.store.settle_turn(given_up(event, "boom"))
        (other,) = await desk.hear("2")
        await desk.store.commit_turn(replace(await desk.commit_of(other), dead="bang"))
        letters = [payload["data"]["letter"] for payload in payloads(desk) if payload["type"] == "dead_letter.created"]
        assert [(letter["id"], letter["reason"]) for letter in letters] == [
            (f"in-{event.id}", "boom"),
            (f"in-{other.id}", "bang"),
        ]
        assert await desk.store.replay(f"in-{event.id}", AT)
        assert types(desk).count("message.received") == 2

    async def test_who_has_a_thread_is_told_when_that_changes(self, desk: Desk) -> None:
        follow(desk)
        for key, was_held, note in (("1", False, "help"), ("2", True, "help"), ("3", True, None), ("4", False, None)):
            (event,) = await desk.hear(key)
            await desk.store.commit_turn(replace(await desk.commit_of(event, note=note), was_held=was_held))
        told = [payload for payload in payloads(desk) if payload["type"].startswith("thread.")]
        assert [payload["type"] for payload in told] == ["thread.handed_off", "thread.returned"]
        assert told[0]["data"]["note"] == "help"

    async def test_consent_and_people_are_told(self, desk: Desk) -> None:
        follow(desk)
        for key, out in (("1", True), ("2", False)):
            (event,) = await desk.hear(key)
            await desk.store.commit_turn(replace(await desk.commit_of(event), opts_out=out))
        merged = Merged(id="by hand:people", contact=Contact(id="ann"), at=NOON, person=7, other=8)
        await desk.receive(arrival("by hand:people", event=merged, encoded=encode_event(merged)))
        await desk.store.commit_turn(await desk.commit_of(desk.told.events[-1]))
        told = [payload for payload in payloads(desk) if payload["type"].startswith("contact.")]
        assert [payload["type"] for payload in told] == ["contact.opted_out", "contact.opted_in", "contact.merged"]
        assert (told[-1]["data"]["contact_id"], told[-1]["data"]["other_id"]) == ("7", "8")

    async def test_what_a_person_writes_at_the_gateway_is_told_and_an_echo_of_ours_is_not(self, desk: Desk) -> None:
        follow(desk)
        for key, human in (("1", True), ("2", False)):
            echo = Echo(id=key, contact=Contact(id="ann"), at=NOON, text=key, human=human)
            state = InboxState.OPEN if human else InboxState.DONE
            await desk.receive(arrival(key, event=echo, encoded=encode_event(echo), state=state))
        assert types(desk) == ["message.echoed"]

    async def test_what_was_in_quarantine_is_told_once_it_is_understood(self, desk: Desk) -> None:
        follow(desk)
        await desk.receive(riddle("1"))
        assert rows_of(desk) == []
        (letter,) = await desk.store.dead_letters()
        assert await desk.store.replay(letter.id, AT, [arrival("2")])
        assert types(desk) == ["message.received"]

    async def test_what_a_follower_does_not_take_is_a_dead_letter_and_no_news(self, desk: Desk) -> None:
        follow(desk)
        await desk.hear("1")
        (row,) = rows_of(desk)
        await desk.store.settle_delivery(refused(row, "given up"))
        (letter,) = await desk.store.dead_letters(account=CRM)
        assert letter.reason == "given up"
        assert len(rows_of(desk)) == 1
        assert await desk.store.replay(letter.id, AT)
        assert [told.key for told in rows_of(desk)] == [row.key, row.key]
        (summary,) = [each for each in await desk.store.accounts() if each.account == CRM]
        assert (summary.open_messages, summary.dead) == (1, 0)

    async def test_the_threads_of_followers_are_in_no_list_of_conversations(self, desk: Desk) -> None:
        follow(desk)
        (event,) = await desk.hear("1")
        await desk.hear("2", conversation="bob")
        await desk.store.settle_delivery(refused(rows_of(desk)[0]))
        threads = {row.id for row in await desk.store.threads()}
        assert len(threads) == 2
        assert event.thread_id in threads
        for search, found in (
            (ThreadSearch(), threads),
            (ThreadSearch(waits=True), threads),
            (ThreadSearch(dead=True), set()),
        ):
            assert {row.id for row in (await desk.store.search_threads(search)).threads} == found

    @pytest.mark.parametrize("limit", [1, 100])
    async def test_an_erasure_takes_along_what_followers_were_told(self, desk: Desk, limit: int) -> None:
        follow(desk, crm=TYPES, audit=TYPES)
        (event,) = await desk.hear("1")
        await desk.hear("2")
        await desk.hear("3", conversation="bob")
        first, *_ = rows_of(desk)
        await desk.store.settle_delivery(sent(first))
        told = 0
        while (part := await desk.store.erase(event.thread_id, AT, limit=limit)).more:
            told += part.rows.get("outgoing events", 0)
        assert told == 4
        assert await desk.store.find_thread(ref_of("ann")) is None
        for account in (CRM, AUDIT):
            assert await desk.store.find_thread(beside(account, ref_of("ann"))) is None
            (left,) = await desk.store.outbox_heads(0, 10, account)
            assert left.ref == beside(account, ref_of("bob"))

    async def test_an_erasure_leaves_a_conversation_that_is_named_like_what_followers_are_told(
        self, desk: Desk
    ) -> None:
        (event,) = await desk.hear("1")
        (other,) = await desk.hear("2", conversation=beside(CRM, event.ref).conversation_id)
        assert not (await desk.store.erase(event.thread_id, AT)).more
        assert await desk.events(other.thread_id) == [other]

    async def test_what_was_taken_is_removed_by_its_age_and_messages_are_not(self, desk: Desk) -> None:
        follow(desk)
        (row,) = await said(desk, "a")
        await desk.store.settle_delivery(sent(row))
        for told in rows_of(desk)[:1]:
            await desk.store.settle_delivery(sent(told))
        assert (await desk.store.sweep(Sweep.OUTGOING_EVENTS, AT)).rows == 0
        assert (await desk.store.sweep(Sweep.OUTGOING_EVENTS, AT + 1)).rows == 1
        assert await desk.states(row.thread_id) == ["in done", "out sent"]
        assert len(await desk.messages(rows_of(desk)[0].thread_id)) == 1

    async def test_numbers_of_several_stores_are_told_with_their_account(self, desk: Desk) -> None:
        desk.store.follow(Followers({CRM: _ALL}, qualified=True))
        (event,) = await desk.hear("1")
        assert payloads(desk)[0]["data"]["thread"]["id"] == f"shop:{event.thread_id}"
