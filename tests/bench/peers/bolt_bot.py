"""The bot on slack-bolt, with one session for all its calls: without that each one opens a connection."""

from __future__ import annotations

from typing import Any

import aiohttp
from slack_bolt.async_app import AsyncApp, AsyncSay
from slack_sdk.web.async_client import AsyncWebClient

from tests.bench.peers.serving import PATH, SECRET, main, serve_app


async def serve(port: int, gateway: str, *, best: bool) -> None:
    async with aiohttp.ClientSession() as session:
        client = AsyncWebClient(token="xoxb-bench", base_url=f"{gateway}/api/", session=session)
        app = AsyncApp(token="xoxb-bench", signing_secret=SECRET, client=client)

        @app.event("message")
        async def repeat(event: dict[str, Any], say: AsyncSay) -> None:
            await say(f"You said: {event['text']}")

        await serve_app(app.web_app(path=PATH), port, best=best)


if __name__ == "__main__":
    main(serve)
