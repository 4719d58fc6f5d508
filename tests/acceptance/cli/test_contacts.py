"""`threadbridge contacts`: the people behind the conversations, beside a running bridge and without one."""

from __future__ import annotations

import asyncio
import json
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from typer.testing import CliRunner

from bridge.app.http import BRIDGE, create_app
from bridge.cli import app
from bridge.events import Contact, Media, Message, ThreadRef, encode_event
from bridge.store.opening import open_store
from bridge.store.people.identities import encode_identities
from bridge.testing.contract.store.desk import NOON, Desk, arrival, saying
from bridge.web.server import runner_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from typer.testing import Result

    from bridge.app.bridge import Bridge
    from bridge.store.records import Arrival

PHONE, USER, NAME = ("phone", "+6281234567890"), ("user_id", "ID.1"), ("username", "telegram:bob")
BOT = """
from bridge import Merged, Message, Router, Turn, Unmerged

router = Router("shop")

@router.message()
async def hear(turn: Turn[Message]) -> None:
    turn.state["heard"] = turn.event.text  # of two bare conversations on one channel, one would lead to the other

@router.on(Merged)
async def merged(turn: Turn[Merged]) -> str:
    return f"merged: {turn.event.other} into {turn.contact.person}"

@router.on(Unmerged)
async def unmerged(turn: Turn[Unmerged]) -> str:
    return f"{turn.contact.person} without {turn.event.other}"
"""


def said(key: str, conversation: str, *identities: tuple[str, str], **changes: Any) -> Arrival:
    """A message that names its sender."""
    made = arrival(key, conversation, account="demo", identities=encode_identities(identities), **changes)
    return replace(made, ref=ThreadRef("demo", "playground", "console", conversation))


@dataclass
class Shop:
    folder: Path

    def call(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["contacts", *arguments, "-c", str(self.folder / "threadbridge.toml")])

    async def beside(self, *arguments: str) -> Result:
        """A call while a bridge runs in this process."""
        return await asyncio.to_thread(self.call, *arguments)

    def shown(self, who: str) -> dict[str, Any]:
        person: dict[str, Any] = json.loads(self.call("show", who, "--json").stdout)
        return person

    def fill(self, *arrivals: Arrival) -> None:
        async def receive() -> None:
            store = await open_store(f"sqlite:///{self.folder}/threadbridge.db")
            try:
                for one in arrivals:
                    await store.receive([one])
            finally:
                await store.close()

        asyncio.run(receive())


@pytest.fixture
def shop(tmp_path: Path, request: pytest.FixtureRequest) -> Shop:
    module = f"contacts_of_{request.node.originalname}"
    (tmp_path / f"{module}.py").write_text(BOT, "utf-8")
    text = f'[accounts.demo]\nprovider = "playground"\n[handlers]\nload = ["{module}"]\n'
    (tmp_path / "threadbridge.toml").write_text(text, "utf-8")
    return Shop(tmp_path)


@pytest.fixture
def two(shop: Shop) -> Shop:
    """Ann, who writes by phone, and Bob."""
    shop.fill(said("1", "628", PHONE), said("2", "bob", NAME))
    return shop


@pytest.fixture
async def running(two: Shop) -> AsyncIterator[Bridge]:
    made = create_app(two.folder / "threadbridge.toml")
    runner = runner_of(made)
    await runner.setup()
    with structlog.testing.capture_logs():
        await made[BRIDGE].settle()
        yield made[BRIDGE]
    await runner.cleanup()


def texts(document: Any) -> list[list[str]]:
    """What the bot said in each conversation of an exported person."""
    return [
        [entry["content"]["text"] for entry in conversation["said"] if entry["from"] == "bot"]
        for conversation in document["conversations"]
    ]


def test_the_list_has_a_line_for_each_person(two: Shop) -> None:
    lines = [line.split("\t") for line in two.call("list").stdout.splitlines()]
    assert [line[:5] for line in lines] == [
        ["2", "", "username telegram:bob", "1", ""],
        ["1", "", "phone +6281234567890", "1", ""],
    ]
    assert [person["id"] for person in json.loads(two.call("list", "--json", "--limit", "1").stdout)] == [2]


