"""A program that uses the REST API of a bridge behind a real socket."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest
from pydantic import SecretStr

from bridge import Dialog, Router, Turn
from bridge.app.http import BRIDGE, create_app
from bridge.providers.playground.emulator import Emulator
from bridge.web.api.operations import PREFIX
from tests.support.manual_clock import ManualClock
from tests.support.whole_bridges import OurServer

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_aiohttp import AiohttpClient

    from bridge.app.bridge import Bridge

SECRET: Final = "a-token-of-24-bytes-or-more"
TOKENS: Final = [
    {"secret": SecretStr(SECRET), "name": "all"},
    {"secret": SecretStr(f"{SECRET}-reads"), "name": "reads", "scopes": ["read"]},
    {"secret": SecretStr(f"{SECRET}-other"), "name": "other", "accounts": ["other"]},
]
ACCOUNTS: Final = {"demo": {"provider": "playground"}, "other": {"provider": "playground"}}


def bot() -> Router:
    router = Router()

    @router.dialog(version=1)
    async def order(d: Dialog) -> str:
        await d.say("pay here")
        return f"paid: {await d.wait('paid')}"

    @router.message(text="order")
    async def begin(turn: Turn[Any]) -> None:
        await turn.begin(order)

    @router.message(text="boom")
    async def fail(turn: Turn[Any]) -> None:
        raise RuntimeError(turn.event.text)

    @router.default()
    async def answer(turn: Turn[Any]) -> str:
        return f"you said {turn.event.text}"

    return router


class Program:
    """A program that uses the API."""

    def __init__(self, client: Any, clock: ManualClock) -> None:
        self.client = client
        self.clock = clock
        self.bridge: Bridge = client.app[BRIDGE]
        self.secret = SECRET
        self.headers: dict[str, str] = {}
        self._dice = Random(7)

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        sent = {"Authorization": f"Bearer {self.secret}", **headers}
        data = body if isinstance(body, bytes | None) else orjson.dumps(body)
        if data is not None and "Content-Type" not in sent:
            sent["Content-Type"] = "application/json"
        url = path if path.startswith("/api") else f"{PREFIX}{path}"
        async with self.client.request(method, url, data=data, headers=sent) as answer:
            self.headers = dict(answer.headers)
            return answer.status, orjson.loads(await answer.read())

    async def get(self, path: str) -> Any:
        status, answer = await self.ask("GET", path)
        assert status == 200, answer
        return answer

    async def problem(self, method: str, path: str, body: object = None, **headers: str) -> int:
        """The status of an error, which is told as a problem."""
        status, answer = await self.ask(method, path, body, **headers)
        assert self.headers["Content-Type"] == "application/problem+json"
        assert (answer["status"], answer["type"]) == (status, "about:blank")
        assert answer["detail"]
        return int(status)

    async def hears(self, text: str, conversation: str = "ann", account: str = "demo") -> None:
        """A contact says something to the bot."""
        hook = Emulator(self.clock.now, self._dice).says("console", conversation, text)
        shard = self.bridge.shard_of(account)
        await shard.webhooks.accept(shard.config.accounts[account], hook.body, None)
        await self.bridge.settle()

    async def said(self, thread_id: str) -> list[str]:
        page = await self.get(f"/threads/{thread_id}/messages")
        return [entry["content"]["text"] for entry in page["items"] if "text" in entry["content"]][::-1]


def settings(folder: Path, **sections: Any) -> dict[str, Any]:
    api = {"tokens": TOKENS, **sections.pop("api", {})}
    storage = {"url": f"sqlite:///{folder}/test.db", **sections.pop("storage", {})}
    return {"storage": storage, "accounts": ACCOUNTS, "api": api, "handlers": {"attempts": 1}, **sections}


@pytest.fixture
def sections() -> dict[str, Any]:
    return {}


@pytest.fixture
async def program(tmp_path: Path, aiohttp_client: AiohttpClient, sections: dict[str, Any]) -> Program:
    clock = ManualClock()
    app = create_app(settings(tmp_path, **sections), router=bot(), clock=clock)
    return Program(await aiohttp_client(OurServer(app)), clock)


HELLO: Final = {"account": "demo", "to": "ann", "message": {"kind": "text", "text": "Hello"}}
