"""Followers beside the API: their own threads are no conversations, and their dead letters are like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from bridge.engine.handoff import Handoffs
from bridge.store.following import beside
from bridge.testing.contract.store.desk import refused
from tests.support.api_program import SECRET, Program, program

if TYPE_CHECKING:
    from bridge.store.records import OutboxRow

__all__ = ["program"]

CRM = ":events:crm"


@pytest.fixture
def sections() -> dict[str, Any]:
    nowhere = {"url": "http://127.0.0.1:1/hook", "secret": SecretStr(f"whsec_{'A' * 32}"), "name": "crm"}
    return {"events": {"webhooks": [nowhere]}}


async def waiting(program: Program) -> OutboxRow:
    """What the follower, which is away, is to be told first."""
    await program.hears("hello")
    (row,) = await program.bridge.store.outbox_heads(0, 10, CRM)
    return row


async def test_the_thread_of_a_follower_is_no_conversation(program: Program) -> None:
    row = await waiting(program)
    (thread,) = (await program.get("/threads"))["items"]
    assert row.ref == beside(CRM, (await program.bridge.store.thread(int(thread["id"]))).ref)
    for method, path in (("GET", ""), ("GET", "/messages"), ("POST", "/handoff"), ("POST", "/return")):
        body: dict[str, str] | None = {} if method == "POST" else None
        assert await program.problem(method, f"/threads/{row.thread_id}{path}", body) == 404
    handoffs = Handoffs(program.bridge.store, program.clock)
    assert not await handoffs.hand_off(row.thread_id, "mine")
    assert await handoffs.hand_off(int(thread["id"]), "mine")


async def test_what_a_follower_did_not_take_is_a_dead_letter_that_is_replayed_and_dropped(program: Program) -> None:
    row = await waiting(program)
    await program.bridge.store.settle_delivery(refused(row, "given up"))
    (letter,) = (await program.get("/dead-letters"))["items"]
    assert (letter["account"], letter["reason"]) == (CRM, "given up")
    whole = await program.get(f"/dead-letters/{letter['id']}")
    assert whole["content"]["payload"]["type"] == "message.received"
    program.secret += "-other"
    assert (await program.get("/dead-letters"))["items"] == []
    assert await program.problem("POST", f"/dead-letters/{letter['id']}/replay") == 404
    program.secret = SECRET
    status, _ = await program.ask("POST", f"/dead-letters/{letter['id']}/replay")
    assert status == 200
    assert (await program.get("/dead-letters"))["items"] == []
    assert row.key in [head.key for head in await program.bridge.store.outbox_after(row.thread_id, 0, 10)]
