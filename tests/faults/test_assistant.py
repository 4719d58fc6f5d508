"""An assistant as a real process, killed with SIGKILL in the middle of each call of its model and its tool."""

from __future__ import annotations

import shutil
from collections import Counter
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from tests.faults.harness import Gateways, Home, until
from tests.faults.traffic import traffic
from tests.support.assistants import answered
from tests.support.priced_model import PricedModel, model_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SAID = ["Refund order 7?", "Done: order 7 is paid back"]


class Outside:
    """The model and the till, in this process; a bridge dies at the calls that are named."""

    def __init__(self, dies_at: str) -> None:
        self.model = PricedModel(self._rule, seconds=0.0)
        self.refunds: Counter[str] = Counter()
        self.home: Home | None = None
        self._left = {dies_at}

    def _happens(self, name: str) -> None:
        if name in self._left:
            self._left.discard(name)
            assert self.home is not None
            self.home.processes[-1].kill()

    def _rule(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        self._happens("second call" if messages[-1]["role"] == "tool" else "first call")
        return answered(messages)

    async def _refund(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.refunds[asked["key"]] += 1
        self._happens("tool")
        return web.Response(text=f"order {asked['no']} is paid back")

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        app = model_app(self.model)
        app.router.add_post("/refund", self._refund)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


def spent(home: Home) -> int:
    ((amount,),) = home.rows("SELECT amount FROM step_spending WHERE name = 'assistant all day'")
    return int(str(amount))


def sees(gateways: Gateways, number: int) -> bool:
    return len(gateways.konnek.seen) >= number


@pytest.mark.parametrize("dies_at", ["first call", "tool", "second call"])
async def test_a_kill_pays_for_one_call_again_and_acts_once(tmp_path: Path, dies_at: str) -> None:
    outside = Outside(dies_at)
    async with Gateways().listening() as gateways, outside.listening() as url:
        home = Home(tmp_path, shop=gateways.shop.url, relay=gateways.relay.url, handlers="assistant_bot")
        shutil.copy(Path(__file__).with_name("assistant_bot.py"), tmp_path)
        home.environment = {"BOT_TILL": f"{url}/refund", "BOT_MODEL": f"{url}/v1", "BOT_KEY": "sk-test"}
        outside.home = home
        async with home.supervised(), traffic(home, gateways) as talk:
            await until("the bridge", home.is_ready)
            for number, words in enumerate(("refund 7", "yes"), 1):
                assert await talk.post(talk.compose("shop", "ann", words)) == 200
                await until(f"{number} messages", partial(sees, gateways, number))
            await home.settled()
            assert [seen.text.partition("\n")[0] for seen in gateways.konnek.seen] == SAID
            assert len(outside.refunds) == 1, "one key"
            assert outside.refunds.total() == 1 + (dies_at == "tool")
            calls = len(outside.model.requests)
            assert calls == 2 + (dies_at != "tool"), "what was paid for was paid for again"
            assert outside.model.paid <= spent(home) <= outside.model.paid + (3000 if calls > 2 else 0)
        assert "You sell tea" not in home.log
        assert "order 7" not in home.log
