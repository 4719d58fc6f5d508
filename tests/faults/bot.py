"""The bot of the fault runs: counts, answers, and misbehaves on request. The harness copies it beside a configuration.

Every call leaves a line in handled.txt before it does anything else, so that a run whose effects were lost shows too.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bridge import Router

if TYPE_CHECKING:
    from bridge import Message, Turn

router = Router()
_FOLDER = Path(__file__).parent
_LINES = os.open(_FOLDER / "handled.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
_SLOWEST = float(os.environ.get("BOT_SLOWEST", "0"))
"""Seconds a handler takes at most."""


def note(text: str) -> None:
    """What the log would not say: which text was handed to a handler."""
    os.write(_LINES, f"{text}\n".encode())


@router.message(regex=r"^raise ")
async def raises(turn: Turn[Message]) -> None:
    note(turn.event.text)
    turn.say("never")
    raise RuntimeError("on request")


@router.message(regex=r"^hang ")
async def hangs(turn: Turn[Message]) -> None:
    note(turn.event.text)
    await asyncio.Event().wait()


@router.message(regex=r"^block ")
def blocks(turn: Turn[Message]) -> str:
    """Until the file `go` is there: a `def` handler may."""
    note(turn.event.text)
    while not (_FOLDER / "go").exists():
        time.sleep(0.01)
    return turn.event.text


@router.message(regex=r"^exit ")
async def exits(turn: Turn[Message]) -> None:
    note(turn.event.text)
    os._exit(9)


@router.message(regex=r"^stall ")
async def stalls(turn: Turn[Message]) -> str:
    note(turn.event.text)
    time.sleep(1.5)  # noqa: ASYNC251 - the mistake that the watchdog is to name
    return turn.event.text


@router.message(regex=r"^wait ")
async def waits(turn: Turn[Message]) -> str:
    """Until the file `go` is there."""
    note(turn.event.text)
    while not (_FOLDER / "go").exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.01)
    return turn.event.text


@router.message(regex=r"^blast (?P<number>\d+)$")
async def blasts(turn: Turn[Message], number: int) -> str:
    """Sends to so many others, who have not written."""
    note(turn.event.text)
    mark = secrets.token_hex(4)
    for who in range(number):
        turn.send(f"62813{who:08}", f"{turn.event.id}|{mark}", channel="whatsapp")
    return f"sent|{mark}"


@router.message()
async def counts(turn: Turn[Message]) -> None:
    """Says the text again with the conversation's count and this run's own mark; twice where it says "pair"."""
    text = turn.event.text
    note(text)
    if _SLOWEST:
        await asyncio.sleep(random.random() * _SLOWEST)
    turn.state["n"] = turn.state.get("n", 0) + 1
    mark = secrets.token_hex(4)
    for part in range(2 if text.startswith("pair ") else 1):
        turn.say(f"{text}|{turn.state['n']}|{mark}|{part}")
