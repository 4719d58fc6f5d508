"""The pytest plugin as bot authors meet it: in a project of their own."""

from __future__ import annotations

import re
from typing import Final

import pytest

import bridge.testing.world  # noqa: F401 - loaded once, and not again by each project

pytest_plugins = ("pytester",)

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
    pytester.makeini(
        "[pytest]\nthreadbridge_router = bot:router\nasyncio_mode = strict\nasyncio_default_fixture_loop_scope = function\n"
    )
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
