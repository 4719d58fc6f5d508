"""The public names: what handlers import."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

import bridge
from bridge import Contact, Dialog, Message, Router, ThreadRef, Turn


def _declared() -> dict[str, str]:
    """Each name that type checkers see, with the module that it comes from."""
    source = ast.parse(Path(str(bridge.__file__)).read_text("utf-8"))
    block = next(part for part in source.body if isinstance(part, ast.If))
    return {
        name.name: str(statement.module)
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for name in statement.names
    }


def test_all_is_sorted_and_is_everything_that_can_be_seen() -> None:
    assert bridge.__all__ == sorted(bridge.__all__)
    assert set(bridge.__all__) == set(_declared())
    assert {name for name in dir(bridge) if not name.startswith("_")} == set(bridge.__all__)


@pytest.mark.parametrize("name", bridge.__all__)
def test_a_name_is_what_a_type_checker_takes_it_for(name: str) -> None:
    home = importlib.import_module(_declared()[name])
    assert getattr(bridge, name) is getattr(home, name)


def test_a_name_that_is_not_ours_is_an_error() -> None:
    with pytest.raises(ImportError, match="cannot import name 'Sutton' from 'bridge'"):
        from bridge import Sutton  # type: ignore[attr-defined]  # noqa: F401, PLC0415 - this is what is tested


def test_a_star_brings_everything() -> None:
    namespace: dict[str, object] = {}
    exec("from bridge import *", namespace)  # noqa: S102 - this is what is tested
    assert set(bridge.__all__) <= set(namespace)


_PAGE: Final = Path(__file__).parents[2] / "docs/reference/python.md"
_NAME: Final = re.compile(r"`(?:await )?\.(\w+)")


def _documented(heading: str) -> set[str]:
    """The names that the reference lists between a heading and the next one, written `.name`."""
    section = _PAGE.read_text("utf-8").partition(f"\n{heading}\n")[2]
    return set(_NAME.findall(section.partition("\n#")[0]))


_TURN: Final = Turn(
    Message(id="1", contact=Contact(id="ann"), at=datetime(2026, 1, 1, tzinfo=UTC), text="hello"),
    ThreadRef("shop", "konnek", "whatsapp", "ann"),
)


@pytest.mark.parametrize(
    ("made", "heading"),
    [(Router(), "## Router"), (_TURN, "## Turn"), (Dialog, "| method of `Dialog` | |")],
    ids=["Router", "Turn", "Dialog"],
)
def test_an_author_sees_the_documented_names_and_no_others(made: object, heading: str) -> None:
    assert {name for name in dir(made) if not name.startswith("_")} == _documented(heading)


def test_create_app_is_loaded_when_it_is_asked_for() -> None:
    from bridge import create_app  # noqa: PLC0415 - this is what is tested

    assert create_app.__module__ == "bridge.app.http"


def test_handlers_need_no_web_stack() -> None:
    code = "import sys, handlers.menu, handlers.echo; print({'aiohttp', 'asyncio'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == "set()"


def _loaded(*arguments: str) -> set[str]:
    """The modules that a fresh process has after it ran what the arguments name."""
    shown = subprocess.run([sys.executable, "-X", "importtime", *arguments], check=True, capture_output=True, text=True)
    return {line.rpartition("|")[2].strip() for line in shown.stderr.splitlines() if line.startswith("import time:")}


_HEAVY = frozenset({
    *("aiohttp", "aiosqlite", "asyncio", "cryptography", "jinja2", "msgspec", "orjson", "phonenumbers", "pydantic"),
    *("pydantic_settings", "regex", "sqlite3", "structlog", "uvloop", "watchfiles"),
})  # fmt: skip


def test_bridge_alone_imports_nothing_heavy() -> None:
    loaded = _loaded("-c", "import bridge")
    assert "bridge" in loaded
    assert loaded & (_HEAVY | {"rich", "typer"}) == set()


@pytest.mark.slow
def test_a_bridge_that_serves_loads_what_makes_the_console_when_somebody_opens_it() -> None:
    loaded = _loaded("-c", "import bridge.app.serve")
    assert "bridge.web.console.routes" in loaded
    assert "jinja2" not in loaded


@pytest.mark.slow
def test_a_bridge_that_serves_loads_cryptography_for_the_first_key_that_needs_it() -> None:
    loaded = _loaded("-c", "import bridge.app.serve, storage.sqlite, storage.postgres")
    assert "bridge.providers.signatures" in loaded
    assert "cryptography" not in loaded


@pytest.mark.slow
def test_a_bridge_that_serves_loads_regex_for_the_first_text_or_rule_that_needs_it() -> None:
    loaded = _loaded("-c", "import bridge.app.serve, storage.sqlite; from bridge import fold; fold('Café 🙏')")
    assert "bridge.planning.split" in loaded
    assert "regex" not in loaded


@pytest.mark.slow
def test_a_command_loads_structlog_without_what_that_draws_tracebacks_with() -> None:
    loaded = _loaded("-m", "bridge", "schema")
    assert "structlog.dev" in loaded
    assert loaded & {"rich.console", "greenlet._greenlet"} == set()


def test_a_process_of_our_own_needs_no_library_of_c_plus_plus() -> None:
    asked = "import_slim(); import sys, frozenlist; print(sys.modules.keys() & {'greenlet', 'frozenlist._frozenlist'})"
    shown = subprocess.check_output([sys.executable, "-c", f"from bridge.footprint import import_slim; {asked}"])
    assert shown.split() == [b"set()"]


def test_help_imports_no_command() -> None:
    loaded = _loaded("-m", "bridge", "--help")
    assert "typer" in loaded
    assert loaded & _HEAVY == set()
    assert {name for name in loaded if name.startswith("bridge.")} == {
        "bridge.cli",
        "bridge.cli.commands",
        "bridge.cli.streams",
    }
