"""`threadbridge threads` and `threadbridge dead`: reading beside a bridge, and changing without one."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import subprocess
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from bridge.cli import app
from bridge.events import Contact, Message, ThreadRef, encode_event
from bridge.store.lifecycle import InboxState
from bridge.store.opening import open_store
from bridge.store.records import Arrival, Settled
from bridge.web.control import start_control
from bridge.web.control_protocol import socket_path
from tests.support.warm_python import python

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result

AT = 1_760_086_800_000_000


@dataclass
class Shop:
    """A project with a store: one conversation whose first event is dead, and one webhook in quarantine."""

    folder: Path

    def call(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "-c", str(self.folder / "threadbridge.toml")])

    async def fill(self, quarantined: bytes = b'{"odd": true}') -> None:
        store = await open_store(f"sqlite:///{self.folder}/threadbridge.db")
        event = Message(
            id="m-1", contact=Contact(id="ann", name="Ann\x1b[31m"), at=datetime.fromtimestamp(0, UTC), text="hello"
        )
        said = Arrival(
            account="demo",
            key="m-1",
            ref=ThreadRef("demo", "playground", "console", "ann"),
            event=event,
            encoded=encode_event(event),
            raw=b'{"text": "hello"}',
            state=InboxState.OPEN,
            received_at=AT,
        )
        odd = Arrival(
            account="demo",
            key="q-1",
            ref=None,
            event=None,
            encoded=b"",
            raw=quarantined,
            state=InboxState.QUARANTINED,
            reason="it is\nodd",
            received_at=AT,
        )
        await store.receive([said, odd])
        (row,) = await store.inbox_heads(0, 10)
        await store.settle_turn(
            Settled(
                row_id=row.id,
                thread_id=row.thread_id,
                attempt=row.attempt,
                state=InboxState.DEAD,
                at=AT,
                reason="handler raised: ValueError",
            )
        )
        await store.close()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    (tmp_path / "threadbridge.toml").write_text('[accounts.demo]\nprovider = "playground"\n', "utf-8")
    made = Shop(tmp_path)
    asyncio.run(made.fill())
    return made


def ids(shop: Shop) -> list[str]:
    return [row["id"] for row in json.loads(shop.call("dead", "list", "--json").stdout)]


def test_threads_are_a_line_each_with_nothing_that_steers_a_terminal(shop: Shop) -> None:
    result = shop.call("threads")
    assert result.exit_code == 0
    (line,) = result.stdout.splitlines()
    assert line.split("\t")[1:5] == ["demo", "console", "ann", r"Ann\x1b[31m"]
    assert line.endswith("2025-10-10T09:00:00Z")


def test_threads_are_there_as_json(shop: Shop) -> None:
    (row,) = json.loads(shop.call("threads", "--account", "demo", "--json").stdout)
    assert (row["provider"], row["conversation"], row["open_events"]) == ("playground", "ann", 0)
    assert json.loads(shop.call("threads", "--account", "other", "--json").stdout) == []


def on_a_terminal(shop: Shop, columns: int, *arguments: str) -> list[str]:
    ours, theirs = pty.openpty()
    command = [python(), "-m", "bridge", *arguments, "-c", str(shop.folder / "threadbridge.toml")]
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm", "NO_COLOR": "1"}
    with subprocess.Popen(command, stdout=theirs, env=environment) as process:
        assert process.wait(20) == 0
    os.close(theirs)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    return [re.sub(r"\x1b\[[\d;]*m", "", line).rstrip() for line in shown.splitlines()]


def test_on_a_wide_terminal_a_list_is_a_table(shop: Shop) -> None:
    head, *lines = on_a_terminal(shop, 140, "dead", "list")
    assert head.split() == ["id", "state", "account", "thread", "kind", "attempt", "at", "reason"]
    assert len(lines) == 2
    head, line = on_a_terminal(shop, 140, "threads")
    assert head.split()[-4:] == ["events", "messages", "reason", "last"]
    assert line.split()[-1] == "2025-10-10T09:00:00Z"


def test_on_a_narrow_terminal_no_word_is_broken(shop: Shop) -> None:
    lines = on_a_terminal(shop, 60, "dead", "list")
    assert max(map(len, lines)) <= 60
    said = " ".join(" ".join(lines).split())
    assert "dead demo console:ann message attempt 1 2025-10-10T09:00:00Z handler raised: ValueError" in said
    assert r"quarantined demo webhook 2025-10-10T09:00:00Z it is\nodd" in said
    assert on_a_terminal(shop, 60, "threads")[0].split()[1:4] == ["demo", "console", "ann"]


def test_dead_letters_are_a_line_each_with_the_whole_reason(shop: Shop) -> None:
    lines = shop.call("dead", "list").stdout.splitlines()
    assert sorted(line.split("\t")[1] for line in lines) == ["dead", "quarantined"]
    assert {line.split("\t")[-1] for line in lines} == {"handler raised: ValueError", r"it is\nodd"}


def test_one_dead_letter_is_shown_whole(shop: Shop) -> None:
    letter_id = next(line.split("\t")[0] for line in shop.call("dead", "list").stdout.splitlines() if "odd" in line)
    row = json.loads(shop.call("dead", "show", letter_id, "--json").stdout)
    assert (row["state"], row["reason"], row["content"]) == ("quarantined", "it is\nodd", {"odd": True})
    assert 'content  {"odd": true}\n' in shop.call("dead", "show", letter_id).stdout


@pytest.mark.parametrize("command", [["show"], ["drop"], ["replay"]])
def test_an_id_that_is_none_is_told(shop: Shop, command: list[str]) -> None:
    result = shop.call("dead", *command, "in-999")
    assert (result.exit_code, result.stderr) == (1, "in-999: there is no dead letter of that id\n")


def test_without_a_running_bridge_a_letter_is_dropped_and_replayed_in_the_store(shop: Shop) -> None:
    first, second = sorted(ids(shop))
    result = shop.call("dead", "drop", second)
    assert (result.exit_code, result.stdout) == (0, f"{second}: dropped\n")
    assert ids(shop) == [first]
    result = shop.call("dead", "replay", first, second)
    assert (result.exit_code, result.stdout) == (1, f"{first}: replayed\n")
    assert result.stderr == f"{second}: there is no dead letter of that id\n"
    assert ids(shop) == []
    assert json.loads(shop.call("threads", "--json").stdout)[0]["open_events"] == 1


@pytest.mark.parametrize(
    ("raw", "refusal"),
    [
        (b'{"id": "1", "conversation": "bob", "text": "hi"}', ""),
        (b'{"odd": true}', "id"),
    ],
)
def test_what_was_quarantined_is_mapped_anew(tmp_path: Path, raw: bytes, refusal: str) -> None:
    (tmp_path / "threadbridge.toml").write_text('[accounts.demo]\nprovider = "playground"\n', "utf-8")
    shop = Shop(tmp_path)
    asyncio.run(shop.fill(quarantined=raw))
    letter_id = next(each for each in ids(shop) if each.endswith("-2"))
    result = shop.call("dead", "replay", letter_id)
    assert result.exit_code == (1 if refusal else 0)
    assert refusal in result.stderr
    assert ("still not understood: " in result.stderr) == bool(refusal)
    assert (letter_id in ids(shop)) == bool(refusal)
    conversations = [row["conversation"] for row in json.loads(shop.call("threads", "--json").stdout)]
    assert ("bob" in conversations) == (not refusal)


def test_a_letter_named_twice_is_one_letter(shop: Shop) -> None:
    first, second = sorted(ids(shop))
    result = shop.call("dead", "drop", first, second, first)
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{first}: dropped\n{second}: dropped\n", "")


def test_what_was_done_before_something_broke_is_told(shop: Shop) -> None:
    first, second = sorted(ids(shop))
    with (shop.folder / "threadbridge.toml").open("a", encoding="utf-8") as file:
        file.write('[handlers]\nload = ["nowhere"]\n')
    result = shop.call("dead", "replay", first, second)
    assert (result.exit_code, result.stdout) == (78, f"{first}: replayed\n")
    assert "there is no module nowhere" in result.stderr


class Letters:
    """A running bridge, as far as the control socket sees it."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def hand_off(self, thread_id: int, note: str) -> bool:
        self.done.append(f"handoff {thread_id} {note}")
        return thread_id == 1

    async def give_back(self, thread_id: int) -> bool:
        self.done.append(f"return {thread_id}")
        return thread_id == 1

    async def end_dialog(self, thread_id: int) -> bool:
        self.done.append(f"end {thread_id}")
        return thread_id == 1

    async def replay(self, letter_id: str) -> bool:
        self.done.append(f"replay {letter_id}")
        return True

    async def drop(self, letter_id: str) -> bool:
        self.done.append(f"drop {letter_id}")
        return letter_id == "in-1"


