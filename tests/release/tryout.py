"""Install wheel and sdist in empty environments and chat with the demo: `python tests/release/tryout.py DIST`.

It needs the standard library and pip, so any Python can run it; requirements.lock is read beside the source tree.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
PYTHONS: Final = ("python3.11", "python3.12", "python3.13", "python3.14")
_SECONDS: Final = 60
_SAID: Final = {"id": "tryout-1", "conversation": "tryout", "name": "Ann", "text": "hello"}
_INSTALL: Final = ("install", "--quiet", "--disable-pip-version-check", "--no-compile")
"""A start compiles what it imports; pip would compile each language and country of the dependencies, for minutes."""


def version() -> str:
    """The version that this source tree has."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"])


def artefacts(dist: Path) -> tuple[Path, Path]:
    """The wheel and the sdist of this version."""
    wheel, sdist = dist / f"threadbridge-{version()}-py3-none-any.whl", dist / f"threadbridge-{version()}.tar.gz"
    for file in (wheel, sdist):
        if not file.is_file():
            raise SystemExit(f"{file} does not exist: run `make dist` first")
    return wheel, sdist


def clean() -> dict[str, str]:
    """This process's environment, without what would lead a command to a source tree or to settings of its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONPATH", "THREADBRIDGE_"))}


@contextmanager
def serving(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """`threadbridge demo` as a process in `folder`: its port. SIGTERM ends it, and that has to be exit code 0."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    log = folder / "demo.log"
    with log.open("w", encoding="utf-8") as output:
        full = [*command, "demo", "--port", str(port)]
        process = subprocess.Popen(full, cwd=folder, env=dict(environment), stdout=output, stderr=output)
    try:
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(_SECONDS)
        if code:
            raise SystemExit(f"demo ended with exit code {code}\n{log.read_text('utf-8')}")


def wait_until_ready(port: int) -> None:
    """Ask the demo at `port` until it serves."""
    until = time.monotonic() + _SECONDS
    while not _is_ready(port):
        if time.monotonic() > until:
            raise SystemExit(f"the demo was not ready within {_SECONDS} s")
        time.sleep(0.1)


def chat(port: int) -> str:
    """Say hello to the demo as its page does, and return what the bot answers."""
    wait_until_ready(port)
    page = HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    page.request("POST", "/console/say", json.dumps(_SAID), {"Content-Type": "application/json"})
    said = page.getresponse()
    if (said.status, said.read()) != (200, b'{"ok": true}'):
        raise SystemExit(f"the console answered {said.status} to a message")
    page.request("GET", f"/console/stream?conversation={_SAID['conversation']}")
    for line in page.getresponse():
        entry = json.loads(line.removeprefix(b"data: ")) if line.startswith(b"data: {") else {}
        if entry.get("direction") == "out":
            page.close()
            return str(entry["text"])
    raise SystemExit("the demo ended the stream without an answer")


def _is_ready(port: int) -> bool:
    page = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        page.request("GET", "/health/ready")
        return page.getresponse().status == HTTPStatus.OK
    except OSError:
        return False
    finally:
        page.close()


def _run(*command: str | Path, folder: Path) -> str:
    done = subprocess.run(list(map(str, command)), cwd=folder, env=clean(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\nended with exit code {done.returncode}\n{done.stderr}")
    return done.stdout


def try_out(artefact: Path, python: str) -> None:
    """Install `artefact` in an empty environment of `python`, away from this tree, and use it there."""
    with tempfile.TemporaryDirectory(prefix="threadbridge-tryout-") as made:
        folder = Path(made)
        _run(python, "-m", "venv", "env", folder=folder)
        pip, command = folder / "env/bin/pip", folder / "env/bin/threadbridge"
        _run(pip, *_INSTALL, "--require-hashes", "-r", ROOT / "requirements.lock", folder=folder)
        _run(pip, *_INSTALL, "--no-deps", "--no-build-isolation", artefact, folder=folder)
        _run(pip, "check", folder=folder)
        shown = _run(command, "--version", folder=folder).strip()
        if version() not in shown.split():
            raise SystemExit(f"threadbridge --version says {shown!r}, and pyproject.toml {version()!r}")
        _run(command, "init", "shop", folder=folder)
        checked = _run(command, "check", folder=folder / "shop").strip()
        with serving([str(command)], folder, clean()) as port:
            answer = chat(port)
        running = _run(folder / "env/bin/python", "-V", folder=folder).strip()
    sys.stdout.write(f"{running}, {artefact.name}: {shown}; init and check: {checked}; demo: {answer!r}\n")
    sys.stdout.flush()


def main() -> None:
    """Try both on each Python, and name each Python that is not here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dist", type=Path)
    parser.add_argument("pythons", nargs="*", default=PYTHONS, metavar="PYTHON")
    given = parser.parse_args()
    here = [found for name in given.pythons if (found := shutil.which(name))]
    for name in given.pythons:
        if shutil.which(name) is None:
            sys.stdout.write(f"{name} is not here: not tried\n")
    if not here:
        raise SystemExit("none of these Pythons is here: name one, like PYTHONS=/usr/bin/python3")
    for python in here:
        for artefact in artefacts(given.dist.resolve()):
            try_out(artefact, python)


if __name__ == "__main__":
    main()
