"""`threadbridge keys`: a key, a rotation beside a bridge and without, and one that is killed."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import pytest
from typer.testing import CliRunner

from bridge.app.http import create_app
from bridge.cli import app
from bridge.store.encryption import key_of
from bridge.testing.contract.store.desk import Desk, arrival
from bridge.web.server import runner_of
from tests.support.looking import until

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

KEYS: Final = {name: base64.b64encode(bytes([number]) * 32).decode() for number, name in enumerate(("OLD", "NEW"), 1)}
IDS: Final = {name: key_of(text).id for name, text in KEYS.items()}
WORD: Final = "canary-of-a-contact"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in KEYS.items():
        monkeypatch.setenv(f"TEST_{name}", text)
    return tmp_path


def configure(folder: Path, *names: str) -> dict[str, Any]:
    keys = [f"env:TEST_{name}" for name in names]
    storage = {"url": f"sqlite:///{folder / 'store.db'}", "encryption_keys": keys}
    (folder / "threadbridge.toml").write_text(
        f'[storage]\nurl = "{storage["url"]}"\nencryption_keys = {keys}\n'.replace("'", '"')
    )
    return {"storage": storage}


def command(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments])


async def fill(folder: Path, count: int, *names: str) -> None:
    keys = [key_of(KEYS[name]) for name in names]
    desk = await Desk(f"sqlite:///{folder / 'store.db'}", keys).open()
    await desk.receive(*(arrival(f"k{number}", "ann", text=WORD) for number in range(count)))
    await desk.store.close()


def bytes_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("store.db*") if file.is_file())


def test_a_new_key_is_one_that_the_configuration_takes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = command("keys", "new").output.strip()
    assert printed != command("keys", "new").output.strip()
    monkeypatch.setenv("TEST_OLD", printed)
    configure(folder, "OLD")
    assert command("keys", "rotate").exit_code == 0


def test_without_a_key_nothing_is_rotated(folder: Path) -> None:
    configure(folder)
    result = command("keys", "rotate")
    assert result.exit_code == 1
    assert "encryption_keys is empty" in result.output


def test_a_store_is_encrypted_and_then_rotated_by_the_command_alone(folder: Path) -> None:
    asyncio.run(fill(folder, 700))
    assert WORD.encode() in bytes_of(folder)
    configure(folder, "OLD")
    result = command("keys", "rotate")
    assert (result.exit_code, "all under the key " + IDS["OLD"] in result.output) == (0, True)
    assert WORD.encode() not in bytes_of(folder)
    configure(folder, "NEW")
    result = command("threads")
    assert (result.exit_code, IDS["OLD"] in result.output, KEYS["OLD"] in result.output) == (78, True, False)
    configure(folder, "NEW", "OLD")
    assert f"encrypted under the key {IDS['NEW']}" in command("check").output
    assert f"values are under the key {IDS['OLD']}; the newest key is {IDS['NEW']}" in command("doctor").output
    assert command("keys", "rotate").exit_code == 0
    configure(folder, "NEW")
    assert "ann" in command("threads").output
    assert command("backup", str(folder / "backup.db")).exit_code == 0
    assert WORD.encode() not in (folder / "backup.db").read_bytes()
    for file in folder.glob("store.db*"):
        file.unlink()
    assert command("restore", str(folder / "backup.db")).exit_code == 0
    assert "ann" in command("threads").output
    assert WORD.encode() not in bytes_of(folder)


async def test_a_running_bridge_rotates_when_it_is_asked(folder: Path) -> None:
    await fill(folder, 5, "OLD")
    runner = runner_of(create_app(configure(folder, "NEW", "OLD")))
    await runner.setup()
    try:
        result = await asyncio.to_thread(command, "keys", "rotate")
    finally:
        await runner.cleanup()
    assert (result.exit_code, IDS["NEW"] in result.output) == (0, True)
    configure(folder, "NEW")
    assert (await asyncio.to_thread(command, "threads")).exit_code == 0


def test_a_rotation_that_is_killed_goes_on_where_it_was(folder: Path) -> None:
    asyncio.run(fill(folder, 4_000, "OLD"))
    configure(folder, "NEW", "OLD")
    rotating = subprocess.Popen([sys.executable, "-m", "bridge", "keys", "rotate"], cwd=folder, env=os.environ.copy())
    with closing(sqlite3.connect(folder / "store.db", timeout=10)) as db:

        def begun() -> str:
            assert rotating.poll() is None, "it was faster than the look at it"
            return place_of(db)

        place = until("a part that is rotated", begun, pause=0.001)
    rotating.send_signal(signal.SIGKILL)
    rotating.wait()
    with closing(sqlite3.connect(folder / "store.db")) as db:
        heads = dict(db.execute("SELECT substr(event, 1, 9), count(*) FROM inbox GROUP BY 1").fetchall())
        assert place
        assert heads.keys() <= {f"\x01{key_id}".encode() for key_id in IDS.values()}
    result = command("keys", "rotate")
    assert (result.exit_code, IDS["NEW"] in result.output) == (0, True)
    with closing(sqlite3.connect(folder / "store.db")) as db:
        assert db.execute("SELECT id FROM encryption_keys").fetchall() == [(IDS["NEW"],)]
        for column in ("event", "raw"):
            heads = dict(db.execute(f"SELECT substr({column}, 1, 9), count(*) FROM inbox GROUP BY 1").fetchall())
            assert heads == {f"\x01{IDS['NEW']}".encode(): 4_000}


def place_of(db: sqlite3.Connection) -> str:
    found = db.execute("SELECT place FROM encryption_keys WHERE id = ?", (IDS["NEW"],)).fetchone()
    return found[0] if found else ""
