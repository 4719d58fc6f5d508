"""The bot on chat-sdk's Telegram adapter, with its state in memory, behind aiohttp: it has no server of its own."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from chat_sdk import Chat, MemoryStateAdapter
from chat_sdk.adapters.telegram import create_telegram_adapter
from chat_sdk.adapters.telegram.types import TelegramAdapterConfig

from tests.bench.peers.serving import PATH, SECRET, main, serve_app


async def serve(port: int, gateway: str, *, best: bool) -> None:
    config = TelegramAdapterConfig(
        api_base_url=gateway, bot_token="4242424:bench", secret_token=SECRET, mode="webhook", user_name="bench_bot"
    )
    adapter = create_telegram_adapter(config)
    chat = Chat(adapters={"telegram": adapter}, state=MemoryStateAdapter(), user_name="bench_bot", logger="error")

    @chat.on_direct_message
    async def repeat(thread: Any, message: Any, *_: Any) -> None:
        await thread.post(f"You said: {message.text}")

    async def answer(request: web.Request) -> web.Response:
        answered = await adapter.handle_webhook(request)
        return web.Response(status=answered["status"], text=answered["body"])

    await chat.initialize()
    app = web.Application()
    app.router.add_post(PATH, answer)
    await serve_app(app, port, best=best)
    await chat.shutdown()


if __name__ == "__main__":
    main(serve)
