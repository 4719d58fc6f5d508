"""`threadbridge capture`: the captured tests show twenty planted bugs, without the words of people."""

from __future__ import annotations

import asyncio
import importlib
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from typer.testing import CliRunner

from bridge.cli import app
from bridge.cli.capture import _captured, told
from bridge.cli.story import _routers, written
from bridge.config.load import load_config
from bridge.store.opening import open_reader
from bridge.testing import World
from bridge.testing.contract.store.desk import Desk, given_up
from tests.support.child_pytest import command, environment
from tests.support.planted_bugs import BUGS, Bug
from tests.support.played_bugs import PLAYED
from tests.support.recordings import keep

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from bridge.routing.router import Router

_GREETS: Final = """
@router.default()
def greet(turn: Turn):
    return Buttons(f"Hello, {turn.event.contact.name}!", [Button("1", "Seat 1"), Button("2", "Seat 2")])BUG
"""
PERSONAL: Final = ("Maria", "O'Brien", "6281234500099", "broken lamp", "living room", "6.21462")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What pytest says of a captured test: "" where it passes."""

    text: str
    broken: str
    mended: str


async def first_letter(url: str) -> str:
    """The oldest dead letter, else the first conversation."""
    store = await open_reader(url)
    try:
        letters = await store.dead_letters()
        return letters[-1].id if letters else "1"
    finally:
        await store.close()


def captured(bug: Bug, module: str, router: Router, folder: Path, *, keep_texts: bool = False) -> str:
    """The test of what happened to a bug in production."""
    with World(router, accounts={"demo": {"provider": "playground"}}) as world:
        asyncio.run(bug.happens(world))
        url = keep(world, folder / f"{module}{keep_texts}.db")
        config = world.bridge.config
    config = replace(config, handlers=config.handlers.model_copy(update={"load": (module,)}))
    source = replace(config, storage=config.storage.model_copy(update={"url": url}))
    found = asyncio.run(_captured(source, asyncio.run(first_letter(url))))
    assert found is not None
    return written(told(found, config, router, keep_texts=keep_texts))


def outcomes(tests: Path, bots: Path) -> dict[str, str]:
    """By module, what pytest says of its test with the bots in a folder."""
    report = tests / "report.xml"
    call = command("--tb=native", f"--junitxml={report}", str(tests))
    subprocess.run(call, env=environment(bots, *sys.path), cwd=tests, check=False, capture_output=True, timeout=120)
    found = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - written a moment ago
        failures = [*case.iter("failure"), *case.iter("error")]
        found[str(case.get("classname"))] = f"{failures[0].get('message')}\n{failures[0].text}" if failures else ""
    return found


def all_shown(folder: Path, bugs: Sequence[Bug]) -> dict[str, Shown]:
    """Of each bug what its captured test shows, with the bug and without."""
    broken, mended, tests = (folder / name for name in ("broken", "mended", "tests"))
    for place in (broken, mended, tests):
        place.mkdir()
    sys.path.insert(0, str(broken))
    texts = {}
    for number, bug in enumerate(bugs):
        module = f"planted_bug_{number}"
        (broken / f"{module}.py").write_text(bug.source(mended=False), "utf-8")
        (mended / f"{module}.py").write_text(bug.source(mended=True), "utf-8")
        texts[module] = captured(bug, module, importlib.import_module(module).router, folder)
        (tests / f"test_{module}.py").write_text(texts[module], "utf-8")
    sys.path.remove(str(broken))
    with_bug, without = outcomes(tests, broken), outcomes(tests, mended)
    return {
        bug.name: Shown(
            text=texts[f"planted_bug_{number}"],
            broken=with_bug[f"test_planted_bug_{number}"],
            mended=without[f"test_planted_bug_{number}"],
        )
        for number, bug in enumerate(bugs)
    }


def reproduces(bug: Bug, one: Shown) -> bool:
    """Whether a test fails with the bug as production did, and passes without it.

    Where the bot said something wrong, the test holds what it said: it passes with the bug, and fails without it.
    """
    if bug.raises:
        return bug.raises in one.broken and bug.wrong.split()[0] in one.broken and not one.mended
    return not one.broken and "AssertionError" in one.mended


def test_twenty_bugs_are_reproduced_by_tests_that_name_nobody(tmp_path: Path) -> None:
    """One test, since all bugs share two runs of pytest."""
    bugs = (*BUGS, *PLAYED)
    shown = all_shown(tmp_path, bugs)
    assert (len(BUGS), len(PLAYED)) == (20, 3)
    assert [shown[bug.name] for bug in bugs if not reproduces(bug, shown[bug.name])] == []
    named = {name: [word for word in PERSONAL if word in one.text] for name, one in shown.items()}
    assert not any(named.values()), named
    text = shown["a word in a text"].text
    assert "refund" in text
    assert "want" not in text
    assert "1 texts are as they were written" in text


def test_texts_are_kept_when_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bug = next(bug for bug in BUGS if bug.name == "a word in a text")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "bug_with_texts.py").write_text(bug.source(mended=False), "utf-8")
    router = importlib.import_module("bug_with_texts").router
    text = captured(bug, "bug_with_texts", router, tmp_path, keep_texts=True)
    assert "I want a refund for my broken lamp" in text
    assert "Maria" not in text


def test_a_bot_that_calls_people_by_name_is_shown_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bug = replace(next(bug for bug in PLAYED if bug.name.startswith("a press")), bot=_GREETS, wrong="", right="")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "greeting_bot.py").write_text(bug.source(mended=False), "utf-8")
    router = importlib.import_module("greeting_bot").router
    text = captured(bug, "greeting_bot", router, tmp_path)
    assert '"~Hello, ann!"' in text
    assert "Maria" not in text


def test_an_auto_responder_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "threadbridge.toml").write_text(
        '[handlers]\nload = ["auto:replies.toml", "mine:bots.shop"]\n[accounts.a]\nprovider = "playground"\n', "utf-8"
    )
    routers = _routers(load_config(tmp_path / "threadbridge.toml"))
    assert routers == [
        ("from handlers.autoresponder import read_router", 'read_router(Path("replies.toml"))'),
        ("from mine import bots as bots_1", "bots_1.shop"),
    ]


BOT = """
from bridge import Router, Turn
router = Router("bot")
@router.default()
def answer(turn: Turn) -> str:
    raise ValueError("boom")
