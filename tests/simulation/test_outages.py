"""Outage drills: a gateway is away, throttles or refuses the account for two hours, and nothing is lost or late.

500 conversations wait; in the suite those of the other gateways than Konnek are fewer, for each takes its time here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bridge import Router, Turn
from bridge.providers.port import Response
from bridge.testing import World
from tests.support.searches import IS_WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.providers.port import Request
    from bridge.testing.contacts import Contact

SECONDS = 7_200
RATE = "40/s"
OTHERS = 500 if IS_WHOLE else 30
GATEWAYS = (
    ("konnek", "telegram", 500),
    ("aelyst", "telegram", OTHERS),
    ("ginalne", "whatsapp", OTHERS),
    ("relationlabs", "peer", OTHERS),
    ("whautochat", "whatsapp", OTHERS),
)


def two_lines() -> Router:
    router = Router("two lines")

    @router.default()
    async def answer(turn: Turn[Any]) -> list[str]:
        del turn
        return ["one", "two"]

    return router


async def pass_time(world: World, seconds: float) -> None:
    """Let time pass, with what happens meanwhile, and do not wait for what is not done then."""
    stage = world._begun()
    until = stage.now + round(seconds * 1e6)
    while stage.step() or stage.pass_time(until):
        pass
    stage.jump(until)


async def drill(
    account: str, channel: str, people: int, begin: Callable[[World], Callable[[], None]]
) -> tuple[World, Sequence[Contact]]:
    """Two hours of an outage that `begin` begins and whose result ends it, and one minute after it."""
    with World(two_lines(), accounts={account: {"rate": RATE}}, counts=False) as world:
        contacts = [world.contact(account, channel, f"p{number}") for number in range(people)]
        end = begin(world)
        for contact in contacts:
            await contact.says("hi")
        await pass_time(world, SECONDS)
        end()
        await pass_time(world, 60)
        assert [contact.texts for contact in contacts] == [["one", "two"]] * people
        names = [str(line["event"]) for line in world.log]
        assert "message_dead" not in names
        assert (names.count("account_paused"), names.count("account_resumed")) == (1, 1)
        assert len(names) < 20 * people + 100
        return world, contacts


def answering(account: str, response: Response) -> Callable[[World], Callable[[], None]]:
    """The gateway answers every request so."""

    def begin(world: World) -> Callable[[], None]:
        emulator = world.emulator(account)
        usual = emulator.handle

        def handle(request: Request) -> Response:
            del request
            return response

        def end() -> None:
            emulator.handle = usual  # type: ignore[method-assign] # it is well again

        emulator.handle = handle  # type: ignore[method-assign] # the drill's fault
        return end

    return begin


def away(account: str) -> Callable[[World], Callable[[], None]]:
    def begin(world: World) -> Callable[[], None]:
        world.down(account)
        return lambda: world.up(account)

    return begin


@pytest.mark.parametrize(("account", "channel", "people"), GATEWAYS, ids=[name for name, *_ in GATEWAYS])
async def test_a_gateway_that_is_away_for_two_hours_loses_and_delays_nothing(
    account: str, channel: str, people: int
) -> None:
    await drill(account, channel, people, away(account))


@pytest.mark.parametrize("status", [401, 429, 503], ids=["refused", "throttled", "failing"])
@pytest.mark.parametrize(("account", "channel", "_people"), GATEWAYS, ids=[name for name, *_ in GATEWAYS])
async def test_a_gateway_that_takes_nothing_for_two_hours_loses_and_delays_nothing(
    account: str, channel: str, _people: int, status: int
) -> None:
    await drill(account, channel, 20, answering(account, Response(status=status, body=b"{}")))
