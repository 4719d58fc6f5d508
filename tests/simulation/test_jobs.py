"""Jobs in virtual time: once at each of their times, over nights, changes of the clock, restarts and crashes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bridge import Dialog, Job, Router, Turn
from bridge.testing import World

if TYPE_CHECKING:
    from bridge.routing.rules import Missed

MONDAY = datetime(2026, 11, 30, 0, 30, tzinfo=UTC)


def shouting(
    *, missed: Missed = "latest", when: str = "09:00", tz: str | None = None, days: str | None = None
) -> Router:
    router = Router("jobs")

    @router.every(when, tz=tz, days=days, missed=missed, name="shout")
    async def shout(turn: Turn[Job]) -> None:
        turn.state["n"] = turn.state.get("n", 0) + 1
        text = f"{turn.event.at:%a %d %H:%M}|{turn.state['n']}"
        turn.send("cook", text, channel="telegram", account="konnek")

    return router


def heard(world: World) -> list[str]:
    return [seen.text for seen in world.emulator("konnek").seen]


async def test_a_job_runs_once_at_each_of_its_times_and_remembers() -> None:
    with World(shouting(when="09:00, 17:30", tz="Asia/Jakarta", days="mon-fri"), at=MONDAY) as world:
        await world.advance("13d")
        texts = heard(world)
        assert texts[:4] == ["Mon 30 02:00|1", "Mon 30 10:30|2", "Tue 01 02:00|3", "Tue 01 10:30|4"]
        assert [text.partition(" ")[0] for text in texts] == [
            day for day in ["Mon", "Tue", "Wed", "Thu", "Fri"] * 2 for _ in "ab"
        ]


async def test_an_interval_counts_from_midnight() -> None:
    with World(shouting(when="6h"), at=MONDAY) as world:
        await world.advance("1d")
        assert heard(world) == ["Mon 30 06:00|1", "Mon 30 12:00|2", "Mon 30 18:00|3", "Tue 01 00:00|4"]


@pytest.mark.parametrize(
    ("missed", "said"),
    [
        ("latest", ["Mon 30 09:00|1", "Thu 03 09:00|2", "Fri 04 09:00|3"]),
        ("all", ["Mon 30 09:00|1", "Tue 01 09:00|2", "Wed 02 09:00|3", "Thu 03 09:00|4", "Fri 04 09:00|5"]),
        ("skip", ["Mon 30 09:00|1", "Fri 04 09:00|2"]),
    ],
)
async def test_after_three_days_down_the_policy_decides(missed: Missed, said: list[str]) -> None:
    with World(shouting(missed=missed), at=MONDAY) as world:
        await world.advance("12h")
        await world.crash(down="3d")
        await world.settle()
        await world.advance("1d")
        assert heard(world) == said


@pytest.mark.parametrize("missed", ["latest", "all", "skip"])
@pytest.mark.parametrize(
    ("at", "said"),
    [
        (datetime(2026, 3, 27, 12, tzinfo=UTC), ["Sat 28 01:30|1", "Sun 29 01:00|2", "Mon 30 00:30|3"]),
        (datetime(2026, 10, 23, 12, tzinfo=UTC), ["Sat 24 00:30|1", "Sun 25 00:30|2", "Mon 26 01:30|3"]),
    ],
    ids=["clocks go forward", "clocks go back"],
)
async def test_at_half_past_two_it_runs_once_a_day_over_both_changes(
    missed: Missed, at: datetime, said: list[str]
) -> None:
    with World(shouting(when="02:30", tz="Europe/Berlin", missed=missed), at=at) as world:
        await world.advance("3d")
        assert heard(world) == said


async def test_a_clock_that_is_set_repeats_no_run() -> None:
    with World(shouting(), at=MONDAY, faults=()) as world:
        await world.advance("9h")
        assert heard(world) == ["Mon 30 09:00|1"]
        world._stage.surroundings.ahead = -3600 * 1_000_000
        await world.advance("2h")
        assert heard(world) == ["Mon 30 09:00|1"]
        await world.advance("1d")
        assert heard(world) == ["Mon 30 09:00|1", "Tue 01 09:00|2"]


async def test_a_clock_that_was_ahead_for_days_holds_no_job_up() -> None:
    with World(shouting(), at=MONDAY) as world:
        await world.advance("1h")
        world._stage.surroundings.ahead = 10 * 86_400 * 1_000_000
        await world.advance("10min")
        world._stage.surroundings.ahead = 0
        await world.advance("2d")
        assert heard(world) == ["Wed 09 09:00|1", "Mon 30 09:00|2", "Tue 01 09:00|3"]


async def test_a_job_that_replies_or_asks_is_told_what_to_do_instead() -> None:
    router = Router("wrong")

    @router.every("09:00")
    async def replies(_turn: Turn[Job]) -> str:
        return "hello?"

    @router.every("09:00")
    async def asks(turn: Turn[Job]) -> None:
        await turn.begin(size)

    @router.every("09:00")
    async def sends(turn: Turn[Job]) -> None:
        turn.send("bob", "hello", channel="telegram")

    @router.dialog(version=1)
    async def size(d: Dialog) -> None:
        await d.ask("Which?")

    with World(router, at=MONDAY) as world:
        await world.advance("12h")
        letters = await world.inside(world.bridge.store.dead_letters())
        reasons = "\n".join(letter.reason for letter in letters)
        assert len(letters) == 3
        for reason in ("turn.send(to, ...)", "nobody to ask", "account="):
            assert reason in reasons


def test_whatever_happens_each_time_runs_once() -> None:
    async def scenario(world: World) -> None:
        await world.advance("3d")
        assert heard(world) == ["Mon 30 09:00|1", "Tue 01 09:00|2", "Wed 02 09:00|3"]

    with World(shouting(), at=MONDAY) as world:
        world.explore(scenario, seeds=25, faults={"crash", "slow_store", "store_fails", "slow_shutdown"})


def test_jobs_take_the_time_of_their_own_router_and_no_other_name_twice() -> None:
    router = Router("twice")
    router.every("1h", name="a")(_nothing)
    with pytest.raises(Exception, match="another job is named a"):
        router.every("2h", name="a")(_other)


async def _nothing(_turn: Turn[Job]) -> None: ...


async def _other(_turn: Turn[Job]) -> None: ...


WRONG = [
    ({"when": "25:00"}, "every"),
    ({"when": "09:00", "tz": "Asia/Jakata"}, "no time zone 'Asia/Jakata'"),
    ({"when": "09:00", "days": "someday"}, "09:00 someday"),
    ({"when": "15m", "days": "mon"}, "go with times of day"),
    ({"when": "0s"}, "from a second"),
    ({"when": timedelta(days=500)}, "from a second up to a year"),
    ({"when": "1h", "missed": "none"}, "missed is one of"),
]


@pytest.mark.parametrize(("given", "reason"), WRONG)
def test_a_schedule_that_is_none_is_told_at_its_line(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(Exception, match=reason) as told:
        Router("x").every(**given)
    assert "test_jobs.py" in str(told.value)


@pytest.mark.parametrize("expression", ["", "* * * *", "0 9 * * 1 2026", "61 * * * *", "0 9 * * nope", "x"])
def test_a_cron_expression_that_is_none_is_told(expression: str) -> None:
    with pytest.raises(Exception, match=r"cron"):
        Router("x").cron(expression)
