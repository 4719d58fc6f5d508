"""The pytest plugin: the fixture `world`, and failures of explorations made small and told.

Loaded by pytest itself, by the entry point `threadbridge`; nothing else imports it.
"""

from __future__ import annotations

import asyncio
import inspect
import random
import sys
from typing import TYPE_CHECKING, Any

import pytest

pytest.register_assert_rewrite("bridge.testing.contract")

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from bridge.testing.explore import Counterexample, Failure
    from bridge.testing.world import World


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--world-replay`, and which bot worlds run."""
    group = parser.getgroup("threadbridge")
    group.addoption("--world-replay", metavar="SCHEDULE", help="make only this run of an exploration, like 17/4:1")
    parser.addini("threadbridge_router", "the bot that worlds run: module:attribute", default="")


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world with the bot of the fixture `router`, or of the ini key `threadbridge_router`; or with `world.use`."""
    from bridge.testing.world import World  # noqa: PLC0415 - brings the engine along, which other tests can do without

    router: Any = request.config.getini("threadbridge_router") or None
    try:
        router = request.getfixturevalue("router")
    except pytest.FixtureLookupError as error:
        if error.argname != "router":
            raise
    state = random.getstate()
    random.seed("test 0")
    with World(router) as made:
        if replay := request.config.getoption("--world-replay"):
            from bridge.testing.decisions import Schedule  # noqa: PLC0415 - as above

            made.forced = Schedule.read(replay)
        yield made
    random.setstate(state)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Run an `async def` test that has a world where no other plugin would; tell more of an exploration that failed."""
    found: Any = pyfuncitem.funcargs.get("world")
    loaded = sys.modules.get("bridge.testing.world")
    if loaded is None or not isinstance(found, loaded.World):  # somebody's own fixture of that name
        return (yield)
    if inspect.iscoroutinefunction(pyfuncitem.obj):
        pyfuncitem.obj = _synchronous(pyfuncitem.obj)
    try:
        return (yield)
    except Exception as error:
        counterexample = _explained(pyfuncitem, found, error)
        if counterexample is None:
            raise
        raise counterexample from counterexample.smallest.error


def _synchronous(function: Any) -> Any:  # noqa: ANN401 - a test
    def call(**arguments: object) -> None:
        asyncio.run(function(**arguments))

    return call


def _explained(item: pytest.Function, world: World, error: Exception) -> Counterexample | None:
    """The failure of a loop over worlds, made smaller by running the test again; None for any other."""
    from bridge.testing.explore import Counterexample, smaller  # noqa: PLC0415 - as above

    exploration = world.exploration
    if exploration is None or (failed := exploration.failed(error)) is None:
        return None
    forced = world.forced

    def attempt(schedule: Any) -> Failure | None:  # noqa: ANN401 - a Schedule
        world.forced = schedule
        try:
            _call(item)
        except Exception as again:  # noqa: BLE001 - a test fails in any way it likes
            return world.exploration.failed(again) if world.exploration is not None else None
        return None

    try:
        smallest = failed if forced is not None else smaller(failed, attempt)
    finally:
        world.forced = forced
    return Counterexample(failed, smallest)


def _call(item: pytest.Function) -> None:
    names = item._fixtureinfo.argnames  # noqa: SLF001 - as pytest itself calls a test
    item.obj(**{name: item.funcargs[name] for name in names})
