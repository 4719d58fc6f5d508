"""The bot on aiogram, behind its own handler for aiohttp."""

from __future__ import annotations

from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import Message  # noqa: TC002 - aiogram reads annotations
from aiogram.webhook.aiohttp_server import SimpleRequestHandler, setup_application
from aiohttp import web

from tests.bench.peers.serving import PATH, SECRET, main, serve_app

dispatcher = Dispatcher()


@dispatcher.message()
async def repeat(message: Message) -> None:
    await message.answer(f"You said: {message.text}")


async def serve(port: int, gateway: str, *, best: bool) -> None:
    bot = Bot("4242424:bench", session=AiohttpSession(api=TelegramAPIServer.from_base(gateway)))
    app = web.Application()
    SimpleRequestHandler(dispatcher, bot, secret_token=SECRET).register(app, path=PATH)
    setup_application(app, dispatcher, bot=bot)
    await serve_app(app, port, best=best)


if __name__ == "__main__":
    main(serve)
