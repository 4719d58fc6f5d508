"""Greets by the name it is told."""

from __future__ import annotations

import re

from aiogram import F, Router
from aiogram.types import Message
from magic_filter import RegexpMode

router = Router()


@router.message(F.text.regexp(r"(?i)my name is (?P<name>\w+)", mode=RegexpMode.SEARCH).as_("found"))
async def greet(message: Message, found: re.Match[str]) -> None:
    await message.answer(f"Hello, {found['name']}!")
