"""A list too long for one message, page by page; the message is turned over in place."""

from __future__ import annotations

from aiogram import F, Router
from aiogram.filters.callback_data import CallbackData
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message
from aiogram.utils.keyboard import InlineKeyboardBuilder

router = Router()
BOOKS = ["Emma", "Dracula", "Ulysses", "Walden", "Candide", "Middlemarch", "Persuasion"]
SIZE = 3


class Page(CallbackData, prefix="page"):
    page: int


def show(page: int) -> tuple[str, InlineKeyboardMarkup]:
    keyboard = InlineKeyboardBuilder()
    if page:
        keyboard.button(text="Back", callback_data=Page(page=page - 1))
    if (page + 1) * SIZE < len(BOOKS):
        keyboard.button(text="More", callback_data=Page(page=page + 1))
    return "\n".join(BOOKS[page * SIZE : (page + 1) * SIZE]), keyboard.as_markup()


@router.message(F.text.casefold() == "books")
async def first(message: Message) -> None:
    text, keyboard = show(0)
    await message.answer(text, reply_markup=keyboard)


@router.callback_query(Page.filter())
async def other(query: CallbackQuery, callback_data: Page) -> None:
    text, keyboard = show(callback_data.page)
    await query.answer()
    await query.message.edit_text(text, reply_markup=keyboard)
