"""Answers a mistake of the contact's, and apologises for one of ours."""

from __future__ import annotations

import re

from aiogram import F, Router
from aiogram.filters import ExceptionTypeFilter
from aiogram.types import ErrorEvent, Message

router = Router()
PRICES = {"tea": "6", "soup": "ask the cook"}


@router.message(F.text.regexp(r"^price of (?P<thing>\w+)$").as_("found"))
async def price(message: Message, found: re.Match[str]) -> None:
    await message.answer(f"{int(PRICES[found['thing']])} euro.")


@router.error(ExceptionTypeFilter(LookupError), F.update.message.as_("message"))
async def unknown(_event: ErrorEvent, message: Message) -> None:
    await message.answer("We do not sell that.")


@router.error(F.update.message.as_("message"))
async def sorry(_event: ErrorEvent, message: Message) -> None:
    await message.answer("Sorry, something went wrong here.")
