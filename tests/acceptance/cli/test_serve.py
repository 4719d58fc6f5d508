"""`threadbridge run` and `demo`: what they print, when they stop, and with which code.

Where Python's own start matters, the command is a new process; elsewhere it is a fork with its modules imported.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from typer.testing import CliRunner

from bridge.cli import app
from bridge.testing.blueprint import PROVIDERS
from tests.faults.forks import Talking
from tests.support.free_ports import free_port
from tests.support.warm_python import python

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bridge.config.load import Config

    Popen = subprocess.Popen[str]
    Begin = Callable[..., Talking | Popen]

SECRET = "s" * 32


def inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("THREADBRIDGE_")}


def start(folder: Path, *arguments: str, program: str = sys.executable) -> Popen:
    """The command as a shell starts it."""
    return subprocess.Popen(
        [program, "-m", "bridge", *arguments],
        cwd=folder,
        env=inherited(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def warmly(folder: Path, *arguments: str) -> Popen:
    """The same from a Python that has imported its modules, as have those of the processes that it starts."""
    return start(folder, *arguments, program=python())


def forked(folder: Path, *arguments: str) -> Talking:
    return Talking(arguments, folder, inherited())


def finished(folder: Path, *arguments: str, begin: Begin = forked) -> tuple[int, str, str]:
    process = begin(folder, *arguments)
    out, err = process.communicate(timeout=30)
    assert process.returncode is not None
    return process.returncode, out, err


def called(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """The same without a process of its own."""
    result = CliRunner().invoke(app, [*arguments, "-c", str(folder / "threadbridge.toml")])
    return result.exit_code, result.stdout, result.stderr


@contextmanager
def running(folder: Path, *arguments: str, until: str, begin: Begin = forked) -> Iterator[Talking | Popen]:
    """The command, from the line that holds `until` on; stopped politely at the end, which must be exit code 0."""
    process = begin(folder, *arguments)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if until in line:
                break
        else:
            _, err = process.communicate(timeout=30)
            raise AssertionError(err)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0


def project(folder: Path, port: int, more: str = "") -> None:
    text = f'[server]\nport = {port}\n[accounts.demo]\nprovider = "playground"\n{more}'
    (folder / "threadbridge.toml").write_text(text, "utf-8")


def page(url: str) -> str:
    with urlopen(url, timeout=30) as answer:  # noqa: S310 - our own server
        body: bytes = answer.read()
        return body.decode()


def test_run_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    port = free_port()
    project(tmp_path, port)
    with running(tmp_path, "run", until=f"listening on http://127.0.0.1:{port} for demo", begin=start):
        assert page(f"http://127.0.0.1:{port}/health/live")
        assert (tmp_path / "threadbridge.db.sock").stat().st_mode & 0o777 == 0o600
        code, out, _ = finished(tmp_path, "check")
        assert (code, out.splitlines()[-1].startswith("ok: 1 account, ")) == (0, True)
    assert not (tmp_path / "threadbridge.db.sock").exists()


def test_what_was_quarantined_is_seen_and_dropped_while_the_bridge_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_SECRET", SECRET)
    port = free_port()
    project(tmp_path, port, '[accounts.demo.inbound]\nauth = "bearer"\nsecret = "env:TEST_SECRET"\n')
    with running(tmp_path, "run", until="listening"):
        url = called(tmp_path, "urls")[1].strip().rpartition("\t")[2]
        headers = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"}
        with urlopen(Request(url, b'{"odd": true}', headers), timeout=30) as answer:  # noqa: S310 - our own server
            assert answer.status == 200
        (line,) = called(tmp_path, "dead", "list")[1].splitlines()
        letter_id = line.partition("\t")[0]
        code, _, err = called(tmp_path, "dead", "replay", letter_id)
        assert (code, err.startswith(f"{letter_id}: ")) == (1, True)
        assert called(tmp_path, "dead", "drop", letter_id) == (0, f"{letter_id}: dropped\n", "")
        assert called(tmp_path, "dead", "list", "--json")[1] == "[]\n"


@pytest.mark.parametrize(("option", "level"), [((), "warning"), (("-v",), "debug"), (("--verbose",), "debug")])
def test_verbose_logs_more_than_the_configuration_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: tuple[str, ...], level: str
) -> None:
    served: list[Config] = []
    monkeypatch.setattr("bridge.cli.serve._serve", lambda config, *_: served.append(config))
    project(tmp_path, 8080, '[log]\nlevel = "warning"\n')
    assert called(tmp_path, "run", *option)[0] == 0
    assert [config.log.level for config in served] == [level]


def test_a_second_process_on_one_store_is_refused(tmp_path: Path) -> None:
    project(tmp_path, free_port())
    with running(tmp_path, "run", until="listening") as first:
        project(tmp_path, free_port())
        code, _, err = finished(tmp_path, "run")
        assert code == 73
        assert f"process {first.pid}" in err.splitlines()[-1]


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        project(tmp_path, port)
        code, out, err = finished(tmp_path, "run")
    line = f"threadbridge.toml: server.port: 127.0.0.1:{port} is in use by another program; choose another port"
    assert (code, out) == (71, "")
    assert err.splitlines()[-1] == line
    assert "Traceback" not in err


def test_a_host_that_does_not_resolve_is_one_clear_line(tmp_path: Path) -> None:
    """A name that no resolver has to ask anybody about."""
    (tmp_path / "threadbridge.toml").write_text('[server]\nhost = "a..b"\n', "utf-8")
    code, out, err = finished(tmp_path, "run")
    assert (code, out) == (71, "")
    assert err.splitlines()[-1] == "threadbridge.toml: server.host: a..b does not resolve to an address"
    assert "Traceback" not in err


def test_a_folder_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    project(tmp_path, free_port(), '[storage]\nurl = "sqlite:///nowhere/x.db"\n')
    for command in ("run", "migrate"):
        code, _, err = finished(tmp_path, command)
        assert code == 78
        assert err.splitlines()[-1] == f"{tmp_path}/nowhere/x.db.lock: No such file or directory"
        assert "Traceback" not in err


def test_a_file_in_the_place_of_the_socket_is_one_clear_line(tmp_path: Path) -> None:
    project(tmp_path, free_port())
    (tmp_path / "threadbridge.db.sock").write_text("precious", "utf-8")
    code, _, err = finished(tmp_path, "run")
    assert code == 78
    assert f"{tmp_path}/threadbridge.db.sock: Address already in use" in err.splitlines()
    assert "Traceback" not in err


def test_a_broken_configuration_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "threadbridge.toml").write_text("[server]\nprot = 1\n", "utf-8")
    code, out, err = finished(tmp_path, "run")
    assert (code, out) == (78, "")
    assert err == "threadbridge.toml: server.prot: unknown key; did you mean port?\n"


def test_the_demo_needs_nothing_and_says_where_to_chat(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, "demo", "--port", str(port), until=f"Chat here: http://127.0.0.1:{port}/console"):
        assert "<html" in page(f"http://127.0.0.1:{port}/console")
        trying = f"http://127.0.0.1:{port}/console/try"
        csrf = re.findall(r'name="csrf" value="([0-9a-f]+)"', page(trying))[0]
        for account in PROVIDERS:
            (channel, *_) = re.findall(r'name="channel" value="(\w+)"', page(f"{trying}?account={account}"))
            said = {"csrf": csrf, "account": account, "channel": channel, "contact": "6281234567890", "text": "howdy"}
            act = Request(f"{trying}/act", urlencode(said).encode(), {"Sec-Fetch-Site": "same-origin"})  # noqa: S310 - ours
            with urlopen(act) as shown:  # noqa: S310 - ours
                assert ">howdy<" in shown.read().decode(), account
    assert (tmp_path / "threadbridge-demo.db").exists()


def test_the_demo_takes_the_handlers_of_a_configuration_and_none_of_its_accounts(tmp_path: Path) -> None:
    text = '[handlers]\nload = ["no_such_bot"]\n[accounts.shop]\nprovider = "konnek"\n'
    (tmp_path / "threadbridge.toml").write_text(text, "utf-8")
    code, _, err = finished(tmp_path, "demo", "--port", str(free_port()), "-c", "threadbridge.toml")
    assert code == 78
    assert err.splitlines()[-1] == (
        f"threadbridge.toml: handlers.load[0]: there is no module no_such_bot; looked in {tmp_path}"
    )


def test_a_folder_may_have_any_name_in_any_locale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "a caf\u00e9"
    folder.mkdir()
    project(folder, free_port())
    assert finished(folder, "migrate", begin=start)[0] == 0
    assert (folder / "threadbridge.db").is_file()
    assert finished(folder, "threads", begin=start) == (0, "", "no conversations yet\n")
    with running(folder, "run", until="listening", begin=start):
        assert (folder / "threadbridge.db.sock").is_socket()


def test_a_folder_whose_name_is_not_utf8_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    project(folder, free_port())
    said = "threadbridge.toml: storage.url: its path is not UTF-8, and SQLite wants it to be\n"
    assert finished(folder, "run", begin=start) == (78, "", said)
