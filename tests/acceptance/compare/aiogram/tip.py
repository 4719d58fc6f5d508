"""One tip a day, for whoever asks, out of a service that is injected."""

from __future__ import annotations

from datetime import date

from aiogram import F, Router
from aiogram.fsm.context import FSMContext
from aiogram.types import Message

router = Router()


class Tips:
    async def of(self, day: date) -> str:
        return ["Drink water.", "Go for a walk.", "Call a friend."][day.toordinal() % 3]


INJECTED = {"tips": Tips()}
"""For the dispatcher: Dispatcher(**INJECTED); what it is given arrives by the name of a parameter."""


@router.message(F.text.casefold() == "tip")
async def tip(message: Message, state: FSMContext, tips: Tips) -> None:
    today = message.date.date()
    if await state.get_value("seen") == today.isoformat():
        await message.answer("That was it for today.")
        return
    await state.update_data(seen=today.isoformat())
    await message.answer(await tips.of(today))
