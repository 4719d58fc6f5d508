"""An order in two steps: which tea, how many."""

from __future__ import annotations

from aiogram import F, Router
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.types import Message

router = Router()


class Order(StatesGroup):
    tea = State()
    packs = State()


@router.message(F.text.casefold() == "order")
async def begin(message: Message, state: FSMContext) -> None:
    await state.set_state(Order.tea)
    await message.answer("Which tea?")


@router.message(Order.tea, F.text)
async def tea(message: Message, state: FSMContext) -> None:
    await state.update_data(tea=message.text)
    await state.set_state(Order.packs)
    await message.answer("How many packs?")


@router.message(Order.packs, F.text.regexp(r"^\d+$"))
async def packs(message: Message, state: FSMContext) -> None:
    data = await state.get_data()
    number = data.get("orders", 0) + 1
    await state.set_state(None)
    await state.set_data({"orders": number})
    await message.answer(f"Order {number}: {message.text} x {data['tea']}.")


@router.message(Order.packs)
async def again(message: Message) -> None:
    await message.answer("A number, please.")
