"""The bot on python-telegram-bot, behind its own webhook server.

It handles one update at a time: with `concurrent_updates` the pool of its HTTP client made it slower.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telegram.ext import Application, ContextTypes, MessageHandler, filters

from tests.bench.peers.serving import PATH, SECRET, main, until_the_end

if TYPE_CHECKING:
    from telegram import Update


async def repeat(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
    await update.message.reply_text(f"You said: {update.message.text}")


async def serve(port: int, gateway: str, *, best: bool) -> None:
    application = Application.builder().token("4242424:bench").base_url(f"{gateway}/bot").build()
    application.add_handler(MessageHandler(filters.TEXT, repeat))
    async with application:
        await application.updater.start_webhook(
            "127.0.0.1", port, url_path=PATH.strip("/"), secret_token=SECRET, webhook_url="https://bench.example"
        )
        await application.start()
        await until_the_end(best=best)
        await application.updater.stop()
        await application.stop()


if __name__ == "__main__":
    main(serve)
