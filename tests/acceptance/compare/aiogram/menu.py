"""Offers two buttons and answers them."""

from __future__ import annotations

from aiogram import F, Router
from aiogram.types import CallbackQuery, Message
from aiogram.utils.keyboard import InlineKeyboardBuilder

router = Router()


@router.message(F.text.casefold() == "menu")
async def menu(message: Message) -> None:
    keyboard = InlineKeyboardBuilder()
    keyboard.button(text="Opening hours", callback_data="hours")
    keyboard.button(text="Address", callback_data="address")
    await message.answer("What would you like to know?", reply_markup=keyboard.as_markup())


@router.callback_query(F.data == "hours")
async def hours(query: CallbackQuery) -> None:
    await query.answer()
    await query.message.answer("We are open from 9 to 17.")


@router.callback_query(F.data == "address")
async def address(query: CallbackQuery) -> None:
    await query.answer()
    await query.message.answer("High Street 7.")