@pytest.fixture
def running(shop: Shop) -> Iterator[Letters]:
    """A bridge in a thread of its own: it holds the store and listens on the control socket."""
    letters, loop, up = Letters(), asyncio.new_event_loop(), threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        store = await open_store(f"sqlite:///{shop.folder}/threadbridge.db")
        runner = await start_control(socket_path(shop.folder / "threadbridge.db"), letters, letters)
        up.set()
        await stop.wait()
        await runner.cleanup()
        await store.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert up.wait(5)
    yield letters
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


def test_a_running_bridge_is_asked(shop: Shop, running: Letters) -> None:
    result = shop.call("dead", "drop", "in-1", "in-2")
    assert (result.exit_code, result.stdout) == (1, "in-1: dropped\n")
    assert result.stderr == "in-2: there is no dead letter of that id\n"
    assert shop.call("dead", "replay", "in-3").stdout == "in-3: replayed\n"
    assert running.done == ["drop in-1", "drop in-2", "replay in-3"]


@pytest.mark.parametrize("odd", ["", "..", "a/b", "in-1?x"])
@pytest.mark.usefixtures("running")
def test_a_running_bridge_is_asked_for_no_odd_id(shop: Shop, odd: str) -> None:
    result = shop.call("dead", "drop", odd)
    assert (result.exit_code, result.stderr) == (1, f"{odd}: there is no dead letter of that id\n")