def test_a_long_list_is_read_page_by_page(shop: Shop) -> None:
    shop.fill(*(said(str(number), f"c{number}", ("username", f"telegram:c{number}")) for number in range(205)))
    assert [person["id"] for person in json.loads(shop.call("list", "--json").stdout)] == [*range(205, 0, -1)]
    assert len(json.loads(shop.call("list", "--json", "--limit", "150").stdout)) == 150


@pytest.mark.parametrize("who", ["1", "+6281234567890", "6281234567890", "+62 812-3456-7890"])
def test_a_person_is_found_by_number_and_by_phone(two: Shop, who: str) -> None:
    assert two.shown(who)["identities"] == [
        {"account": "demo", "kind": "phone", "value": "+6281234567890", "contact": 1}
    ]


def test_a_person_is_found_by_any_identity_and_by_a_merged_number(two: Shop) -> None:
    assert two.shown("telegram:bob")["id"] == 2
    two.call("merge", "1", "2")
    assert (two.shown("2")["id"], two.shown("2")["merged"]) == (1, [2])


def test_nobody_is_found_under_another_name(two: Shop) -> None:
    for verb in ("show", "export"):
        result = two.call(verb, "carol")
        assert (result.exit_code, result.stdout, "there is no such contact" in result.stderr) == (1, "", True)


def test_an_identity_of_several_names_them(shop: Shop) -> None:
    shop.fill(said("1", "a", ("phone", "+628"), ("id", "1")), said("2", "b", ("email", "+628"), ("id", "2")))
    result = shop.call("show", "+628")
    assert (result.exit_code, result.stderr) == (1, "+628: several contacts have it, name one by its number: 1, 2\n")


def test_a_conflict_and_a_lost_id_are_shown(shop: Shop) -> None:
    shop.fill(said("1", "628", PHONE, USER), said("2", "628", PHONE, ("user_id", "ID.2")))
    lines = shop.call("show", "1").stdout.splitlines()
    assert [line for line in lines if line.startswith("thread")] == [
        "thread    1  demo  console  628  never heard  goes on in thread 2  its id is another person's now"
    ]
    assert "conflict  demo  phone  +6281234567890  is contact 1's" in shop.call("show", "2").stdout.splitlines()


def test_without_a_running_bridge_contacts_are_merged_in_the_store(two: Shop) -> None:
    result = two.call("merge", "1", "2")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "2: one person with 1\n", "")
    assert [person["id"] for person in json.loads(two.call("list", "--json").stdout)] == [1]
    result = two.call("merge", "2", "1")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "2: the two are one person already\n")
    assert two.call("unmerge", "2").stdout == "2: a person of its own again\n"
    result = two.call("unmerge", "2")
    assert (result.exit_code, result.stderr) == (1, "2: it is merged into no other contact\n")
    assert [person["id"] for person in json.loads(two.call("list", "--json").stdout)] == [2, 1]


async def test_a_running_bridge_merges_and_its_handlers_hear_of_it(two: Shop, running: Bridge) -> None:
    result = await two.beside("merge", "1", "2")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "2: one person with 1\n", "")
    await running.settle()
    document = json.loads((await two.beside("export", "1")).stdout)
    assert texts(document) == [["merged: 2 into 1"]] * 2
    for conversation in document["conversations"]:
        assert [entry["kind"] for entry in conversation["said"] if entry["from"] == "bridge"] == ["merged"]
    result = await two.beside("merge", "1", "2")
    assert (result.exit_code, result.stderr) == (1, "1: the two are one person already\n")
    assert (await two.beside("unmerge", "2")).exit_code == 0
    await running.settle()
    for who, line in (("1", "1 without 2"), ("2", "2 without 1")):
        assert texts(json.loads((await two.beside("export", who)).stdout)) == [["merged: 2 into 1", line]]
    result = await two.beside("unmerge", "2")
    assert (result.exit_code, result.stderr) == (1, "2: it is merged into no other contact\n")


