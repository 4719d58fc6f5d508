"""`threadbridge check`: one line for each problem, and the exit code."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from bridge.cli import app
from bridge.cli import check as module
from bridge.cli.check import filesystem
from bridge.store.opening import open_store

if TYPE_CHECKING:
    from pathlib import Path

PLAYGROUND = '[accounts.demo]\nprovider = "playground"\n'
REAL = '[accounts.r]\nprovider = "ginalne"\nbase_url = "%s"\nusername = "b"\ntoken = "env:TEST_TOKEN"\n'
MENU = '[handlers]\nload = ["handlers.menu"]\n'


def check(folder: Path, text: str = PLAYGROUND) -> tuple[int, list[str]]:
    file = folder / "threadbridge.toml"
    file.write_text(text, "utf-8")
    result = CliRunner().invoke(app, ["check", "-c", str(file)])
    return result.exit_code, [line.removeprefix(f"{file}: ") for line in result.stdout.splitlines()]


@pytest.fixture(autouse=True)
def _durable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lasting disk, and no network."""
    monkeypatch.setattr(module, "filesystem", lambda _: "ext4")
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [])


def test_all_is_well(tmp_path: Path) -> None:
    code, lines = check(tmp_path)
    assert code == 0
    assert len(lines) == 1
    assert lines[0].startswith("ok: 1 account, ")
    assert lines[0].endswith(" handlers")
    assert not (tmp_path / "threadbridge.db").exists()


def test_every_broken_handler_is_a_line(tmp_path: Path) -> None:
    code, lines = check(tmp_path, PLAYGROUND + '[handlers]\nload = ["no_such_bot", "handlers.menu:nope"]')
    assert code == 78
    assert lines == [
        f"handlers.load[0]: there is no module no_such_bot; looked in {tmp_path}",
        "handlers.load[1]: handlers.menu has no nope; did you mean handlers.menu:router?",
    ]


def test_texts_are_counted_by_language_and_what_differs_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "en.toml").write_text('hello = "Hello, {name}!"\nbye = "Bye"', "utf-8")
    (tmp_path / "texts" / "id.toml").write_text('hello = "Halo, {name}!"', "utf-8")
    code, lines = check(tmp_path)
    assert code == 0
    assert lines[0] == f"{tmp_path}/texts/id.toml: bye: warning: missing: the text of en is said"
    assert lines[-1].endswith(" handlers, 2 languages")
    (tmp_path / "texts" / "id.toml").write_text('hello = "Halo, {nama}!"\nbye = "Dah"', "utf-8")
    code, lines = check(tmp_path)
    assert code == 78
    assert f"{tmp_path}/texts/id.toml: hello: {{nama}} is no value in en" in lines


def test_a_broken_configuration_is_all_its_lines(tmp_path: Path) -> None:
    code, lines = check(tmp_path, "[server]\nprot = 1\n[limits]\nbody = 0")
    assert code == 78
    assert sorted(lines) == ["limits.body: want at least 1024", "server.prot: unknown key; did you mean port?"]


def test_warnings_alone_are_no_failure(tmp_path: Path) -> None:
    code, lines = check(tmp_path, "[handlers]\nattempts = 1")
    assert code == 0
    assert lines[0] == "accounts: warning: no account is configured, so no webhook can arrive"
    assert lines[1].startswith("ok: 0 accounts, ")


def test_an_account_without_a_secret_says_that_it_has_no_route(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TOKEN", "t" * 32)
    text = (
        '[accounts.r]\nprovider = "ginalne"\nbase_url = "https://g.example"\nusername = "bot"\ntoken = "env:TEST_TOKEN"'
    )
    code, lines = check(tmp_path, MENU + text)
    assert code == 0
    reason = "no inbound secret, so no route: it receives nothing (bearer wants secret)"
    assert lines[0] == f"accounts.r.inbound: warning: {reason}"


@pytest.mark.parametrize("kind", ["tmpfs", "ramfs"])
def test_a_store_in_memory_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(module, "filesystem", lambda _: kind)
    code, lines = check(tmp_path)
    assert code == 0
    reason = f"{tmp_path} is on {kind}: a restart of the machine deletes everything in it"
    assert lines[0] == f"storage.url: warning: {reason}"


def test_a_store_on_the_network_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "filesystem", lambda _: "nfs4")
    assert "whose locks SQLite cannot rely on" in check(tmp_path)[1][0]


def newer(database: Path) -> None:
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("PRAGMA user_version = 9999")
    db.close()


def foreign(database: Path) -> None:
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("CREATE TABLE somebody_elses (x)")
    db.close()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (newer, "written by a later threadbridge"),
        (foreign, "belongs to another application"),
        (lambda database: database.write_bytes(b"no database at all" * 100), "not a database"),
        (lambda database: database.mkdir(), "is not a file"),
    ],
    ids=["newer", "foreign", "damaged", "a folder"],
)
def test_a_store_that_cannot_be_used_is_a_problem(tmp_path: Path, make: object, words: str) -> None:
    assert callable(make)
    make(tmp_path / "threadbridge.db")
    code, lines = check(tmp_path)
    assert code == 78
    assert lines[0].startswith("storage.url: ")
    assert words in lines[0]
    assert len(lines) == 1


def test_a_missing_folder_is_a_problem(tmp_path: Path) -> None:
    code, lines = check(tmp_path, PLAYGROUND + '[storage]\nurl = "sqlite:///nowhere/x.db"')
    assert (code, lines) == (78, [f"storage.url: the folder {tmp_path}/nowhere does not exist"])


