"""Serves one of the bots for Telegram's webhooks."""

from __future__ import annotations

import os

from aiogram import Bot, Dispatcher
from aiogram.webhook.aiohttp_server import SimpleRequestHandler, setup_application
from aiohttp import web

from tests.acceptance.compare.aiogram.echo import router


def main() -> None:
    bot = Bot(os.environ["BOT_TOKEN"])
    secret = os.environ["WEBHOOK_SECRET"]
    dispatcher = Dispatcher()
    dispatcher.include_router(router)

    @dispatcher.startup()
    async def register() -> None:
        await bot.set_webhook(f"{os.environ['PUBLIC_URL']}/telegram", secret_token=secret)

    app = web.Application()
    SimpleRequestHandler(dispatcher, bot, secret_token=secret).register(app, path="/telegram")
    setup_application(app, dispatcher, bot=bot)
    web.run_app(app, host="127.0.0.1", port=8080)


if __name__ == "__main__":
    main()