@pytest.mark.usefixtures("running")
async def test_a_running_bridge_knows_no_such_contact(two: Shop) -> None:
    for arguments in (("merge", "1", "4711"), ("merge", "4711", "1"), ("unmerge", "4711")):
        result = await two.beside(*arguments)
        assert (result.exit_code, result.stderr) == (1, f"{arguments[1]}: there is no contact 4711\n")


def test_a_contact_that_is_none_is_told(two: Shop) -> None:
    result = two.call("merge", "1", "4711")
    assert (result.exit_code, result.stderr) == (1, "1: there is no contact 4711\n")
    for arguments in (("merge", "1", "ann"), ("merge", "-1", "2"), ("unmerge", "+6281234567890")):
        assert two.call(*arguments).exit_code == 2


def test_without_a_store_there_is_nobody(shop: Shop) -> None:
    for arguments, code in ((("list",), 0), (("show", "1"), 1), (("merge", "1", "2"), 1), (("unmerge", "1"), 1)):
        result = shop.call(*arguments)
        assert (result.exit_code, "no store yet" in result.stderr) == (code, True)
    assert not (shop.folder / "threadbridge.db").exists()


@pytest.fixture
def told(shop: Shop) -> Shop:
    """Ann said something, was answered, and sent a picture."""

    async def fill() -> None:
        desk = await Desk(f"sqlite:///{shop.folder}/threadbridge.db").open()
        await desk.receive(said("1", "628", PHONE))
        await desk.turn(desk.told.events[-1], saying("häufig"), state=b'{"size":7}', step="asked")
        media = Media(url="https://x.example/1", mime_type="image/png", name="me.png")
        event = Message(id="2", contact=Contact(id="628", name="Ann"), at=NOON, kind="image", media=media)
        await desk.receive(said("2", "628", PHONE, event=event, encoded=encode_event(event), fetches=True))
        await desk.store.close()

    asyncio.run(fill())
    return shop


def test_an_export_is_all_that_is_stored_in_a_file_of_its_owner(told: Shop) -> None:
    file = told.folder / "ann.json"
    result = told.call("export", "1", str(file))
    assert (result.exit_code, result.stdout) == (0, f"{file}: 1 conversation, 3 entries\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text("utf-8")
    assert "häufig" in text
    document = json.loads(text)
    assert document["person"] == told.shown("1")
    (conversation,) = document["conversations"]
    assert (conversation["state"], conversation["step"]) == ({"size": 7}, "asked")
    entries = conversation["said"]
    assert [(entry["from"], entry["kind"], entry["state"]) for entry in entries] == [
        ("contact", "message", "done"),
        ("bot", "text", "open"),
        ("contact", "message", "open"),
    ]
    assert entries[2]["content"]["media"]["name"] == "me.png"
    assert entries[2]["file"]["state"] == "waiting"
    assert all(entry["at"] == "2026-01-01T12:00:00Z" for entry in entries)


def test_an_export_to_standard_output_is_the_same_document(told: Shop) -> None:
    file = told.folder / "ann.json"
    told.call("export", "1", str(file))
    written, printed = (
        json.loads(text) for text in (file.read_text("utf-8"), told.call("export", "+628123-4567890").stdout)
    )
    assert {**written, "exported_at": ""} == {**printed, "exported_at": ""}


def test_an_export_that_fails_leaves_nothing(told: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    file = told.folder / "ann.json"
    file.write_text("before", "utf-8")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device", str(file))

    monkeypatch.setattr("bridge.cli.exporting._entry", refuse)
    result = told.call("export", "1", str(file))
    assert (result.exit_code, "No space left" in result.stderr) == (78, True)
    assert file.read_text("utf-8") == "before"
    assert not [each for each in told.folder.iterdir() if "unfinished" in each.name]
