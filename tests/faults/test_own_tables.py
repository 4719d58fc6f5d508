"""kill -9 under load: a bot has as many rows of its own as orders were answered 200, and as many confirmations."""

from __future__ import annotations

import asyncio
import random
import shutil
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import pytest

from tests.faults.fleet import Fleet, PostgresHome
from tests.faults.harness import Gateways, Home
from tests.faults.traffic import traffic
from tests.support.postgres import new_database, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.traffic import Traffic

SEED: Final = 20261129
CONTACTS: Final = 20
CLASH: Final = 10
"""Of so many orders one has the lot of another: its turn fails, and it is a dead letter."""
TABLES: Final = """
CREATE TABLE bot_orders (no INTEGER PRIMARY KEY, contact TEXT NOT NULL);
CREATE TABLE bot_lots (lot INTEGER PRIMARY KEY);
CREATE TABLE bot_count (n INTEGER NOT NULL);
INSERT INTO bot_count VALUES (0);
INSERT INTO bot_lots VALUES (0);
"""


def orders(dice: random.Random) -> Iterator[tuple[str, str, str]]:
    """Orders without an end, each with a number of its own."""
    for number in count(1):
        lot = 0 if number % CLASH == 0 else number
        yield ("shop", "relay")[number % 2], f"c{dice.randrange(CONTACTS)}", f"order {number} {lot}"


def prepare(home: Home) -> None:
    """The bot and its migrations, beside the configuration."""
    shutil.copy(Path(__file__).with_name("order_bot.py"), home.folder)
    (home.folder / "tables").mkdir()
    (home.folder / "tables" / "0001_orders.sql").write_text(TABLES, "utf-8")
    home.environment |= {"THREADBRIDGE_STORAGE__MIGRATIONS": "tables"}


async def killed(home: Home, gateways: Gateways, cycles: int, own: Callable[[str], Any]) -> str:
    """Kill a bridge again and again; the counts, when all has come to its end."""
    dice = random.Random(SEED)
    prepare(home)
    async with traffic(home, gateways) as talk:
        try:
            async with talk.flowing(2 * CONTACTS, orders(dice), insist=True):
                for _ in range(cycles):
                    process = home.start()
                    await home.ready(process)
                    await asyncio.sleep(dice.uniform(0.05, 0.4))
                    process.kill()
                    process.wait()
                await home.ready(home.start())
            await home.settled()
            counts = await compared(home, gateways, talk, own)
        finally:
            home.kill()
    return f"{cycles} kills (seed {SEED}): {counts}"


async def compared(home: Home, gateways: Gateways, talk: Traffic, own: Callable[[str], Any]) -> str:
    """The counts: rows, confirmations at the gateways, and orders that were answered 200 and do not clash."""
    rows, done, lots = [await own(table) for table in ("bot_orders", "bot_count", "bot_lots")]
    dead = home.rows("SELECT error FROM inbox WHERE status = 'dead'")
    said = home.rows("SELECT DISTINCT key FROM outbox WHERE status = 'sent'")
    noted = {seen.text for seen in (*gateways.konnek.seen, *gateways.relationlabs.seen)}
    wanted = {f"{said.text.rpartition(' ')[0]} is noted" for said in talk.said.values() if not said.text.endswith(" 0")}
    assert noted == wanted
    assert len(dead) == len(talk.acked) - len(wanted) > 0
    assert all("StatementFailed" in str(error) for (error,) in dead), dead[:3]
    assert rows == done == lots - 1 == len(said) == len(wanted)
    return (
        f"{len(talk.acked)} orders answered 200, of them {len(dead)} that clash; "
        f"{rows} rows = {len(noted)} confirmations = {len(wanted)} orders"
    )


async def on_sqlite(folder: Path, cycles: int) -> str:
    async with Gateways(delay_ms=3).listening() as gateways:
        home = Home(folder, shop=gateways.shop.url, relay=gateways.relay.url, handlers="order_bot")

        async def own(table: str) -> Any:
            return home.rows(f"SELECT {'n' if table == 'bot_count' else 'count(*)'} FROM {table}")[0][0]

        return await killed(home, gateways, cycles, own)


def on_database(home: PostgresHome, url: str) -> Callable[[str], Any]:
    """Have a bridge keep all in PostgreSQL; what looks into the bot's tables there."""
    home.database = url
    home.environment |= {
        "THREADBRIDGE_STORAGE__URL": plain(url),
        "THREADBRIDGE_STORAGE__DURABILITY": "relaxed",
        "XDG_STATE_HOME": str(home.folder),
    }

    async def own(table: str) -> Any:
        connection = await asyncpg.connect(plain(url))
        try:
            return await connection.fetchval(
                f"SELECT {'n' if table == 'bot_count' else 'count(*)'} FROM public.{table}"
            )
        finally:
            await connection.close()

    return own


async def on_postgres(folder: Path, cycles: int) -> str:
    url = await asyncio.to_thread(new_database, "own_tables")
    async with Gateways(delay_ms=3).listening() as gateways:
        home = PostgresHome(folder, shop=gateways.shop.url, relay=gateways.relay.url, handlers="order_bot")
        return await killed(home, gateways, cycles, on_database(home, url))


async def shared(folder: Path, kills: int) -> str:
    """Three processes on one database, which all want one row; one after the other is killed, and started again."""
    url, dice = await asyncio.to_thread(new_database, "own_fleet"), random.Random(SEED)
    async with Gateways(delay_ms=3).listening() as gateways:
        fleet = Fleet(folder, shop=gateways.shop.url, relay=gateways.relay.url, handlers="order_bot")
        own = on_database(fleet, url)
        prepare(fleet)
        fleet.begin(3)
        async with traffic(fleet.anywhere, gateways) as talk, fleet.flying():
            async with talk.flowing(2 * CONTACTS, orders(dice), insist=True):
                for number in range(kills):
                    await asyncio.sleep(dice.uniform(0.3, 0.8))
                    if (process := fleet.slots[number % 3]) is not None:
                        process.kill()
            await fleet.settled()
            counts = await compared(fleet, gateways, talk, own)
    return f"{kills} kills of three processes (seed {SEED}): {counts}"


async def test_kills_leave_as_many_rows_as_confirmations(tmp_path: Path, report: Callable[[str], None]) -> None:
    report(await on_sqlite(tmp_path, 5))


async def test_kills_leave_as_many_rows_in_postgresql(tmp_path: Path, report: Callable[[str], None]) -> None:
    report(await on_postgres(tmp_path, 2))


async def test_processes_share_the_tables(tmp_path: Path, report: Callable[[str], None]) -> None:
    report(await shared(tmp_path, 3))


@pytest.mark.soak
async def test_processes_share_the_tables_over_many_kills(tmp_path: Path, report: Callable[[str], None]) -> None:
    report(await shared(tmp_path, 60))


@pytest.mark.soak
async def test_three_hundred_kills_leave_as_many_rows_as_confirmations(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    report(await on_sqlite(tmp_path, 300))


@pytest.mark.soak
async def test_a_hundred_kills_leave_as_many_rows_in_postgresql(tmp_path: Path, report: Callable[[str], None]) -> None:
    report(await on_postgres(tmp_path, 100))
