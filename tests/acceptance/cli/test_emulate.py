"""`threadbridge emulate`, as a process: a gateway that speaks, listens, and fails when told to."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import threading
from contextlib import contextmanager
from http.client import RemoteDisconnected
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from typer.testing import CliRunner

from bridge.cli import app
from tests.faults.forks import Talking
from tests.support.free_ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

SAID = {"channel": "whatsapp", "contact": "ann", "text": "hello"}


@contextmanager
def emulating(*arguments: str, port: int | None = None, **environment: str) -> Iterator[tuple[str, str]]:
    """The URL it listens on, and all it said when it began; it must end well when told to. Port 0 is not given."""
    at = () if port == 0 else ("--port", str(port or free_port()))
    process = Talking(("emulate", *arguments, *at), Path.cwd(), os.environ | environment)
    try:
        said = "".join(process.stdout.readline() for _ in range(4))
        found = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert found, said
        yield found[0], said
    finally:
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=30)
    assert (process.returncode, rest[0]) == (0, "")


def call(url: str, body: object = None, **headers: str) -> Any:
    data = json.dumps(body).encode() if body is not None else None
    with urlopen(Request(url, data, headers), timeout=30) as answer:  # noqa: S310 - our own server
        return json.load(answer)


class Door(BaseHTTPRequestHandler):
    """Takes webhooks and keeps them."""

    seen: ClassVar[list[tuple[str, dict[str, str]]]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Not on the terminal."""


@pytest.fixture
def door() -> Iterator[str]:
    Door.seen.clear()
    server = HTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_contact_speaks_and_the_webhook_carries_the_headers(door: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    hook = f"{door}/webhooks/shop"
    with emulating(
        "konnek", "--webhook", hook, "--header", "X-Key:  not-for-the-log ", "--dup", "1", "--log", str(log)
    ) as (
        url,
        said,
    ):
        assert "Its webhooks go to --webhook." in said
        assert 'client_id = "demo-client"' in said
        assert call(f"{url}/_emulator/says", SAID)["status"] == 200
    assert [path for path, _ in Door.seen] == ["/webhooks/shop/whatsapp"] * 2
    assert Door.seen[0][1]["x-key"] == "not-for-the-log"
    assert len(log.read_text("utf-8").splitlines()) == 2
    assert "not-for-the-log" not in log.read_text("utf-8")


def test_the_account_in_a_configuration_tells_where_webhooks_go_and_with_what(door: str, tmp_path: Path) -> None:
    file = tmp_path / "threadbridge.toml"
    port = door.rpartition(":")[2]
    file.write_text(
        f"""
[server]
port = {port}
[accounts.shop]
provider = "konnek"
base_url = "http://127.0.0.1:1"
client_id = "c"
channels = ["whatsapp", "line"]
username = "env:TEST_WORD"
password = "env:TEST_WORD"
inbound = {{username = "env:TEST_WORD", password = "env:TEST_WORD"}}
""",
        "utf-8",
    )
    with emulating("konnek", "-c", str(file), TEST_WORD="word-6b1f0c8e") as (url, said):
        assert "word-6b1f0c8e" not in said
        call(f"{url}/_emulator/says", SAID)
    ((path, headers),) = Door.seen
    assert path == "/webhooks/shop/whatsapp"
    assert (headers["auth-username"], headers["auth-password"]) == ("word-6b1f0c8e", "word-6b1f0c8e")


@pytest.mark.parametrize("provider", ["aelyst", "ginalne", "konnek", "relationlabs", "whautochat"])
def test_the_line_it_prints_can_be_pasted(provider: str) -> None:
    with emulating(provider) as (_, said):
        line = next(each for each in said.splitlines() if each.startswith("To write as a contact: ")).removeprefix(
            "To write as a contact: "
        )
        _, url, _, spoken = shlex.split(line)
        assert call(url, json.loads(spoken))["status"] is None


def test_it_drops_and_fails_when_told_to() -> None:
    with emulating("konnek", "--drop", "1", "--honour-keys") as (url, _), pytest.raises(RemoteDisconnected):
        call(f"{url}/anything", {})
    with emulating("ginalne", "--fail", "503:1", "--delay", "1") as (url, _):
        with pytest.raises(HTTPError) as caught:
            call(f"{url}/message:send", {})
        caught.value.close()
        assert caught.value.code == 503
        assert call(f"{url}/_emulator/says", SAID | {"channel": "whatsapp"})["status"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["konek"], "did you mean konnek?"),
        (["playground"], "try `threadbridge demo`"),
        (["konnek", "--fail", "often"], "want CODE:P"),
        (["konnek", "--fail", "nonsense:0.5"], "nonsense"),
        (["konnek", "--fail", "503:2"], "from 0 to 1"),
        (["konnek", "--drop", "2"], "less than or equal to 1"),
        (["konnek", "--header", "no colon"], "want 'Name: value'"),
        (["ginalne", "--honour-keys"], "has no idempotency keys"),
        (["konnek", "--webhook", "localhost:8080"], "want a URL like http://127.0.0.1:8080/webhooks/shop"),
        (["konnek", "--webhook", "http://[::1"], "want a URL like"),
        (["konnek", "--log", "/no/such/folder/log"], "No such file or directory"),
    ],
)
def test_a_wrong_argument_is_usage_and_says_why(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(app, ["emulate", *arguments, "--port", "1"], env={"COLUMNS": "300"})
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_configuration_without_such_an_account_is_usage(tmp_path: Path) -> None:
    file = tmp_path / "threadbridge.toml"
    file.write_text('[accounts.demo]\nprovider = "playground"\n', "utf-8")
    result = CliRunner().invoke(app, ["emulate", "konnek", "--port", "1", "-c", str(file)], env={"COLUMNS": "300"})
    assert result.exit_code == 2
    assert "has no accounts at konnek with a route" in result.stderr


def test_a_port_in_use_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = CliRunner().invoke(app, ["emulate", "konnek", "--port", str(taken.getsockname()[1])])
    assert result.exit_code == 71
    assert result.stderr.endswith(" is in use by another program; choose another port\n")
    assert result.stderr.count("\n") == 1
