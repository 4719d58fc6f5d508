"""Reminds later of what it is told now."""

from __future__ import annotations

import asyncio
import re

from aiogram import F, Router
from aiogram.types import Message

router = Router()
tasks: set[asyncio.Task[None]] = set()


async def later(message: Message, seconds: float, what: str) -> None:
    await asyncio.sleep(seconds)
    await message.answer(f"Reminder: {what}")


@router.message(F.text.regexp(r"^remind me in (?P<minutes>\d+) minutes to (?P<what>.+)$").as_("found"))
async def remind(message: Message, found: re.Match[str]) -> None:
    task = asyncio.create_task(later(message, int(found["minutes"]) * 60, found["what"]))
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    await message.answer("I will.")
