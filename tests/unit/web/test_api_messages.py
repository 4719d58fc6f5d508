"""Messages by the REST API: accepted once, followed until they have arrived, refused."""

from __future__ import annotations

import pytest

from tests.support.api_program import HELLO, TOKENS, Program, program, sections
from tests.support.whole_bridges import accounts

__all__ = ["program", "sections"]

ONE = {"tokens": TOKENS[:1]}


async def test_a_message_is_accepted_with_its_plan_and_followed_until_it_has_arrived(program: Program) -> None:
    status, accepted = await program.ask("POST", "/messages", HELLO)
    assert (status, accepted["plan"]["parts"]) == (202, [{"kind": "text", "text": "Hello"}])
    await program.bridge.settle()
    state = await program.get(f"/messages/{accepted['id']}")
    assert (state["state"], state["account"], state["send_at"]) == ("sent", "demo", None)
    (part,) = state["parts"]
    assert await program.get(f"/messages/{part['id']}") == {**state, "id": part["id"], "at": part["at"]}
    assert await program.said(state["thread"]) == ["Hello"]


async def test_the_same_under_a_key_is_answered_alike_and_another_message_is_refused(program: Program) -> None:
    text = {"kind": "text", "text": "Hello", "expires": "2025-10-10T09:30:00Z"}
    once = {**HELLO, "message": text, "idempotency_key": "order 7"}
    answers = []
    for _ in range(3):
        answers.append(await program.ask("POST", "/messages", once))
        await program.bridge.settle()
        program.clock.advance(3600)
    assert (answers[0][0], answers[0][1]["plan"]["dropped"]) == (202, None)
    assert answers == answers[:1] * 3
    assert await program.problem("POST", "/messages", {**once, "message": {"kind": "text", "text": "Other"}}) == 409
    assert await program.problem("POST", "/messages", {**once, "to": "bob"}) == 409
    assert await program.problem("POST", "/messages", {**once, "send_at": "2031-01-01T00:00:00Z"}) == 409
    assert await program.said("1") == ["Hello"]


async def test_a_key_whose_contact_was_erased_is_taken(program: Program) -> None:
    once = {**HELLO, "idempotency_key": "order 7"}
    await program.ask("POST", "/messages", once)
    await program.bridge.settle()
    (person,) = (await program.get("/contacts"))["items"]
    assert (await program.ask("POST", f"/contacts/{person['id']}/erase"))[0] == 200
    status, problem = await program.ask("POST", "/messages", once)
    assert (status, "erased" in problem["detail"]) == (409, True)
    assert (await program.ask("POST", "/messages", {**once, "idempotency_key": "order 8"}))[0] == 202


async def test_a_message_for_later_is_scheduled_until_its_time_has_come(program: Program) -> None:
    _, accepted = await program.ask("POST", "/messages", {**HELLO, "send_at": "2025-10-12T00:00:00+07:00"})
    program.clock.advance(31 * 3_600)
    await program.bridge.settle()
    state = await program.get(f"/messages/{accepted['id']}")
    assert (state["state"], state["send_at"], state["parts"]) == ("scheduled", "2025-10-11T17:00:00Z", [])
    program.clock.advance(2 * 3_600)
    await program.bridge.settle()
    state = await program.get(f"/messages/{accepted['id']}")
    assert (state["state"], len(state["parts"])) == ("sent", 1)


@pytest.mark.parametrize("sections", [{"accounts": {"shop": accounts()["shop"]}, "api": ONE}], ids=["konnek"])
async def test_a_message_of_many_parts_is_found_whole(program: Program) -> None:
    text = "\n\n".join(f"{number} " + "word " * 800 for number in range(20))
    message = {
        "account": "shop",
        "to": "+6281234567890",
        "channel": "whatsapp",
        "message": {"kind": "text", "text": text},
    }
    _, accepted = await program.ask("POST", "/messages", message)
    await program.bridge.settle()
    state = await program.get(f"/messages/{accepted['id']}")
    assert state["state"] == "sending"
    assert len(state["parts"]) == len(accepted["plan"]["parts"]) == 20
    keys = [part["id"] for part in state["parts"]]
    found = (await program.get(f"/threads/{state['thread']}/messages"))["items"]
    assert [entry["id"] for entry in found][::-1] == keys


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({**HELLO, "message": {"kind": "text", "text": ""}}, 422),
        ({**HELLO, "message": {"kind": "image", "path": "/etc/passwd"}}, 422),
        ({**HELLO, "message": {"kind": "image", "data": "x"}}, 422),
        ({**HELLO, "message": "Hello"}, 422),
        ({**HELLO, "message": {"kind": "text", "text": "a\0b"}}, 422),
        ({**HELLO, "message": {"kind": "raw", "payload": {"\0": 1}}}, 422),
        (b'{"account": "demo", "to": "ann", "message": {"kind": "raw", "payload": {"x": 99999999999999999999}}}', 422),
        (b'{"account": "demo", "to": "ann", "message": {"kind": "text", "text": "\\ud800"}}', 422),
        (b'{"account": "demo", "to": "\\ud800", "message": {"kind": "text", "text": "x"}}', 422),
        ({**HELLO, "message": {"kind": "text", "text": "a", "at": 0}}, 422),
        ({**HELLO, "message": {"kind": "text", "text": "a", "expires": False}}, 422),
        ({**HELLO, "message": {"kind": "location", "latitude": "1", "longitude": 2}}, 422),
        ({**HELLO, "mesage": {}}, 422),
        ({**HELLO, "to": ""}, 422),
        ({**HELLO, "to": "a\0b"}, 422),
        ({**HELLO, "to": 7}, 422),
        ({**HELLO, "send_at": "2031-01-01T00:00:00"}, 422),
        ({**HELLO, "send_at": 7}, 422),
        ({**HELLO, "idempotency_key": "k" * 201}, 422),
        ({**HELLO, "account": "nobody"}, 404),
        ({**HELLO, "account": "' OR 1=1 --"}, 422),
        (b'{"account": "demo", "account": "other"}', 400),
        (b'{"account": NaN}', 400),
        (b"[]", 400),
        (b"\xff", 400),
        (b"[" * 70 + b"]" * 70, 400),
        (b'{"x": "' + b"x" * 300_000 + b'"}', 413),
    ],
    ids=range(27),
)
@pytest.mark.slow
async def test_a_message_that_cannot_be_sent_is_refused(program: Program, body: object, status: int) -> None:
    assert await program.problem("POST", "/messages", body) == status
    assert (await program.get("/threads"))["items"] == []


async def test_what_is_no_json_is_refused_by_its_head(program: Program) -> None:
    assert await program.problem("POST", "/messages", b"x", **{"Content-Type": "text/plain"}) == 415
    assert await program.problem("POST", "/messages", b"{}", **{"Content-Encoding": "br"}) == 415
