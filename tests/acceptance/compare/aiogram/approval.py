"""A payment that leaves once somebody pressed the button, and only once."""

from __future__ import annotations

import re

from aiogram import F, Router
from aiogram.filters.callback_data import CallbackData
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, Message
from aiogram.utils.keyboard import InlineKeyboardBuilder

router = Router()


class Decide(CallbackData, prefix="decide"):
    number: int
    amount: int
    payee: str
    paid: bool


@router.message(F.text.regexp(r"^pay (?P<amount>\d+) to (?P<payee>\w+)$").as_("found"))
async def ask(message: Message, found: re.Match[str], state: FSMContext) -> None:
    data = await state.get_data()
    number, amount, payee = data.get("number", 0) + 1, int(found["amount"]), found["payee"]
    await state.update_data(number=number, open=[*data.get("open", []), number])
    keyboard = InlineKeyboardBuilder()
    for title, paid in (("Pay", True), ("Refuse", False)):
        keyboard.button(text=title, callback_data=Decide(number=number, amount=amount, payee=payee, paid=paid))
    await message.answer(f"Pay {amount} euro to {payee}?", reply_markup=keyboard.as_markup())


@router.callback_query(Decide.filter())
async def decide(query: CallbackQuery, callback_data: Decide, state: FSMContext) -> None:
    await query.answer()
    numbers = await state.get_value("open", [])
    if callback_data.number not in numbers:
        await query.message.answer("That was decided already.")
        return
    await state.update_data(open=[each for each in numbers if each != callback_data.number])
    paid = f"Paid {callback_data.amount} euro to {callback_data.payee}."
    await query.message.answer(paid if callback_data.paid else "Refused.")
