"""The Store port's promises about the way of one event: what names it, and what came of it."""

from __future__ import annotations

from dataclasses import replace

import orjson

from bridge.events import Contact, Echo, Timer, encode_event
from bridge.store.lifecycle import InboxState, Outcome
from bridge.store.records import TimerRow
from bridge.testing.contract.store.desk import AT, NOON, Desk, again, arrival, given_up, news, refused, riddle, sent
from bridge.testing.contract.store.suite import StoreSuite

_PLACE = "00112233445566ff"
"""The digest of a conversation."""


class TraceContract(StoreSuite):
    """Traces."""

    async def test_an_event_is_found_by_its_id_its_key_and_the_gateways_name(self, desk: Desk) -> None:
        first, second = await desk.hear(f"{_PLACE}/wamid.1:received", f"{_PLACE}/wamid.12")
        await desk.hear(f"{_PLACE}/wamid.12", account="other")
        for name in ("in-1", "wamid.1", f"{_PLACE}/wamid.1:received", "wamid.1:received"):
            assert await desk.store.find(name) == [f"in-{first.id}"]
        assert await desk.store.find("1") == ["in-1"]
        found = await desk.store.find("wamid.12")
        assert (found[1], len(found)) == (f"in-{second.id}", 2)  # accounts by name
        for name in ("wamid", "wamid.", "4711", "in-4711", "", "%", "9" * 30):
            assert await desk.store.find(name) == []

    async def test_a_message_is_found_by_its_id_its_key_and_the_gateways_name(self, desk: Desk) -> None:
        (message,) = await desk.said("a")
        await desk.store.settle_delivery(sent(message, "m-1"))
        for name in (f"out-{message.id}", f"{message.id}", message.key, "m-1"):
            assert await desk.store.find(name) == [f"out-{message.id}"]

    async def test_one_row_has_one_id_whatever_names_it(self, desk: Desk) -> None:
        await desk.hear("1")
        assert await desk.store.find("1") == ["in-1"]

    async def test_what_is_nothing_has_no_trace(self, desk: Desk) -> None:
        for name in ("in-4711", "out-4711", "x", "in-"):
            assert await desk.store.trace(name) is None

    async def test_a_turn_its_messages_and_their_tries_are_one_trace(self, desk: Desk) -> None:
        row, other = await desk.hear("1", "2")
        first, second = await desk.turn(row, "a", "b")
        await desk.turn(other, "c")
        exchange = orjson.dumps([{"method": "POST", "path": "/m", "status": 503}])
        await desk.store.retry_delivery(again(first, Outcome.NOT_SENT, exchange=exchange))
        await desk.store.settle_delivery(sent(replace(first, attempt=2), "m-1"))
        trace = await desk.store.trace(f"in-{row.id}")
        assert trace is not None
        assert trace.event is not None
        assert (trace.event.letter, trace.event.state, trace.event.key, trace.event.thread) == (
            f"in-{row.id}",
            "done",
            "1",
            "whatsapp:ann",
        )
        assert [message.id for message in trace.messages] == [first.id, second.id]
        tries = trace.messages[0].tries
        tried = [(one.attempt, one.outcome, one.reason) for one in tries]
        assert tried == [(1, "not sent", "not now"), (2, "sent", "")]
        assert tries[0].exchange == exchange
        assert (trace.messages[0].state, trace.messages[0].message_id) == ("sent", "m-1")
        assert trace.messages[1].tries == []
        assert await desk.store.trace(first.key) is None  # only an id has a trace
        assert await desk.store.trace(f"out-{first.id}") == trace

    async def test_a_turn_that_says_nothing_has_no_messages_of_the_next_one(self, desk: Desk) -> None:
        first, second = await desk.hear("1", "2")
        await desk.turn(first)
        commit = await desk.commit_of(second, "a")
        await desk.store.commit_turn(replace(commit, at=AT + 1))
        for row, count in ((first, 0), (second, 1)):
            trace = await desk.store.trace(f"in-{row.id}")
            assert trace is not None
            assert len(trace.messages) == count

    async def test_the_messages_of_a_batch_belong_to_each_of_its_events(self, desk: Desk) -> None:
        older, newest = await desk.hear("1", "2")
        commit = await desk.commit_of(newest, "a")
        await desk.store.commit_turn(replace(commit, others=[older]))
        for row in (older, newest):
            trace = await desk.store.trace(f"in-{row.id}")
            assert trace is not None
            assert [message.key for message in trace.messages] == ["key-a"]

    async def test_more_messages_than_a_page_are_all_in_the_trace(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        await desk.turn(row, *map(str, range(230)))
        trace = await desk.store.trace(f"in-{row.id}")
        assert trace is not None
        assert [message.key for message in trace.messages] == [f"key-{number}" for number in range(230)]

    async def test_news_of_its_messages_belongs_to_a_trace_and_other_news_does_not(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        first, second = await desk.turn(row, "a", "b")
        await desk.store.settle_delivery(sent(first, "m-1"))
        (later,) = await desk.hear("2")
        (other,) = await desk.turn(later, "c")
        for message, name in ((second, "m-2"), (other, "m-3")):
            await desk.store.settle_delivery(sent(message, name))
        echo = Echo(id="m-2", contact=Contact(id="ann"), at=NOON, text="b")
        await desk.receive(
            news("m-1", "delivered", key="s-1"),
            news("m-3", "read", key="s-2"),
            news(first.key, "read", key="s-3"),
            arrival("e", event=echo, encoded=encode_event(echo), state=InboxState.DONE),
        )
        trace = await desk.store.trace(f"in-{row.id}")
        assert trace is not None
        assert [event.key for event in trace.later] == ["s-1", "s-3", "e"]
        assert trace.messages[0].status == "read"

    async def test_timers_that_a_turn_set_belong_to_its_trace(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        commit = await desk.commit_of(row)
        timers = [TimerRow(due_at=AT + 5, name="soon"), TimerRow(due_at=AT + 9, name="late")]
        await desk.store.commit_turn(replace(commit, timers=timers))
        await desk.store.fire_timers(AT + 7, 10)
        (fired,) = [event for event in desk.told.events if isinstance(event.event, Timer)]
        trace = await desk.store.trace(f"in-{row.id}")
        assert trace is not None
        assert [(timer.name, timer.state) for timer in trace.timers] == [("soon", "due"), ("late", "waiting")]
        assert [event.id for event in trace.later] == [fired.id]

    async def test_all_events_and_messages_of_a_thread_are_read_page_by_page(self, desk: Desk) -> None:
        rows = await desk.hear("1", "2", "3")
        await desk.turn(rows[0], "a", "b")
        await desk.hear("4", conversation="bob")
        events = await desk.store.recorded(rows[0].thread_id)
        assert [(event.key, event.state) for event in events] == [("1", "done"), ("2", "open"), ("3", "open")]
        assert orjson.loads(events[0].raw) == {"id": "1", "text": "1"}
        assert await desk.store.recorded(rows[0].thread_id, after=events[0].id, limit=1) == events[1:2]
        messages = await desk.store.spoken(rows[0].thread_id)
        assert [(message.key, message.event_id) for message in messages] == [
            ("key-a", rows[0].id),
            ("key-b", rows[0].id),
        ]
        assert await desk.store.spoken(rows[0].thread_id, after=messages[0].id) == messages[1:]

    async def test_a_dead_event_tells_why_and_where(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        await desk.store.settle_turn(replace(given_up(row, "it raised"), trace="bot.py:7"))
        trace = await desk.store.trace(f"in-{row.id}")
        assert trace is not None
        assert trace.event is not None
        assert (trace.event.state, trace.event.reason, trace.event.trace) == ("dead", "it raised", "bot.py:7")
        assert trace.messages == []

    async def test_what_is_in_quarantine_has_a_trace_without_a_thread(self, desk: Desk) -> None:
        await desk.receive(riddle("q"))
        (letter,) = await desk.store.dead_letters()
        trace = await desk.store.trace(letter.id)
        assert trace is not None
        assert trace.event is not None
        assert (trace.event.thread_id, trace.event.thread, trace.event.values) == (None, "", {})

    async def test_a_refused_message_keeps_the_reason_of_its_plan(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        commit = await desk.commit_of(row, "a")
        (one,) = commit.sayings
        await desk.store.commit_turn(replace(commit, sayings=[replace(one, given_up=["no buttons"])]))
        (message,) = await desk.messages(row.thread_id)
        await desk.store.settle_delivery(refused(message, "HTTP 400"))
        trace = await desk.store.trace(f"out-{message.id}")
        assert trace is not None
        assert list(trace.messages[0].given_up) == ["no buttons"]
        assert (trace.messages[0].state, trace.messages[0].reason) == ("dead", "HTTP 400")
