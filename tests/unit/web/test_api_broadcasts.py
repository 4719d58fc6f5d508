"""Broadcasts by the REST API: begun once, filled, watched, paused, resumed and cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.api_program import SECRET, Program, program, sections

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["program", "sections"]

PEOPLE: Final = [{"to": name, "columns": {"name": name.title()}} for name in ("ann", "bob", "eve")]
SALE: Final[Mapping[str, Any]] = {
    "account": "demo",
    "message": {"kind": "text", "text": "Hello {name}"},
    "title": "sale",
    "recipients": PEOPLE,
}


async def test_a_broadcast_reaches_each_recipient_and_is_looked_up_until_it_is_done(program: Program) -> None:
    status, begun = await program.ask("POST", "/broadcasts", {**SALE, "recipients": [*PEOPLE, PEOPLE[0]]})
    assert (status, begun["state"], begun["recipients"]) == (202, "running", 3)
    assert begun["left_out"] == [{"number": 4, "reason": "the contact is in the list before", "repeated": True}]
    await program.bridge.settle()
    told = await program.get(f"/broadcasts/{begun['id']}")
    assert (told["state"], told["states"], told["title"]) == ("done", {"delivered": 3}, "sale")
    assert await program.said("2") == ["Hello Bob"]
    listed = await program.get("/broadcasts")
    assert [line["id"] for line in listed["items"]] == [begun["id"]]
    page = await program.get(f"/broadcasts/{begun['id']}/recipients?limit=2")
    assert [row["to"] for row in page["items"]] == ["ann", "bob"]
    rest = await program.get(f"/broadcasts/{begun['id']}/recipients?state=delivered&cursor={page['next']}")
    assert ([row["to"] for row in rest["items"]], rest["next"]) == (["eve"], None)


async def test_a_draft_takes_recipients_in_parts_and_leaves_once_it_is_started(program: Program) -> None:
    _, draft = await program.ask("POST", "/broadcasts", {**SALE, "recipients": [], "start": False})
    for _ in range(2):
        status, added = await program.ask(
            "POST", f"/broadcasts/{draft['id']}/recipients", {"first": 7, "recipients": PEOPLE[:2]}
        )
        assert (status, added) == (200, {"left_out": []})
    assert (await program.get(f"/broadcasts/{draft['id']}"))["states"] == {"waiting": 2}
    _, resumed = await program.ask("POST", f"/broadcasts/{draft['id']}/resume")
    assert resumed["state"] == "running"
    await program.bridge.settle()
    assert (await program.get(f"/broadcasts/{draft['id']}"))["states"] == {"delivered": 2}
    assert await program.problem("POST", f"/broadcasts/{draft['id']}/recipients", {"recipients": PEOPLE}) == 422


async def test_what_is_paused_is_resumed_and_what_is_cancelled_is_over(program: Program) -> None:
    _, begun = await program.ask("POST", "/broadcasts", {**SALE, "send_at": "2031-01-01T00:00:00Z"})
    path = f"/broadcasts/{begun['id']}"
    await program.bridge.settle()
    assert (await program.ask("POST", f"{path}/pause"))[1]["state"] == "paused"
    assert await program.problem("POST", f"{path}/pause") == 409
    assert (await program.ask("POST", f"{path}/resume"))[1]["state"] == "running"
    assert (await program.ask("POST", f"{path}/cancel"))[1]["states"] == {"waiting": 3}
    assert await program.problem("POST", f"{path}/resume") == 409
    audited = [(entry["what"], entry["target"]) for entry in (await program.get("/audit"))["items"]]
    assert ("broadcast pause", begun["id"]) in audited
    assert ("broadcast", "sale") in audited


async def test_the_same_under_a_key_begins_once(program: Program) -> None:
    keyed = {**SALE, "idempotency_key": "sale of may"}
    ids = [(await program.ask("POST", "/broadcasts", keyed))[1]["id"] for _ in range(2)]
    assert ids == ids[:1] * 2
    await program.bridge.settle()
    assert await program.said("1") == ["Hello Ann"]
    other = {**keyed, "message": {"kind": "text", "text": "Other {name}"}}
    assert await program.problem("POST", "/broadcasts", other) == 409


@pytest.mark.parametrize(
    "change",
    [
        {"message": {"kind": "text", "text": "Hello {city}"}},
        {"message": {"kind": "text", "text": "Hello {"}},
        {"message": {"kind": "image", "path": "/etc/passwd"}},
        {"message": {"nowhere": {"kind": "text", "text": "Hello"}}},
        {"recipients": [{"columns": {}}]},
        {"recipients": [{"thread": "99", "columns": {"name": "Ann"}}]},
        {"stop_failures": 2},
    ],
    ids=["column", "brace", "file", "place", "nobody", "thread", "share"],
)
async def test_a_broadcast_with_a_flaw_sends_nothing(program: Program, change: Mapping[str, Any]) -> None:
    assert await program.problem("POST", "/broadcasts", {**SALE, **change}) == 422
    await program.bridge.settle()
    assert (await program.get("/threads"))["items"] == []


async def test_a_token_begins_and_sees_broadcasts_of_its_accounts_alone(program: Program) -> None:
    _, begun = await program.ask("POST", "/broadcasts", SALE)
    path = f"/broadcasts/{begun['id']}"
    assert await program.problem("GET", path, Authorization=f"Bearer {SECRET}-other") == 404
    assert await program.problem("POST", f"{path}/cancel", Authorization=f"Bearer {SECRET}-reads") == 403
    assert await program.problem("POST", "/broadcasts", SALE, Authorization=f"Bearer {SECRET}-other") == 404
