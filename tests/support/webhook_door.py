"""The webhooks of one bridge, for tests: served as `threadbridge run` does, posted to with good credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.app.http import BRIDGE, create_app
from tests.support.whole_bridges import JSON, RELAY, SHOP, OurServer, configuration, silent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aiohttp import ClientResponse
    from pytest_aiohttp import AiohttpClient

    from bridge.app.bridge import Bridge
    from bridge.routing.router import Router


class Door:
    """The webhooks of one bridge."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.bridge: Bridge = client.app[BRIDGE]

    async def post(self, path: str, content: bytes, **headers: str) -> tuple[int, bytes, Mapping[str, str]]:
        """`headers` have underscores for hyphens; an empty one is left out."""
        named = {**JSON, **SHOP, **RELAY, **{name.replace("_", "-"): value for name, value in headers.items()}}
        sent = {name: value for name, value in named.items() if value}
        skipped = ["Content-Type"] if "Content-Type" not in sent else []
        answer: ClientResponse = await self.client.post(path, data=content, headers=sent, skip_auto_headers=skipped)
        return answer.status, await answer.read(), answer.headers

    async def status(self, path: str, content: bytes, **headers: str) -> int:
        return (await self.post(path, content, **headers))[0]

    async def threads(self) -> int:
        return len(await self.bridge.store.threads())

    async def reasons(self) -> list[str]:
        """Why what is in quarantine is there, oldest first."""
        return [letter.reason for letter in reversed(await self.bridge.store.dead_letters())]


async def opened(folder: Path, aiohttp_client: AiohttpClient, router: Router | None = None, **sections: Any) -> Door:
    """A bridge whose store is in `folder`; its bot says nothing unless another is given."""
    app = create_app(configuration(folder, **sections), router=router or silent())
    return Door(await aiohttp_client(OurServer(app)))
