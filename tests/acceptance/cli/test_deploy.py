"""`threadbridge run --workers` and `deploy`, as the real commands under what systemd gives a service."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest
from typer.testing import CliRunner

from bridge.cli import app
from tests.support.free_ports import free_port
from tests.support.warm_python import python

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOT = """
from pathlib import Path

from bridge import Router

router = Router()
loaded = Path("loaded.txt")
if __name__ == "bot":
    loaded.write_text((loaded.read_text() if loaded.exists() else "") + "{version} ")


@router.message()
async def answers(turn):
    return "{version}"
"""
_ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"}
os.execv(sys.argv[2], sys.argv[2:])
"""


def project(folder: Path, port: int) -> None:
    text = f'[server]\nport = {port}\n[handlers]\nload = ["bot"]\n[accounts.demo]\nprovider = "playground"\n'
    (folder / "threadbridge.toml").write_text(text, "utf-8")
    write(folder, "one")


def write(folder: Path, version: str) -> None:
    (folder / "bot.py").write_text(_BOT.format(version=version), "utf-8")


def environment(**more: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("THREADBRIDGE_")}
    return {**own, "PYTHONDONTWRITEBYTECODE": "1", **more}


def called(folder: Path, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [python(), "-m", "bridge", *arguments],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def ready(port: int) -> int:
    with urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=30) as answer:
        return int(answer.status)


@contextmanager
def as_a_unit(folder: Path, port: int) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """A bridge with a worker, whose port is open already, and the socket that hears what it tells systemd."""
    with (
        socket.create_server(("127.0.0.1", port)) as listening,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
        (folder / "log.txt").open("wb") as log,
    ):
        manager.settimeout(60)
        manager.bind(str(folder / "notify"))
        command = [sys.executable, "-m", "bridge", "run", "--workers", "1"]
        process = subprocess.Popen(
            [sys.executable, "-c", _ACTIVATE, str(listening.fileno()), *command],
            cwd=folder,
            env=environment(NOTIFY_SOCKET=str(folder / "notify")),
            pass_fds=(listening.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            yield process, manager
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(60)


def test_a_deploy_loads_new_code_and_systemd_sees_one_process(tmp_path: Path) -> None:
    port = free_port()
    project(tmp_path, port)
    with as_a_unit(tmp_path, port) as (process, manager):
        assert ready(port) == 200, "a request that came before the bridge waits"
        assert manager.recv(100) == b"READY=1"
        assert f"listening on http://127.0.0.1:{port} for demo" in (tmp_path / "log.txt").read_text("utf-8")
        assert Path(f"/proc/{process.pid}/cmdline").read_bytes().count(b"bridge.workers.parent") == 1

        write(tmp_path, "two")
        code, out, err = called(tmp_path, "deploy", "--yes")
        assert (code, err) == (0, "")
        lines = [line for line in out.splitlines() if " is on tmpfs: " not in line]
        assert [line.partition(":")[0] for line in lines] == [
            "threadbridge check",
            "ok",
            "threadbridge dialogs check",
            "ok",
            *["worker 1"] * 3,
            lines[-1],
        ]
        assert "serves; connections waited" in out
        assert lines[-1].startswith("deployed in ")
        assert (tmp_path / "loaded.txt").read_text("utf-8").split()[0] == "one"
        assert (tmp_path / "loaded.txt").read_text("utf-8").split()[-1] == "two"
        assert ready(port) == 200
        assert manager.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert manager.recv(100) == b"READY=1"

        (tmp_path / "bot.py").write_text("router = (", "utf-8")
        code, out, err = called(tmp_path, "deploy", "--yes")
        assert code == 78
        assert "bot is not Python" in out
        assert err == "threadbridge check found a problem: nothing is changed\n"
        process.send_signal(signal.SIGTERM)
        assert manager.recv(100) == b"STOPPING=1"
        assert process.wait(60) == 0
    assert ' "worker": 1}' in (tmp_path / "log.txt").read_text("utf-8")


def test_a_deploy_without_an_answer_is_refused(tmp_path: Path) -> None:
    project(tmp_path, port := free_port())
    result = CliRunner().invoke(app, ["deploy", "-c", str(tmp_path / "threadbridge.toml"), "--yes"])
    assert result.exit_code == 1
    assert result.stderr == (
        f"no bridge with a parent runs at http://127.0.0.1:{port}: `threadbridge run --workers 1` starts one\n"
    )


def test_several_workers_on_sqlite_are_refused_with_the_reason(tmp_path: Path) -> None:
    project(tmp_path, free_port())
    result = CliRunner().invoke(app, ["run", "--workers", "2", "-c", str(tmp_path / "threadbridge.toml")])
    assert result.exit_code == 2
    assert "one owns it" in " ".join(result.stderr.replace("│", " ").split())


def test_a_parent_whose_port_is_taken_ends_as_a_bridge_does(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        project(tmp_path, port := taken.getsockname()[1])
        result = CliRunner().invoke(app, ["run", "--workers", "1", "-c", str(tmp_path / "threadbridge.toml")])
    assert result.exit_code == 71
    assert f"127.0.0.1:{port} is in use by another program" in result.stderr


@pytest.mark.parametrize(
    ("handed", "reason"),
    [
        ("listening", "the socket that is open already listens at"),
        ("unbound", "is no listening TCP socket"),
    ],
)
def test_a_socket_that_does_not_fit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handed: str, reason: str
) -> None:
    project(tmp_path, free_port())
    with socket.create_server(("127.0.0.1", 0)) if handed == "listening" else socket.socket() as given:
        monkeypatch.setattr("bridge.workers.activation._FIRST", descriptor := os.dup(given.fileno()))
        monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
        monkeypatch.setenv("LISTEN_FDS", "1")
        result = CliRunner().invoke(app, ["run", "-c", str(tmp_path / "threadbridge.toml")])
        if handed == "unbound":
            os.close(descriptor)
    assert result.exit_code == 78
    assert reason in result.stderr
