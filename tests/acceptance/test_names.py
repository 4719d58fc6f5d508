"""A project's own `handlers` and `storage` beside threadbridge, from a wheel and from its source."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hatchling.builders.wheel import WheelBuilder

from tests.support import warm_python

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
ROUTER = "from bridge import Router\nrouter, other = Router(), Router()\n"
ACCOUNT = """
[accounts.demo]
provider = "playground"

[handlers]
load = [{load}]
"""
EMBEDDED = """
import asyncio
from aiohttp import web
from bridge import create_app
{first}
async def main():
    runner = web.AppRunner(create_app("threadbridge.toml"))
    await runner.setup()
    await runner.cleanup()

asyncio.run(main())
{last}
"""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of packages that an installation makes."""
    folder = tmp_path_factory.mktemp("wheel")
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.fixture(params=["a wheel", "its source"])
def home(request: pytest.FixtureRequest) -> Path:
    return ROOT if request.param == "its source" else request.getfixturevalue("wheel")


def python(home: Path, folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a project's folder, with threadbridge from `home` and nothing else of this source tree."""
    path = [folder, home, sysconfig.get_path("purelib")]
    start = f"import sys; sys.path[1:1] = {[str(entry) for entry in path]}\n"
    return run(folder, sys.executable, "-I", "-S", "-c", start + code)


def warmly(home: Path, folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """The same from a Python that has imported what threadbridge imports, and nothing of this source tree."""
    path = [folder, home, *(sysconfig.get_path(name) for name in ("purelib", "stdlib"))]
    path += [entry for entry in sys.path if entry.endswith("lib-dynload")]
    check = "assert 'bridge' not in sys.modules"
    start = f"import sys; sys.path[:] = {[str(entry) for entry in path]}; {check}\n"
    return run(folder, warm_python.python(own=False), "-c", start + code)


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def project(folder: Path, files: Mapping[str, str], *load: str) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    entries = ", ".join(f'"{entry}"' for entry in load)
    (folder / "threadbridge.toml").write_text(ACCOUNT.format(load=entries), "utf-8")
    return folder


PACKAGES = {"handlers/__init__.py": "", "handlers/start.py": ROUTER, "storage/__init__.py": "", "storage/db.py": ""}
NAMESPACES = {"handlers/start.py": ROUTER, "storage/db.py": ""}
MODULES = {"start.py": ROUTER, "handlers.py": "from start import router", "storage.py": ""}
USE = "import storage.db"


@pytest.mark.parametrize(
    ("files", "load", "first", "last"),
    [
        pytest.param(PACKAGES, ["handlers.start", "handlers.menu"], USE, "", id="packages"),
        pytest.param(NAMESPACES, ["handlers.start", "handlers.menu"], "", USE, id="folders"),
        pytest.param(MODULES, ["handlers", "start:other"], "", "import storage", id="modules"),
        pytest.param({}, ["handlers.menu"], "", "", id="none"),
    ],
)
def test_theirs_have_the_plain_names_and_ours_are_found_all_the_same(
    home: Path, tmp_path: Path, files: Mapping[str, str], load: list[str], first: str, last: str
) -> None:
    folder = project(tmp_path, files, *load)
    embedded = warmly(home, folder, EMBEDDED.format(first=first, last=last))
    assert embedded.returncode == 0, embedded.stderr
    assert (folder / "threadbridge.db").exists()


def test_the_command_finds_theirs(home: Path, tmp_path: Path) -> None:
    folder = project(tmp_path, PACKAGES, "handlers.start", "handlers.menu")
    command = "from bridge.__main__ import main\nsys.argv = ['threadbridge', 'check']\nmain()"
    checked = python(home, folder, command)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.startswith("ok: 1 account, ")


def test_an_installation_has_no_plain_handlers_or_storage(wheel: Path) -> None:
    assert {path.name for path in wheel.iterdir() if path.is_dir() and path.suffix != ".dist-info"} == {
        "bridge",
        "threadbridge_handlers",
        "threadbridge_storage",
    }


def test_a_stored_name_is_the_same_in_an_installation(wheel: Path, tmp_path: Path) -> None:
    code = (
        "from bridge.own import author_module, lasting_name\n"
        "from bridge.routing.loading import named_function\n"
        "name = lasting_name(author_module('handlers.orders').remind)\n"
        "print(name, lasting_name(named_function(name)))"
    )
    assert python(wheel, tmp_path, code).stdout.split() == ["handlers.orders:remind"] * 2
