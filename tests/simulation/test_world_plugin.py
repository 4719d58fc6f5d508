"""The pytest plugin as bot authors meet it: in a project of their own."""

from __future__ import annotations

import cProfile
import pstats
import re
from typing import Final

import pytest

from bridge.testing.world import World  # loaded once, and not again by each project
from tests.docs.pages import DOCS, blocks_of
from tests.support.child_pytest import ALONE, command
from tests.support.searches import seeds
from tests.support.worlds import counting

pytest_plugins = ("pytester",)

_TOLD: Final = """\
seed # fails: AssertionError: ann saw 'This is visit #.' # times, not once.
ann's phone at konnek, whatsapp:
  #. [text] This is visit #.
The smallest schedule that still fails, # of # choices not calm:
  choice #: crash (while: before commit turn)
"""
TUTORIAL: Final = DOCS / "tutorial.md"
PAGE: Final = DOCS / "how-to" / "test-your-bot.md"
_SCOPE: Final = "asyncio_default_fixture_loop_scope = function"
_OTHERS: Final = "addopts = -p no:schemathesis"
"""A plugin that takes longer to import than a test: each project would do so anew."""
BOT: Final = """
from bridge import Router

router = Router()

@router.default()
async def echo(turn):
    turn.state["n"] = turn.state.get("n", 0) + 1
    return f"{turn.state['n']} {turn.event.text}"
"""
ASYNC: Final = """
async def test_echo(world):
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("hello")
    await world.settle()
    ann.saw_once("1 hello")
"""
LOOP: Final = """
async def test_loop(world):
    async for each in world.explore(seeds=50, faults={"crash", "reorder"}):
        ann = each.contact("konnek", "whatsapp", "ann")
        await ann.says("a", "b")
        await each.settle()
        assert ann.texts == ["1 a", "2 b"]
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(bot=BOT)
    pytester.makeini(f"[pytest]\nthreadbridge_router = bot:router\nasyncio_mode = strict\n{_SCOPE}\n{_OTHERS}\n")
    return pytester


def test_a_world_runs_the_configured_bot_in_an_async_test_without_any_other_plugin(project: pytest.Pytester) -> None:
    project.makepyfile(test_bot=ASYNC)
    project.runpytest_inprocess("-p", "no:asyncio", "-p", "no:aiohttp", "-p", "no:anyio").assert_outcomes(passed=1)


def test_a_world_runs_beside_pytest_asyncio(project: pytest.Pytester) -> None:
    project.makepyfile(test_bot=f"import pytest\npytestmark = pytest.mark.asyncio\n{ASYNC}")
    project.runpytest_inprocess().assert_outcomes(passed=1)


def test_the_fixture_router_comes_before_the_configured_bot(project: pytest.Pytester) -> None:
    fixture = """
        import pytest
        from bridge import Router

        @pytest.fixture
        def router():
            router = Router()
            router.default()(lambda turn: "another bot")
            return router

        async def test_other(world):
            ann = world.contact("aelyst", "telegram", "ann")
            await ann.says("hello")
            await world.settle()
            ann.saw_once("another bot")
    """
    project.makepyfile(test_bot=fixture)
    project.runpytest_inprocess().assert_outcomes(passed=1)


def test_a_fixture_of_ones_own_that_is_called_world_is_left_alone(project: pytest.Pytester) -> None:
    own = """
        import pytest

        @pytest.fixture
        def world():
            return "flat"

        def test_flat(world):
            assert world == "round"
    """
    project.makepyfile(test_own=own)
    result = project.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*assert 'flat' == 'round'*"])


def test_the_pages_tests_pass(project: pytest.Pytester) -> None:
    files = {each.file: each.code for each in blocks_of(PAGE, "python") if each.file is not None}
    assert files.keys() == {"shop.py", "test_shop.py"}
    for name, code in files.items():
        project.path.joinpath(str(name)).write_text(code.replace("seeds=200", f"seeds={seeds(200)}"))
    project.runpytest_inprocess("test_shop.py").assert_outcomes(passed=2)


def test_the_tutorials_tests_pass_and_one_fails_as_it_tells(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run has a process of its own, since a module that was changed is read again in a new one only."""
    files = {str(each.file): each.code for each in blocks_of(TUTORIAL, "python")}
    assert files.keys() == {"bakery.py", "test_bakery.py", "forgetful.py"}
    for name, code in files.items():
        project.path.joinpath(name).write_text(code)
    project.path.joinpath("tox.ini").unlink()
    for name, value in ALONE.items():
        monkeypatch.setenv(name, value)
    project.run(*command()).assert_outcomes(passed=3)
    forgetful = files["test_bakery.py"].replace("import pytest\n", "import pytest\nimport forgetful\n")
    project.path.joinpath("test_bakery.py").write_text(forgetful)
    result = project.run(*command())
    result.assert_outcomes(passed=2, failed=1)
    (shown,) = (block for block in blocks_of(TUTORIAL, "text") if "Counterexample" in block.code)
    printed = {_without_numbers(line.removeprefix("E").strip()) for line in result.outlines}
    assert {_without_numbers(line.strip()) for line in shown.code.splitlines()} <= printed


def _without_numbers(text: str) -> str:
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+", "#", text)


def test_what_the_page_says_is_printed_is_printed(project: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    shop, *blocks = blocks_of(PAGE, "python")
    project.path.joinpath("shop.py").write_text(shop.code)
    project.syspathinsert()
    names: dict[str, object] = {}
    for each in blocks:
        if each.file is None:
            exec(compile(each.code, str(PAGE), "exec"), names)  # noqa: S102 - our own page
    (shown,) = blocks_of(PAGE, "text")
    printed = capsys.readouterr().out
    assert [re.sub(r"\d+", "#", each).split("How it went")[0] for each in (printed, shown.code)] == [_TOLD, _TOLD]


@pytest.mark.parametrize("marked", ["", "import pytest\npytestmark = pytest.mark.asyncio\n"], ids=["alone", "asyncio"])
def test_a_loop_that_fails_is_made_smaller_told_and_replayed(project: pytest.Pytester, marked: str) -> None:
    project.makepyfile(test_bot=marked + LOOP)
    result = project.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    told = result.stdout.str()
    result.stdout.fnmatch_lines(["*seed * fails: AssertionError*", "*smallest schedule that still fails, 1 of*"])
    found = re.search(r"--world-replay=(\d+/\d+:\d+)\b", told)
    assert found, told
    again = project.runpytest_inprocess(f"--world-replay={found[1]}")
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines([f'*replay="{found[1]}"*'])
    project.runpytest_inprocess("--world-replay=0/").assert_outcomes(passed=1)


def test_a_world_may_be_profiled() -> None:
    """Calls are counted by a profile function of the world's own, after which another profiler goes on."""

    async def scenario(world: World) -> None:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("hello")
        await world.settle()
        ann.saw_once("1: hello")

    with cProfile.Profile() as profile, World(counting()) as world:
        world.explore(scenario, seeds=2)
        afterwards()
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined] # typeshed does not know it
    assert {name: each[0] for (_, _, name), each in stats.items()}["afterwards"] == 1


def afterwards() -> None:
    """Called where nothing but the test's own profiler looks."""
