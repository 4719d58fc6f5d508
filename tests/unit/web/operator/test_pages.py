"""The pages of the operator's console: what they show, and what they do by the operations of the REST API."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import DummyCookieJar

from bridge.app.http import create_app
from bridge.config.load import as_config
from bridge.web.operator import access
from bridge.web.operator.pages import PAGES
from tests.support.api_program import bot, settings
from tests.support.manual_clock import ManualClock
from tests.support.operators import VIEWER, Person, person, sections
from tests.support.whole_bridges import OurServer

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_aiohttp import AiohttpClient

    from bridge.store.looks import AuditEntry

__all__ = ["person", "sections"]


@pytest.fixture(autouse=True)
async def _logged_in(monkeypatch: pytest.MonkeyPatch, person: Person) -> None:
    monkeypatch.setattr(access, "_COST", 2)
    await person.log_in()


def test_what_changes_anything_is_for_operators_and_nothing_is_for_everybody() -> None:
    assert {page.role for page in PAGES if page.method == "GET"} == {"viewer"}
    assert {page.role for page in PAGES if page.method != "GET"} == {"operator"}


async def test_the_inbox_comes_page_by_page_each_conversation_once(person: Person) -> None:
    for number in range(120):
        await person.hears("hello", f"guest-{number:03}")
    found, path = [], "inbox"
    while path:
        shown = await person.open(path)
        found += [word for word in shown.words.split() if word.startswith("guest-")]
        _, _, rest = shown.text.partition('class="more"><a href="?')
        path = f"inbox?{rest.partition(chr(34))[0]}" if rest else ""
    assert found == [f"guest-{number:03}" for number in range(119, -1, -1)]


async def test_each_row_shows_what_was_said_last_as_one_line(person: Person) -> None:
    await person.hears("hello")
    await person.hears("boom\n<b>bob</b>   " + "x" * 300, "bob")
    await person.hears("boom", "eve")
    for path in ("inbox", "inbox?text=bo", "contacts/2"):
        shown = await person.open(path)
        (line,) = re.findall(r'class="last out"><span class="sr">Sent: </span>(you said boom[^<]*)<', shown.text)
        assert line.startswith("you said boom &lt;b&gt;bob&lt;/b&gt; xxx"), path
        assert (len(unescape(line)), line[-1]) == (160, "…")
    rows = (await person.open("inbox")).text
    assert 'class="last in"><span class="sr">Received: </span>boom<' in rows
    assert ">you said hello<" in rows
    await person.post("threads/1/write", {"text": "Bob here"})
    await person.bridge.settle()
    assert "Sent: Bob here" in (await person.open("inbox")).words


@pytest.mark.parametrize(
    "query",
    ["cursor=x", "cursor=-1-1", "account=' OR 1=1 --", "account=%25", "held=perhaps", f"text={'x' * 201}", "waits=7"],
)
async def test_a_list_that_makes_no_sense_is_refused_on_a_page(person: Person, query: str) -> None:
    shown = await person.open(f"inbox?{query}")
    assert shown.status == 422
    assert "<h1>" in shown.text


@pytest.mark.parametrize("text", ["%", "_", "*", "'", "\\", "<script>", "\x00"])
async def test_a_search_takes_no_wildcards(person: Person, text: str) -> None:
    await person.hears("hello")
    async with person.client.get("/console/inbox", params={"text": text}, headers={"Cookie": person.cookie}) as answer:
        shown = await answer.text()
    assert "No conversation fits." in shown
    assert "<script>" not in shown.replace("<script defer", "").replace('<script type="module"', "")


@pytest.mark.parametrize("thread_id", ["0", "99", "x", "-1", "1e3", "9" * 30, "%00", "1'"])
@pytest.mark.slow
async def test_a_conversation_that_is_not_there_is_a_page_too(person: Person, thread_id: str) -> None:
    shown = await person.open(f"threads/{thread_id}")
    assert (shown.status, "there is no conversation of this id" in shown.words) == (404, True)


async def test_a_conversation_is_told_with_what_became_of_it(person: Person) -> None:
    await person.hears("hello")
    await person.hears("boom")
    await person.post("threads/1/take", {"note": "angry"})
    await person.bridge.settle()
    shown = await person.open("threads/1")
    for said in ("hello", "you said hello", "boom", "given up", "RuntimeError", "A person takes the conversation"):
        assert said in shown.words
    assert "angry" in shown.words
    assert '"method"' in shown.text.replace("&#34;", '"') or "Try 1" in shown.words


async def test_a_long_conversation_is_told_from_its_end_back(person: Person) -> None:
    for number in range(60):
        await person.hears(f"word-{number}")
    shown = await person.open("threads/1")
    assert "word-59" in shown.words
    assert "word-0 " not in shown.words
    before = shown.text.partition('<a href="?before=')[2].partition('"')[0]
    earlier = await person.open(f"threads/1?before={before}")
    assert "word-0 " in earlier.words
    assert '<form class="write"' not in earlier.text


async def test_what_a_person_writes_is_sent_once_however_often_the_form_is_posted(person: Person) -> None:
    await person.hears("hello")
    form = {"text": "Bob here\r\nHow are you?", "key": "k1"}
    for _ in range(2):
        assert (await person.post("threads/1/write", form)).status == 303
    await person.bridge.settle()
    assert await person.said("1") == ["hello", "you said hello", "Bob here\nHow are you?"]
    shown = await person.open("threads/1")
    assert shown.text.count('class="said person') == 1
    assert "A person has it" in shown.words
    for text in ("", "   ", "x" * 20_000):
        assert (await person.post("threads/1/write", {"text": text})).status in {303, 422}


@pytest.mark.parametrize("sections", [{"consent": {"stop": ["stop"]}}])
async def test_who_opted_out_is_written_to_once_they_write_again(person: Person) -> None:
    await person.hears("stop")
    assert "does not leave until they write again" in (await person.open("threads/1")).words
    refused = await person.post("threads/1/write", {"text": "Bob here"}, **{"HX-Request": "true"})
    assert (refused.status, "wrote nothing since" in refused.words) == (409, True)
    await person.hears("one question")
    assert "leaves as an answer to that" in (await person.open("threads/1")).words
    assert (await person.post("threads/1/write", {"text": "Bob here"})).status == 303
    await person.bridge.settle()
    assert "sent" in (await person.open("threads/1")).words.partition("Bob here")[2]
    assert await person.bridge.store.dead_letters() == []


async def test_a_conversation_is_taken_and_returned_and_the_audit_says_by_whom(person: Person) -> None:
    await person.hears("hello")
    await person.post("threads/1/take", {"note": "mine"})
    await person.bridge.settle()
    assert (await person.get("/threads/1"))["note"] == "mine"
    await person.post("threads/1/return")
    await person.bridge.settle()
    assert (await person.get("/threads/1"))["held"] is False
    entries: list[AuditEntry] = await person.bridge.store.audited()
    assert [(entry.who, entry.what) for entry in entries] == [
        ("console", "return"),
        ("console", "handoff"),
        ("console", "login"),
    ]


async def test_htmx_is_given_a_part_and_an_error_in_its_place(person: Person) -> None:
    await person.hears("hello")
    part = await person.open("inbox", **{"HX-Request": "true"})
    assert part.text.lstrip().startswith("<ul")
    part = await person.open("threads/1", **{"HX-Request": "true"})
    assert 'hx-swap-oob="true"' in part.text
    part = await person.open("threads/9", **{"HX-Request": "true"})
    assert (part.status, part.headers["HX-Retarget"]) == (404, "#notice")
    person.cookie = ""
    part = await person.open("inbox", **{"HX-Request": "true"})
    assert (part.status, part.headers["HX-Refresh"]) == (401, "true")


async def test_a_contact_is_shown_and_erased_when_the_box_is_ticked(person: Person) -> None:
    await person.hears("hello")
    await person.hears("hello", "bob")
    shown = await person.open("contacts/1")
    assert "console/ann" in shown.words
    assert (await person.post("contacts/1/erase")).status == 422
    assert (await person.open("contacts/1")).status == 200
    erased = await person.post("contacts/1/erase", {"sure": "yes"})
    assert (erased.status, "Contact 1 is erased" in erased.words) == (200, True)
    assert (await person.open("contacts/1")).status == 404
    assert (await person.open("threads/1")).status == 404
    assert [item["conversation"] for item in (await person.get("/threads"))["items"]] == ["bob"]


async def test_a_contact_is_merged_with_one_that_a_search_finds_and_unmerged(person: Person) -> None:
    await person.hears("hello")
    await person.hears("hello", "bob")
    assert 'href="../contacts/1/merge"' in (await person.open("contacts/1")).text
    for text in ("bob", "BO", "2"):
        shown = await person.open(f"contacts/1/merge?text={text}", **{"HX-Request": "true"})
        assert re.findall(r'href="([^"]*)"', shown.text) == ["../../contacts/1/merge?other=2"], text
    assert "Search for the other contact." in (await person.open("contacts/1/merge")).words
    for text in ("nobody", "99", "demo:x"):
        assert "No contact fits." in (await person.open(f"contacts/1/merge?text={text}")).words
    both = await person.open("contacts/1/merge?other=2")
    for part in ("console/ann", "console/bob", "Merge 2 into 1", 'href="../../threads/2"'):
        assert part in both.text, part
    assert (await person.post("contacts/1/merge", {"other": "2"})).headers["Location"] == "../../contacts/1"
    shown = await person.open("contacts/2")
    assert [part in shown.words for part in ("Contact 2", "console/bob", "Unmerge 2")] == [True] * 3
    assert "Two contacts are one person from here on" in (await person.open("threads/2")).words
    assert "they are one person already" in (await person.open("contacts/1/merge?other=2")).words
    assert (await person.post("contacts/1/merge", {"other": "2"})).status == 409
    assert (await person.post("contacts/2/unmerge")).headers["Location"] == "../../contacts/2"
    assert "console/ann" not in (await person.open("contacts/2")).words
    assert (await person.post("contacts/2/unmerge")).status == 409
    entries: list[AuditEntry] = await person.bridge.store.audited()
    assert {(entry.what, entry.target) for entry in entries} >= {
        ("merge", "contact 1 with 2"),
        ("unmerge", "contact 2"),
    }


@pytest.mark.parametrize("other", ["", "99", "1'", "x:1", "\x00"])
@pytest.mark.slow
async def test_nobody_is_merged_with_a_contact_who_is_not_there(person: Person, other: str) -> None:
    await person.hears("hello")
    assert (await person.post("contacts/1/merge", {"other": other})).status in {404, 422}
    assert (await person.open(f"contacts/9/merge?other={other}")).status == 404


async def test_a_viewer_merges_nobody(person: Person) -> None:
    await person.hears("hello")
    await person.hears("hello", "bob")
    await person.post("contacts/1/merge", {"other": "2"})
    await person.log_in(VIEWER)
    assert (await person.post("contacts/2/unmerge")).status == 403
    assert (await person.post("contacts/1/merge", {"other": "2"})).status == 403
    assert "Unmerge" not in (await person.open("contacts/1")).words
    assert "<button" not in (await person.open("contacts/1/merge?other=2")).text.partition("<main")[2]


async def test_ids_over_several_databases_have_their_accounts(tmp_path: Path, aiohttp_client: AiohttpClient) -> None:
    (tmp_path / "many").mkdir()
    url = f"sqlite:///{tmp_path}/second.db"
    made = settings(tmp_path / "many", storage={"shards": {"other": url}})
    many = await _open_desk(made, aiohttp_client)
    await many.hears("hello", "ann", "demo")
    await many.hears("hello", "bob", "other")
    shown = await many.open("inbox")
    assert 'href="./threads/demo:1"' in shown.text
    assert 'href="./threads/other:1"' in shown.text
    assert "bob" in (await many.open("threads/other:1")).words
    assert (await many.open("contacts/other:1")).status == 200
    assert (await many.open("threads/1")).status == 404
    assert "No contact fits." in (await many.open("contacts/other:1/merge?text=ann")).words
    assert (await many.post("contacts/other:1/merge", {"other": "demo:1"})).status == 409


async def _open_desk(made: dict[str, Any], aiohttp_client: AiohttpClient) -> Person:
    """A console that asks for no password, as that of demo."""
    config = replace(as_config(made), console_is_open=True)
    app = create_app(config, router=bot(), clock=(clock := ManualClock()))
    return Person(await aiohttp_client(OurServer(app), cookie_jar=DummyCookieJar()), clock)


async def test_an_open_console_is_for_this_machine_alone(tmp_path: Path, aiohttp_client: AiohttpClient) -> None:
    (tmp_path / "open").mkdir()
    someone = await _open_desk(settings(tmp_path / "open"), aiohttp_client)
    await someone.hears("hello")
    assert (await someone.open("inbox")).status == 200
    assert (await someone.open("inbox", Host="evil.example")).status == 421
    assert (await someone.post("threads/1/take", None, **{"Sec-Fetch-Site": "cross-site"})).status == 403
    assert (await someone.post("threads/1/take", {"csrf": "x"})).status == 403
    assert (await someone.post("threads/1/take")).status == 303
    playground = await someone.open("")
    assert 'id="composer"' in playground.text
    assert 'href="inbox"' in playground.text
    assert (await someone.open("static/console.js")).status == 200


async def test_nobody_is_a_contact_where_a_password_is_asked_for(person: Person) -> None:
    shown = await person.open("try")
    assert "No gateway is emulated here." in shown.words
    assert 'href="./try"' not in shown.text
    assert (await person.post("try/act", {"account": "demo", "text": "x"})).status == 404
    assert (await person.post("try/faults", {"account": "demo"})).status == 404
