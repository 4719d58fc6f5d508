"""Takes photos and counts them."""

from __future__ import annotations

from aiogram import F, Router
from aiogram.fsm.context import FSMContext
from aiogram.types import Message

router = Router()


@router.message(F.photo)
async def photo(message: Message, state: FSMContext) -> None:
    photos = [*await state.get_value("photos", []), message.photo[-1].file_id]
    await state.update_data(photos=photos)
    await message.answer(f"Thank you, that is photo {len(photos)}.")


@router.message()
async def other(message: Message) -> None:
    await message.answer("A photo, please.")