def test_a_running_bridge_is_asked_once_for_each_letter(shop: Shop, running: Letters) -> None:
    assert shop.call("dead", "drop", "in-1", "in-1").stdout == "in-1: dropped\n"
    assert running.done == ["drop in-1"]


def test_lists_are_read_beside_a_running_bridge(shop: Shop, running: Letters) -> None:
    assert len(ids(shop)) == 2
    assert len(shop.call("threads").stdout.splitlines()) == 1
    assert running.done == []


def test_a_store_in_use_cannot_be_migrated(shop: Shop, running: Letters) -> None:
    result = shop.call("migrate")
    assert result.exit_code == 73
    assert "is in use by process" in result.stderr
    assert running.done == []


def test_a_store_held_by_a_bridge_that_does_not_listen_yet_is_left_alone(shop: Shop, running: Letters) -> None:
    socket_path(shop.folder / "threadbridge.db").unlink()
    assert shop.call("dead", "drop", "in-1").exit_code == 73
    assert running.done == []


def test_before_the_first_run_there_is_nothing_to_list(tmp_path: Path) -> None:
    (tmp_path / "threadbridge.toml").write_text('[accounts.demo]\nprovider = "playground"\n', "utf-8")
    fresh = Shop(tmp_path)
    for command in (["threads"], ["dead", "list"]):
        result = fresh.call(*command, "--json")
        assert (result.exit_code, json.loads(result.stdout)) == (0, [])
        assert "no store yet" in result.stderr
    assert not (tmp_path / "threadbridge.db").exists()


def test_migrate_makes_the_store(tmp_path: Path) -> None:
    (tmp_path / "threadbridge.toml").write_text('[accounts.demo]\nprovider = "playground"\n', "utf-8")
    result = Shop(tmp_path).call("migrate")
    assert (result.exit_code, result.stdout) == (0, f"ok: {tmp_path}/threadbridge.db is up to date\n")
    assert (tmp_path / "threadbridge.db").exists()


def test_a_damaged_store_is_exit_code_70(shop: Shop) -> None:
    for file in shop.folder.glob("threadbridge.db*"):
        file.unlink()
    (shop.folder / "threadbridge.db").write_bytes(b"no database" * 1000)
    result = shop.call("threads")
    assert result.exit_code == 70
    assert result.stderr.startswith("the store cannot be used: ")


def test_letters_are_changed_in_the_order_in_which_they_came_whatever_the_order_of_their_ids(shop: Shop) -> None:
    newest_first = [row["id"] for row in json.loads(shop.call("dead", "list", "--json").stdout)]
    by_number = sorted(newest_first, key=lambda letter_id: int(letter_id.partition("-")[2]))
    result = shop.call("dead", "drop", *reversed(by_number))
    assert result.stdout.splitlines() == [f"{letter_id}: dropped" for letter_id in by_number]


def test_all_letters_that_fit_are_changed(shop: Shop) -> None:
    letters = {row["state"]: row["id"] for row in json.loads(shop.call("dead", "list", "--json").stdout)}
    assert shop.call("dead", "drop", "--all", "--reason", "no such reason").stdout == ""
    assert shop.call("dead", "drop", "--all", "--account", "elsewhere").stdout == ""
    assert shop.call("dead", "drop", "--all", "--older-than", "20000d").stdout == ""
    result = shop.call("dead", "drop", "--all", "--account", "demo", "--reason", "ValueError", "--older-than", "0s")
    assert result.stdout == f"{letters['dead']}: dropped\n"
    assert shop.call("dead", "drop", "--all").stdout == f"{letters['quarantined']}: dropped\n"
    assert shop.call("dead", "list", "--json").stdout == "[]\n"


@pytest.mark.parametrize(
    "arguments", [(), ("in-1", "--all"), ("in-1", "--reason", "x"), ("--all", "--older-than", "soon")], ids=str
)
def test_letters_are_chosen_by_id_or_by_what_they_have_in_common(shop: Shop, arguments: tuple[str, ...]) -> None:
    assert shop.call("dead", "replay", *arguments).exit_code == 2
