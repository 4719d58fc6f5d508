"""`threadbridge dev`, as the real command: emulated gateways, a new start at every change, and mistakes survived."""

from __future__ import annotations

import errno
import json
import queue
import re
import signal
import socket
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

from tests.acceptance.cli.test_serve import page, start, warmly
from tests.support.free_ports import free_port
from tests.support.looking import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest

    from tests.acceptance.cli.test_serve import Popen

PATIENCE = 30.0
BOT = """
from bridge import Router, Turn

router = Router("bot")


@router.message()
async def answer(turn: Turn) -> str:
    return "{}"
"""
BROWSER = """#!{python}
import sys, urllib.request
open({file!r}, "w").write(str(urllib.request.urlopen(sys.argv[1]).status))
"""
CONFIGURATION = """
[server]
host = "0.0.0.0"
port = {port}
[handlers]
load = ["mybot:router"]
[accounts.shop]
provider = "konnek"
base_url = "https://konnek.example"
client_id = "c-1"
channels = ["whatsapp"]
username = "env:TEST_DEV_USERNAME"
password = "env:TEST_DEV_PASSWORD"
[accounts.shop.inbound]
auth = "headers"
username = "env:TEST_DEV_IN_USERNAME"
password = "env:TEST_DEV_IN_PASSWORD"
"""


class Session:
    """A running `threadbridge dev` and the lines it has printed."""

    def __init__(self, process: Popen) -> None:
        self.process = process
        self.lines: list[str] = []
        self._readers: list[threading.Thread] = []
        self._out, self._err = self._reader(process.stdout), self._reader(process.stderr)

    def _reader(self, stream: Any) -> queue.Queue[str]:
        found: queue.Queue[str] = queue.Queue()

        def read() -> None:
            with stream:
                for line in stream:
                    found.put(line)

        self._readers.append(threading.Thread(target=read))
        self._readers[-1].start()
        return found

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)
        for reader in self._readers:
            reader.join(5)

    def until(self, pattern: str) -> re.Match[str]:
        """The next line on standard output like this one."""
        return self._next(self._out, pattern)

    def complains(self, pattern: str) -> None:
        """The same on standard error."""
        self._next(self._err, pattern)

    def _next(self, lines: queue.Queue[str], pattern: str) -> re.Match[str]:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                line = lines.get(timeout=max(0.1, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {pattern!r} in {self.lines}") from None
            self.lines.append(line)
            if match := re.search(pattern, line):
                return match


def said_to(url: str, text: str, key: str, answers: int) -> list[str]:
    """Ann says something; all that she was answered, once there are so many answers."""
    body = json.dumps({"channel": "whatsapp", "contact": f"ann{key}", "text": text}).encode()
    with urlopen(Request(f"{url}/_emulator/says", body), timeout=30) as answer:  # noqa: S310 - our own server
        assert json.load(answer)["status"] == 200

    def seen() -> list[Any]:
        there: list[Any] = json.loads(page(f"{url}/_emulator/seen"))
        return there if len(there) >= answers else []

    return [json.dumps(each) for each in until("an answer", seen)]


def refuses(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


@contextmanager
def developing(
    folder: Path,
    port: int,
    *options: str,
    bot: str = BOT.format("one"),
    ends: int = 0,
    begin: Callable[..., Popen] = start,
) -> Iterator[Session]:
    (folder / "threadbridge.toml").write_text(CONFIGURATION.format(port=port), "utf-8")
    (folder / "mybot.py").write_text(bot, "utf-8")
    session = Session(begin(folder, "dev", *options))
    try:
        yield session
    finally:
        session.end()
    assert session.process.returncode == ends


def test_a_change_is_taken_up_and_a_mistake_is_shown_while_the_old_code_goes_on(tmp_path: Path) -> None:
    port = free_port()
    with developing(tmp_path, port, begin=warmly) as session:
        url = session.until(r"shop: konnek is emulated at (\S+);")[1]
        session.until(rf"console: http://127.0.0.1:{port}/console")
        session.until("listening on")
        assert "<html" in page(f"http://127.0.0.1:{port}/console")
        (tmp_path / "threadbridge.toml").write_text(CONFIGURATION.format(port=port) + "# longer\n", "utf-8")
        assert session.until(r"shop: konnek is emulated at (\S+);")[1] == url
        session.until("listening on")
        assert '"one"' in said_to(url, "hi", "1", 1)[-1]

        (tmp_path / "mybot.py").write_text(BOT.format("two"), "utf-8")
        session.until("changed: mybot.py")
        session.until("listening on")
        assert '"two"' in said_to(url, "hi", "2", 2)[-1]

        raising = BOT.replace('    return "{}"', '    raise ValueError("no such order")')
        (tmp_path / "mybot.py").write_text(raising, "utf-8")
        session.until("changed: mybot.py")
        session.until("listening on")
        said_to(url, "hi", "9", 2)
        session.complains("turn_failed")
        session.complains("Traceback")
        session.complains(r'mybot.py", line 9, in answer')
        session.complains("^ValueError: no such order$")
        session.complains("event_dead.* attempt=1 .*letter=in-")

        (tmp_path / "mybot.py").write_text(BOT.format("two"), "utf-8")
        session.until("listening on")
        (tmp_path / "mybot.py").write_text("def broken(:\n", "utf-8")
        session.complains("mybot is not Python: .*mybot.py:1:")
        session.until("the old code continues")
        assert '"two"' in said_to(url, "hi", "3", 3)[-1]

        (tmp_path / "threadbridge.toml").write_text("[server\n", "utf-8")
        session.complains("not TOML")
        session.until("the old code continues")
        assert '"two"' in said_to(url, "hi", "4", 4)[-1]
        assert (tmp_path / "threadbridge-dev.db").exists()
        assert not (tmp_path / "threadbridge.db").exists()


def test_it_begins_once_the_first_mistake_is_mended(tmp_path: Path) -> None:
    with developing(tmp_path, free_port(), bot="import nothing_like_it\n", begin=warmly) as session:
        session.complains("importing mybot raises ModuleNotFoundError")
        session.until("nothing runs until this is fixed")
        (tmp_path / "mybot.py").write_text(BOT.format("one"), "utf-8")
        session.until("shop: konnek is emulated at")
        session.until("listening on")


def test_a_killed_dev_takes_its_bridge_along_and_a_closed_terminal_ends_it(tmp_path: Path) -> None:
    port = free_port()
    with developing(tmp_path, port, ends=-signal.SIGKILL) as session:
        session.until("listening on")
        session.process.kill()
        session.process.wait(timeout=30)
        until("the end of its bridge", lambda: refuses(port))
    with developing(tmp_path, port, begin=warmly) as session:  # the store is free again
        session.until("listening on")
        session.process.send_signal(signal.SIGHUP)
        assert session.process.wait(timeout=30) == 0


def test_the_browser_opens_once_the_bridge_is_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(BROWSER.format(python=sys.executable, file=str(opened)), "utf-8")
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(browser))
    with developing(tmp_path, free_port(), "--open") as session:
        session.until("listening on")
        until("the browser's visit", lambda: opened.exists() and opened.read_text())
    assert opened.read_text() == "200"
