"""People by the REST API: as far as a token sees them, merged and parted."""

from __future__ import annotations

from tests.support.api_program import SECRET, Program, program, sections

__all__ = ["program", "sections"]


async def test_people_come_page_by_page_and_by_an_identity(program: Program) -> None:
    for number in range(3):
        await program.hears("hello", f"c{number}")
    every = (await program.get("/contacts"))["items"]
    assert [contact["identities"][0]["value"] for contact in every] == ["console/c2", "console/c1", "console/c0"]
    page = await program.get("/contacts?limit=2")
    rest = await program.get(f"/contacts?limit=2&cursor={page['next']}")
    assert (page["items"] + rest["items"], rest["next"]) == (every, None)
    (only,) = (await program.get("/contacts?identity=console/c1"))["items"]
    assert only == await program.get(f"/contacts/{only['id']}")
    (thread,) = only["threads"]
    assert (await program.get(f"/threads/{thread}"))["conversation"] == "c1"


async def test_two_are_merged_and_parted_and_the_audit_tells_by_whom(program: Program) -> None:
    await program.hears("hello", "c0")
    await program.hears("hello", "c1")
    second, first = [contact["id"] for contact in (await program.get("/contacts"))["items"]]
    status, merged = await program.ask("POST", f"/contacts/{first}/merge", {"other": second})
    assert (status, merged["id"], merged["merged"]) == (200, first, [second])
    assert await program.problem("POST", f"/contacts/{second}/merge", {"other": first}) == 409
    status, parted = await program.ask("POST", f"/contacts/{second}/unmerge")
    assert (status, parted["id"]) == (200, second)
    assert await program.problem("POST", f"/contacts/{second}/unmerge") == 409
    asked = [entry["what"] for entry in (await program.get("/audit"))["items"]]
    assert asked == ["unmerge", "unmerge", "merge", "merge"]


async def test_a_token_sees_and_changes_the_people_of_its_accounts_only(program: Program) -> None:
    await program.hears("hello", "mine", "other")
    await program.hears("hello", "theirs", "demo")
    theirs, mine = [contact["id"] for contact in (await program.get("/contacts"))["items"]]
    program.secret = f"{SECRET}-other"
    assert [contact["id"] for contact in (await program.get("/contacts?limit=1"))["items"]] == [mine]
    assert (await program.get("/contacts?identity=console/theirs"))["items"] == []
    assert await program.problem("GET", f"/contacts/{theirs}") == 404
    assert await program.problem("POST", f"/contacts/{mine}/merge", {"other": theirs}) == 404
    program.secret = f"{SECRET}-reads"
    assert await program.problem("POST", f"/contacts/{mine}/unmerge") == 403


async def test_who_is_not_there_is_404(program: Program) -> None:
    for contact_id in ("4711", "x", "0", "9" * 30):
        assert await program.problem("GET", f"/contacts/{contact_id}") == 404


async def test_a_person_is_erased_with_a_receipt_and_others_stay(program: Program) -> None:
    for conversation in ("c0", "c1"):
        await program.hears("hello", conversation)
    second, first = [contact["id"] for contact in (await program.get("/contacts"))["items"]]
    status, erased = await program.ask("POST", f"/contacts/{first}/erase")
    assert (status, erased["id"], erased["left"]) == (200, first, [])
    removed = erased["removed"]
    assert (removed["events"], removed["messages"], removed["threads"], removed["contacts"]) == (1, 1, 1, 1)
    assert [contact["id"] for contact in (await program.get("/contacts"))["items"]] == [second]
    assert [thread["conversation"] for thread in (await program.get("/threads"))["items"]] == ["c1"]
    assert await program.problem("POST", f"/contacts/{first}/erase") == 404
    (entry,) = (await program.get("/audit"))["items"]
    assert (entry["what"], entry["target"]) == ("erase", f"contact {first}")


async def test_nobody_is_erased_by_a_token_that_reads_or_sees_another_account(program: Program) -> None:
    await program.hears("hello", "theirs", "demo")
    (theirs,) = [contact["id"] for contact in (await program.get("/contacts"))["items"]]
    for suffix, status in (("-reads", 403), ("-other", 404)):
        program.secret = f"{SECRET}{suffix}"
        assert await program.problem("POST", f"/contacts/{theirs}/erase") == status
    program.secret = SECRET
    assert (await program.get(f"/contacts/{theirs}"))["id"] == theirs
