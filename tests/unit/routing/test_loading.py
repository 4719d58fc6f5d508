"""Loading handlers: what is found, and the line for what is not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bridge.errors import ConfigError
from bridge.routing.loading import load_routers

if TYPE_CHECKING:
    from collections.abc import Iterator

WANTED = "want module, module:attribute or auto:FILE, like mybot:router or auto:replies.toml"
ROUTER = "from bridge import Router\nrouter = Router()\nother = Router()\nnumber = 5\n"
BAD_INT = "invalid literal for int() with base 10: ''"


@pytest.fixture(autouse=True)
def _path() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def lines(entries: list[str], folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_routers(entries, folder)
    return [str(problem) for problem in caught.value.problems]


def test_routers_are_found_beside_the_configuration_in_the_order_written(tmp_path: Path) -> None:
    (tmp_path / "shop_one.py").write_text(ROUTER, "utf-8")
    (tmp_path / "shops").mkdir()
    (tmp_path / "shops" / "two.py").write_text("import shop_one\nclass Bots:\n    main = shop_one.other\n", "utf-8")
    routers = load_routers(["shops.two:Bots.main", "shop_one", "handlers.menu"], tmp_path)
    one = sys.modules["shop_one"]
    assert routers == [one.other, one.router, sys.modules["handlers.menu"].router]


def test_our_own_folders_hide_nothing() -> None:
    root = Path(__file__).parents[3]
    assert (root / "handlers" / "menu.py").is_file()
    assert load_routers(["handlers.menu"], root) == [sys.modules["handlers.menu"].router]


@pytest.mark.parametrize(
    ("entry", "source", "reason"),
    [
        ("shop_b", None, "there is no module shop_b; did you mean shop_bot?"),
        ("quite.another", None, "there is no module quite.another; looked in {folder}"),
        ("shop-bot", None, WANTED),
        ("shop_bot:", None, WANTED),
        ("shop_bot:number", ROUTER, "shop_bot:number is no Router but of type int"),
        ("shop_bot:nope", ROUTER, "shop_bot has no nope; did you mean shop_bot:router?"),
        ("shop_bot", "x = 1", "shop_bot has no router, and no Router under another name"),
        ("shop_bot", "x = (", "shop_bot is not Python: {folder}/shop_bot.py:1: '(' was never closed"),
        (
            "shop_bot",
            "\n1 / 0",
            "importing shop_bot raises ZeroDivisionError at {folder}/shop_bot.py:2: division by zero",
        ),
        ("shop_bot", "exit('a\\nb')", "importing shop_bot raises SystemExit at {folder}/shop_bot.py:1: a b"),
        (
            "shop_bot",
            "import no_such_thing",
            "importing shop_bot raises ModuleNotFoundError at {folder}/shop_bot.py:1: No module named 'no_such_thing'",
        ),
    ],
)
def test_what_cannot_be_loaded_is_one_line(tmp_path: Path, entry: str, source: str | None, reason: str) -> None:
    (tmp_path / "shop_bot.py").write_text(source or ROUTER, "utf-8")
    expected = f"configuration: handlers.load[1]: {reason.format(folder=tmp_path)}"
    assert lines(["handlers.menu", entry], tmp_path) == [expected]


def test_a_handler_that_cannot_work_is_told_with_its_own_file_and_line(tmp_path: Path) -> None:
    source = ROUTER + "@router.message(kind='smell')\ndef f(turn): ...\n"
    (tmp_path / "shop_smell.py").write_text(source, "utf-8")
    (line,) = lines(["shop_smell"], tmp_path)
    assert f"{tmp_path}/shop_smell.py:5" in line
    assert "smell" in line


def test_the_same_router_twice_is_a_mistake(tmp_path: Path) -> None:
    assert lines(["handlers.menu", "handlers.menu"], tmp_path) == [
        "configuration: handlers.load[1]: handlers.menu is listed twice"
    ]


@pytest.mark.parametrize("place", ["bridge.py", "bridge/__init__.py"])
def test_a_module_that_hides_bridge_is_told(tmp_path: Path, place: str) -> None:
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("", "utf-8")
    assert lines([], tmp_path) == [
        "configuration: handlers.load: a module beside it is named bridge like threadbridge's own; rename it"
    ]


def test_a_folder_of_data_named_like_ours_is_no_problem(tmp_path: Path) -> None:
    (tmp_path / "storage").mkdir()
    assert load_routers([], tmp_path) == []


def test_the_configurations_folder_comes_before_everything_else(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for folder in (other, tmp_path):
        (folder / "shop_twice.py").write_text(f"{ROUTER}folder = {str(folder)!r}\n", "utf-8")
    sys.path.insert(0, str(other))
    load_routers(["shop_twice"], tmp_path)
    assert sys.modules["shop_twice"].folder == str(tmp_path)
