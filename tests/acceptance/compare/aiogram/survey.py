"""Three questions after a visit."""

from __future__ import annotations

from aiogram import F, Router
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.types import Message

router = Router()


class Survey(StatesGroup):
    food = State()
    service = State()
    remark = State()


@router.message(F.text.casefold() == "rate")
async def begin(message: Message, state: FSMContext) -> None:
    await state.set_state(Survey.food)
    await message.answer("How was the food, 1 to 5?")


@router.message(Survey.food, F.text.regexp(r"^[1-5]$"))
async def food(message: Message, state: FSMContext) -> None:
    await state.update_data(food=int(message.text))
    await state.set_state(Survey.service)
    await message.answer("And the service, 1 to 5?")


@router.message(Survey.service, F.text.regexp(r"^[1-5]$"))
async def service(message: Message, state: FSMContext) -> None:
    await state.update_data(service=int(message.text))
    await state.set_state(Survey.remark)
    await message.answer("Anything to add?")


@router.message(Survey.remark, F.text)
async def remark(message: Message, state: FSMContext) -> None:
    data = await state.get_data()
    await state.clear()
    await message.answer(f"Thank you! Food {data['food']}, service {data['service']}: {message.text}")


@router.message(Survey.food)
@router.message(Survey.service)
async def again(message: Message) -> None:
    await message.answer("A number from 1 to 5, please.")
