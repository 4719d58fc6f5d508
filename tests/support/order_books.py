"""A bot that keeps its orders in tables of its own; the count beside them would show a statement that is done twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge import Dialog, Message, Router, Turn

if TYPE_CHECKING:
    from pathlib import Path

TABLES = """
CREATE TABLE bot_orders (no INTEGER PRIMARY KEY, what TEXT NOT NULL, amount INTEGER NOT NULL);
CREATE TABLE bot_count (n INTEGER NOT NULL);
INSERT INTO bot_count VALUES (0);
"""
COUNT = "UPDATE bot_count SET n = n + 1"
ADD = "INSERT INTO bot_orders (no, what, amount) VALUES (?, ?, ?)"

router = Router("orders")


def in_folder(folder: Path) -> str:
    """The folder of the bot's migrations, made below another one."""
    tables = folder / "tables"
    tables.mkdir()
    (tables / "0001_orders.sql").write_text(TABLES, "utf-8")
    return str(tables)


@router.message(regex=r"^order (?P<no>\d+)$")
async def order(turn: Turn[Message], no: int) -> str:
    """A row and a confirmation, or the word that there is one."""
    if await turn.fetch("SELECT 1 FROM bot_orders WHERE no = ?", no):
        return f"order {no} was there"
    turn.execute(COUNT).execute(ADD, no, "tea", 1)
    return f"order {no} is noted"


@router.message(regex=r"^buy (?P<no>\d+)$")
async def begin(turn: Turn[Message], no: int) -> None:
    await turn.begin(buy, no)


@router.dialog(version=1)
async def buy(d: Dialog, no: int) -> str:
    """Both legs change rows; the first one is played back for the second, and changes none then."""
    d.turn.execute(COUNT).execute(ADD, no, "?", 0)
    amount = await d.ask("How many?", parse=int)

    async def before() -> int:
        ((found,),) = await d.turn.fetch("SELECT amount FROM bot_orders WHERE no = ?", no)
        return int(found)

    was = await d.step(before)
    d.turn.execute(COUNT).execute("UPDATE bot_orders SET what = ?, amount = ? WHERE no = ?", "tea", amount, no)
    return f"{amount} instead of {was}"