def test_the_filesystem_is_told_by_the_longest_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    home = str(tmp_path).replace(" ", r"\040")
    (tmp_path / "with space").mkdir()
    mounts.write_text(f"/dev/a / ext4 rw 0 0\nt {home}/with\\040space tmpfs rw 0 0\nn {home} xfs rw 0 0\n", "utf-8")
    assert filesystem(tmp_path / "with space", mounts) == "tmpfs"
    assert filesystem(tmp_path, mounts) == "xfs"
    assert filesystem(tmp_path, tmp_path / "no such file") == ""


def test_a_token_that_expires_soon_is_a_warning_and_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TOKEN", "t" * 32)
    account = f'{MENU}[accounts.r]\nprovider = "ginalne"\nusername = "bot"\ntoken = "env:TEST_TOKEN"\ntoken_expires = '
    code, lines = check(tmp_path, f"{account}2020-01-02")
    assert code == 0
    assert any(line.startswith("accounts.r.token: warning: the token expired on 2020-01-02") for line in lines)
    assert not any("accounts.r.token" in line for line in check(tmp_path, f"{account}2999-01-02")[1])


def test_templates_without_params_are_a_warning_until_they_are_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY", "k" * 32)
    account = f'{MENU}[accounts.w]\nprovider = "whautochat"\napi_key = "env:TEST_KEY"\nworkspace_id = "w-1"\n'
    code, lines = check(tmp_path, account)
    assert code == 0
    assert any(
        line.startswith("accounts.w.template_as: warning: is not set: templates leave without") for line in lines
    )
    assert not any("template_as" in line for line in check(tmp_path, f'{account}template_as = "string"')[1])


@pytest.mark.parametrize(
    ("addresses", "words"),
    [
        (["10.0.0.7"], "resolves to a private address"),
        (["203.0.114.9", "127.0.0.1"], "resolves to this machine"),
        (["169.254.169.254", "8.8.8.8"], "resolves to a link-local address"),
        (["8.8.8.8"], None),
        ([], None),
    ],
)
def test_a_name_behind_which_there_is_no_gateway_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, addresses: list[str], words: str | None
) -> None:
    def getaddrinfo(name: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        assert name == "g.example"
        if not addresses:
            raise OSError("no such name")
        return [(2, 1, 6, "", (address, 443)) for address in addresses]

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)
    monkeypatch.setenv("TEST_TOKEN", "t" * 32)
    code, lines = check(tmp_path, MENU + REAL % "https://g.example")
    expected = [f"accounts.r.base_url: warning: g.example {words}"] if words else []
    assert (code, [line for line in lines if "base_url" in line]) == (0, expected)


def test_a_follower_at_a_private_address_is_a_warning_unless_that_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("10.0.0.7", 443))])
    monkeypatch.setenv("SIGNING", f"whsec_{'A' * 32}")
    hook = '[[events.webhooks]]\nurl = "https://crm.example/hook"\nsecret = "env:SIGNING"\n'
    code, lines = check(tmp_path, PLAYGROUND + hook)
    reason = "crm.example resolves to a private address; events go there only with `private = true`"
    assert (code, lines[0]) == (0, f"events.webhooks[0].url: warning: {reason}")
    assert lines[1].endswith(", 1 follower")
    assert len(check(tmp_path, f"{PLAYGROUND}{hook}private = true\n")[1]) == 1


def test_a_name_that_does_not_resolve_soon_delays_no_check(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: asked.wait(10) and [])
    assert module.resolved(["slow.example"], seconds=0.01) == {}
    asked.set()


def test_a_real_account_without_handlers_is_a_problem_and_no_tea_shop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_TOKEN", "t" * 32)
    code, lines = check(tmp_path, PLAYGROUND + REAL % "https://g.example")
    assert code == 78
    assert lines[-1] == (
        'handlers.load: missing: name your handlers, like ["mybot"]; the account r is at a real gateway'
    )


def test_an_application_that_brings_its_own_handlers_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TOKEN", "t" * 32)
    code, lines = check(tmp_path, "[handlers]\nload = []\n" + REAL % "https://g.example")
    assert (code, lines[-1]) == (0, "ok: 1 account, 0 handlers")
    assert lines[-2].startswith("handlers.load: warning: no handler: ")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000", "http://localhost:9000"])
def test_an_emulated_account_meets_the_menu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("TEST_TOKEN", "t" * 32)
    code, lines = check(tmp_path, REAL % url)
    assert code == 0
    assert not lines[-1].endswith(" 0 handlers")


@pytest.mark.parametrize(
    ("folder", "file", "warned"), [(0o755, 0o644, True), (0o700, 0o644, False), (0o755, 0o600, False)]
)
def test_conversations_that_everybody_can_read_are_a_warning(
    tmp_path: Path, folder: int, file: int, *, warned: bool
) -> None:
    database = tmp_path / "threadbridge.db"
    asyncio.run(_made(database))
    database.chmod(file)
    tmp_path.chmod(folder)
    code, lines = check(tmp_path)
    assert code == 0
    line = f"storage.url: warning: every user of this machine can read {database}; chmod 700 its folder"
    assert (line in lines) is warned


async def _made(database: Path) -> None:
    await (await open_store(f"sqlite:///{database}")).close()
