"""The control socket: who may open it, what it answers, and what becomes of it."""

from __future__ import annotations

import asyncio
import errno
import stat
from typing import TYPE_CHECKING

import pytest

from bridge.cli.control import Control
from bridge.errors import NoContact, Unavailable, Unmappable
from bridge.web.control import start_control
from bridge.web.control_protocol import socket_path

if TYPE_CHECKING:
    from pathlib import Path


class Letters:
    """Knows in-1; in-2 is still not understood."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []

    async def replay(self, letter_id: str) -> bool:
        if letter_id == "in-2":
            raise Unmappable("not\nunderstood")
        self.done.append(("replay", letter_id))
        return letter_id == "in-1"

    async def drop(self, letter_id: str) -> bool:
        self.done.append(("drop", letter_id))
        return letter_id == "in-1"


class Threads:
    """Knows 7."""

    def __init__(self) -> None:
        self.done: list[tuple[int, str | None]] = []

    async def hand_off(self, thread_id: int, note: str) -> bool:
        self.done.append((thread_id, note))
        return thread_id == 7

    async def give_back(self, thread_id: int) -> bool:
        self.done.append((thread_id, None))
        return thread_id == 7

    async def end_dialog(self, thread_id: int) -> bool:
        self.done.append((thread_id, "its dialog"))
        return thread_id == 7


def asked(control: Control, letter_id: str, verb: str) -> str | None:
    return control.ask("dead", letter_id, verb, missing="there is no dead letter of that id")


@pytest.mark.parametrize("depth", [0, 150], ids=["a short path", "a path longer than a socket's address"])
async def test_a_running_bridge_is_asked_and_answers(tmp_path: Path, depth: int) -> None:
    database = tmp_path / ("d" * depth) / "x.db"
    database.parent.mkdir(exist_ok=True)
    letters = Letters()
    runner = await start_control(socket_path(database), letters, Threads())
    try:
        control = Control(database)
        assert await asyncio.to_thread(asked, control, "in-1", "replay") is None
        assert await asyncio.to_thread(asked, control, "in-1", "drop") is None
        assert await asyncio.to_thread(asked, control, "in-2", "replay") == "not understood"
        assert await asyncio.to_thread(asked, control, "../x", "drop") == "there is no dead letter of that id"
        assert letters.done == [("replay", "in-1"), ("drop", "in-1"), ("drop", "../x")]
    finally:
        await runner.cleanup()
    assert not socket_path(database).exists()


async def test_conversations_are_handed_over_and_returned(tmp_path: Path) -> None:
    database, threads = tmp_path / "x.db", Threads()
    runner = await start_control(socket_path(database), Letters(), threads)

    def told(id_: str, verb: str, note: str = "") -> str | None:
        return Control(database).ask("threads", id_, verb, missing="nobody", body=note)

    try:
        assert await asyncio.to_thread(told, "7", "handoff", "a matter of — taste") is None
        assert await asyncio.to_thread(told, "7", "return") is None
        for each in ("8", "x", "-7", "\u0667", "9" * 30):
            assert await asyncio.to_thread(told, each, "return") == "nobody"
        assert threads.done == [(7, "a matter of — taste"), (7, None), (8, None)]
    finally:
        await runner.cleanup()


async def test_nobody_else_may_open_the_socket(tmp_path: Path) -> None:
    path = socket_path(tmp_path / "x.db")
    runner = await start_control(path, Letters(), Threads())
    try:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        await runner.cleanup()


async def test_a_socket_that_a_dead_process_left_is_replaced(tmp_path: Path) -> None:
    path = socket_path(tmp_path / "x.db")
    first = await start_control(path, Letters(), Threads())
    second = await start_control(path, Letters(), Threads())
    try:
        assert await asyncio.to_thread(asked, Control(tmp_path / "x.db"), "in-1", "drop") is None
    finally:
        await second.cleanup()
        await first.cleanup()


async def test_a_file_in_the_sockets_place_is_left_alone(tmp_path: Path) -> None:
    path = socket_path(tmp_path / "x.db")
    path.write_text("precious", "utf-8")
    with pytest.raises(OSError, match="in use"):
        await start_control(path, Letters(), Threads())
    assert path.read_text("utf-8") == "precious"


async def test_no_bridge_is_told_from_one_that_does_not_answer(tmp_path: Path) -> None:
    database = tmp_path / "x.db"
    with pytest.raises(ConnectionRefusedError):
        asked(Control(database), "in-1", "drop")

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_unix_server(hang_up, socket_path(database))
    async with server:
        with pytest.raises(Unavailable):
            await asyncio.to_thread(asked, Control(database), "in-1", "drop")


async def test_it_tells_how_the_process_is(tmp_path: Path) -> None:
    async def status() -> dict[str, object]:
        return {"pid": 7, "ready": True}

    runner = await start_control(socket_path(tmp_path / "x.db"), Letters(), Threads(), status)
    try:
        assert await asyncio.to_thread(Control(tmp_path / "x.db").status) == {"pid": 7, "ready": True}
    finally:
        await runner.cleanup()
    with pytest.raises(ConnectionRefusedError):
        Control(tmp_path / "x.db").status()


async def spoken_to(path: Path, request: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(request)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer


def posted(target: str, text: bytes) -> bytes:
    head = f"POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(text)}\r\n\r\n"
    return head.encode() + text


@pytest.mark.parametrize(
    ("target", "text", "status", "reason"),
    [
        ("/threads/7/handoff", b"\xff\xfe", b"400", b"the text is not UTF-8"),
        ("/threads/7/handoff", b"a\0b", b"400", b"the text holds a NUL character"),
        ("/threads/7/handoff", b"x" * 70_000, b"413", b"larger than 65536 bytes"),
        (f"/threads/{'9' * 23}/return", b"", b"404", b"there is no conversation of that id"),
        ("/dead/%ff/replay", b"", b"404", b"there is no dead letter of that id"),
        ("/nothing", b"", b"404", b"not found"),
    ],
)
async def test_what_cannot_be_asked_is_refused_in_words(
    tmp_path: Path, target: str, text: bytes, status: bytes, reason: bytes
) -> None:
    path, threads = socket_path(tmp_path / "x.db"), Threads()
    runner = await start_control(path, Letters(), threads)
    try:
        answer = await spoken_to(path, posted(target, text))
    finally:
        await runner.cleanup()
    assert answer.split(b" ", 2)[1] == status
    assert reason in answer
    assert threads.done == []


async def test_a_request_sent_by_half_does_not_hold_up_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.web.control._DRAIN_SECONDS", 0.05)
    path = socket_path(tmp_path / "x.db")
    runner = await start_control(path, Letters(), Threads())
    _, writer = await asyncio.open_unix_connection(path)
    writer.write(posted("/threads/7/handoff", b"a note")[:-3])
    await spoken_to(path, posted("/threads/8/return", b""))
    async with asyncio.timeout(5):
        await runner.cleanup()
    writer.close()


async def test_a_socket_that_cannot_be_removed_is_left_for_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = socket_path(tmp_path / "x.db")
    runner = await start_control(path, Letters(), Threads())

    def unlink(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.unlink", unlink)
        await runner.cleanup()
    assert path.exists()
    await (await start_control(path, Letters(), Threads())).cleanup()
    assert not path.exists()


class Contacts:
    """Knows 7 and 8, who are two, and 9, who is merged into 7."""

    async def merge(self, contact_id: int, other_id: int) -> bool:
        if other_id == 4711:
            raise NoContact("there is no contact 4711")
        return (contact_id, other_id) == (7, 8)

    async def unmerge(self, contact_id: int) -> bool:
        return contact_id == 9


async def test_contacts_are_merged_and_parted(tmp_path: Path) -> None:
    database = tmp_path / "x.db"
    runner = await start_control(socket_path(database), Letters(), Threads(), people=Contacts())

    def told(id_: str, verb: str, other: str = "") -> str | None:
        return Control(database).ask("contacts", id_, verb, missing="so already", body=other)

    try:
        assert await asyncio.to_thread(told, "7", "merge", "8") is None
        assert await asyncio.to_thread(told, "7", "merge", "9") == "so already"
        assert await asyncio.to_thread(told, "7", "merge", "4711") == "there is no contact 4711"
        assert await asyncio.to_thread(told, "7", "merge", "x") == "there is no such contact"
        assert await asyncio.to_thread(told, "9", "unmerge") is None
        assert await asyncio.to_thread(told, "7", "unmerge") == "so already"
        assert await asyncio.to_thread(told, "9" * 30, "unmerge") == "there is no such contact"
    finally:
        await runner.cleanup()
