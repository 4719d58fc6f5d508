"""The bot of the dialog's fault runs: it ends its own process at the moment it is told to, once.

A moment is told by a file of that name in the folder `moments`; it goes before the process does.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import aiohttp

from bridge import Dialog, Router, Turn

router = Router()
_MOMENTS = Path(__file__).parent / "moments"
_PAYMENTS = os.environ["BOT_PAYMENTS"]


def moment(name: str) -> None:
    """The end of the process, if it is to be now."""
    if (_MOMENTS / name).exists():
        (_MOMENTS / name).unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def stars(said: str) -> int:
    moment("in parse")
    return int(said)


async def pay(no: int, *, key: str) -> str:
    """What costs money: the payments' server knows a refund by its key."""
    moment("before the request")
    async with aiohttp.ClientSession() as session:
        async with session.post(_PAYMENTS, json={"no": no}, headers={"Idempotency-Key": key}) as answer:
            told = await answer.json()
        moment("after the answer")
        return str(told["ref"])


@router.message(regex=r"^order (?P<no>\d+)$")
async def order(turn: Turn, no: int) -> None:
    turn.state["orders"] = turn.state.get("orders", 0) + 1
    await turn.begin(refund, no)


@router.default()
async def other(turn: Turn) -> str:
    return f"heard: {turn.event.tag}"


@router.dialog(version=1, name="refund")
async def refund(d: Dialog, no: int) -> str:
    moment("before the first say")
    await d.say(f"About order {no}.")
    moment("before the first question")
    many = await d.ask("How many stars?", parse=stars, retry="A number, please.")
    moment("after the first answer")
    d.turn.state["stars"] = d.turn.state.get("stars", 0) + many
    if not await d.choose("Refund it?", yes=True, no=False):
        return "Kept."
    moment("before the step")
    ref = await d.step(pay, no, key=f"refund-{no}")
    moment("after the step")
    why = await d.ask("And why?")
    moment("before the end")
    return f"Done: {ref}, {many} stars, because {why}."
