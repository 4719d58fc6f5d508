"""Answers, until a person is asked for; then it is silent until it is called back, and people write through it."""

from __future__ import annotations

from aiogram import F, Router
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.types import Message

router = Router()
DESK = -1000
"""The group where the staff reads; an answer there to a forwarded message goes back to who wrote it."""


class Desk(StatesGroup):
    human = State()


@router.message(F.chat.id == DESK, F.reply_to_message.forward_origin)
async def staff(message: Message) -> None:
    await message.copy_to(message.reply_to_message.forward_origin.sender_user.id)


@router.message(F.chat.id == DESK)
async def among_staff(message: Message) -> None: ...


@router.message(F.text.casefold() == "human")
async def hand_over(message: Message, state: FSMContext) -> None:
    await state.set_state(Desk.human)
    await message.answer("A person will take over.")


@router.message(Desk.human, F.text.casefold() == "bot")
async def take_back(message: Message, state: FSMContext) -> None:
    await state.set_state(None)
    await message.answer("I am back.")


@router.message(Desk.human)
async def keep_silent(message: Message) -> None:
    await message.forward(DESK)


@router.message()
async def answer(message: Message) -> None:
    await message.answer('Write "human" to talk to a person.')