"""


def test_the_command_prints_the_test_and_tells_what_is_no_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fill() -> None:
        desk = await Desk(f"sqlite:///{tmp_path / 'threadbridge.db'}").open()
        (row,) = await desk.hear("1")
        await desk.store.settle_turn(replace(given_up(row, "given up after 5 tries: ValueError: words of ann")))
        await desk.store.close()

    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "captured_bot.py").write_text(BOT, "utf-8")
    (tmp_path / "threadbridge.toml").write_text(
        '[handlers]\nload = ["captured_bot"]\nattempts = 3\n[accounts.shop]\nprovider = "playground"\n', "utf-8"
    )

    def call(name: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, ["capture", name, "-c", str(tmp_path / "threadbridge.toml")])
        return result.exit_code, result.stdout, result.stderr

    assert call("in-1")[0] == 1
    asyncio.run(fill())
    code, text, _ = call("in-1")
    assert code == 0
    assert "from captured_bot import router\n" in text
    assert 'settings={"handlers": {"attempts": 3}}' in text
    assert "# In production the turn failed: ValueError" in text
    assert "words of ann" not in text
    compile(text, "test_captured.py", "exec")
    assert call("1")[0] == 0
    for name in ("2", "in-9", "out-1", "x"):
        assert (call(name)[0], "has this id" in call(name)[2]) == (1, True)
