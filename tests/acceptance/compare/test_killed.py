"""The twelve bots, killed (SIGKILL) right after each 200: what was acknowledged is answered by the next life."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

import aiohttp

from bridge.clock import SystemClock
from bridge.emulation.server import EmulatorServer
from bridge.providers.konnek.emulator import Emulator as Konnek
from bridge.units import SECOND
from tests.acceptance.compare.conversations import BOTS, CONVERSATIONS
from tests.acceptance.compare.host import serve
from tests.faults.forks import CONTEXT
from tests.support.manual_clock import START
from tests.support.whole_bridges import JSON, SHOP, SHOP_HOOK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from bridge.providers.port import Emulator, Hook
    from tests.acceptance.compare.conversations import Step

PATIENCE: Final = 20.0


@dataclass(slots=True)
class Gateway:
    """What all bots send to; each bot has a contact of its own name."""

    emulator: Emulator
    url: str

    def texts(self, bot: str) -> list[str]:
        return [each.text for each in self.emulator.seen if each.conversation_id == bot]

    def hook(self, bot: str, step: Step) -> Hook:
        if step.kind == "sends":
            return self.emulator.sends("whatsapp", bot, "image", step.what)
        if step.kind == "says":
            return self.emulator.says("whatsapp", bot, step.what)
        shown = [b for each in self.emulator.seen if each.conversation_id == bot for b in each.choices]
        return self.emulator.presses("whatsapp", bot, [each for each in shown if each.title == step.what][-1])

    async def has(self, expected: dict[str, list[str]]) -> None:
        """Return when all phones show what they should, or fail with those that do not."""
        try:
            async with asyncio.timeout(PATIENCE):
                while any(len(self.texts(bot)) < len(expected[bot]) for bot in BOTS):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pass
        assert {bot: self.texts(bot) for bot in BOTS} == expected


@asynccontextmanager
async def life(folder: Path, gateway: str, later: int, held: Path) -> AsyncIterator[str]:
    """One life of the process with the bots, and its URL; it ends by SIGKILL."""
    told, tell = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=serve, args=(folder, gateway, later, held, tell), daemon=True)
    process.start()
    tell.close()
    try:
        yield f"http://127.0.0.1:{await asyncio.to_thread(told.recv)}"
    finally:
        told.close()
        process.kill()
        process.join()


async def posted(url: str, hooks: dict[str, Hook], returned: Sequence[str]) -> Sequence[int]:
    """The status of each webhook, all posted at once, and of the requests to return the conversations of some bots."""
    posts = {f"{url}/{bot}{SHOP_HOOK}": hook.body for bot, hook in hooks.items()}
    posts |= {f"{url}/returns/{bot}": b"" for bot in returned}
    async with aiohttp.ClientSession(headers={**SHOP, **JSON}) as session:

        async def post(url: str, body: bytes) -> int:
            async with session.post(url, data=body) as answer:
                return answer.status

        return await asyncio.gather(*(post(url, body) for url, body in posts.items()))


async def test_killed_after_every_200_each_bot_goes_on_where_it_was(tmp_path: Path) -> None:
    held = tmp_path / "held"
    expected: dict[str, list[str]] = {bot: [] for bot in BOTS}
    clock = SystemClock()
    later = (START - clock.now()) // SECOND  # on the day that the conversations are about
    async with EmulatorServer(Konnek(lambda: clock.now() + later * SECOND, Random(1))) as server:
        gateway = Gateway(server.emulator, server.url)
        for number in range(1 + max(map(len, CONVERSATIONS.values()))):
            steps = {bot: steps[number] for bot, steps in CONVERSATIONS.items() if number < len(steps)}
            async with life(tmp_path, gateway.url, later, held) as url:
                await gateway.has(expected)
                held.touch()
                spoken = {bot: step for bot, step in steps.items() if step.kind not in {"waits", "returns"}}
                hooks = {bot: gateway.hook(bot, step) for bot, step in spoken.items()}
                returned = [bot for bot, step in steps.items() if step.kind == "returns"]
                assert set(await posted(url, hooks, returned)) <= {200}
                assert {bot: gateway.texts(bot) for bot in BOTS} == expected
            held.unlink()
            later += sum(int(step.what) for step in steps.values() if step.kind == "waits")
            for bot, step in steps.items():
                expected[bot] += step.replies
