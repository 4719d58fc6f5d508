"""`make bench`, or python -m tests.bench [ingest|e2e|startup] [--seconds N] [--rounds N] [--json]."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import statistics
import tempfile
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from tests.bench.servers import started
from tests.bench.startup import startup
from tests.bench.webhook_load import Figures, post, request
from tests.support.free_ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

SERVER_CORE, LOAD_CORE = 0, 1
THREADS = 1000
HEADERS = {"Auth-username": "bench-secret-bench-secret", "Auth-password": "bench-secret-bench-secret"}


def webhooks() -> Callable[[], bytes]:
    """Konnek's webhook for a text, a new one each time, from one of a thousand contacts."""
    numbers = count()
    run = os.urandom(6).hex()

    def make() -> bytes:
        number = next(numbers)
        body = {
            "from": {
                "avatar": "",
                "description": "",
                "name": "Bayu Prakoso",
                "username": f"62812{number % THREADS:07}",
            },
            "message": {
                "id": f"8d0f3b52-{run}-{number:08}",
                "type": "text",
                "text": "Halo, saya mau tanya stok",
                "media": None,
                "location": None,
                "postback": None,
                "interactive": None,
            },
        }
        return request("/webhooks/shop/whatsapp", json.dumps(body).encode(), HEADERS)

    return make


async def ingest(seconds: float, rounds: int) -> dict[str, Any]:
    """Webhooks durably stored a second, as a ratio of a plain aiohttp handler's answers. No turn runs meanwhile."""
    plain_port, bridge_port = free_port(), free_port()
    pairs: list[tuple[Figures, Figures]] = []
    with tempfile.TemporaryDirectory(dir=".") as folder:
        async with (
            started("plain", str(plain_port), core=SERVER_CORE),
            started("bridge", str(bridge_port), folder, "0", core=SERVER_CORE, env={"BENCH_HELD": "1"}),
        ):
            make = webhooks()
            await post(plain_port, make, 0.5)
            await post(bridge_port, make, 0.5)
            for _ in range(rounds):
                pairs.append((await post(plain_port, make, seconds), await post(bridge_port, make, seconds)))
        lost = sum(durable.statuses.get(200, 0) for _, durable in pairs) - _rows(folder, "inbox")
    assert lost <= 0, f"{lost} webhooks were answered 200 and are not there"
    ratios = [durable.rate / plain.rate for plain, durable in pairs]
    return {
        "plain aiohttp, answers/s": round(statistics.median(plain.rate for plain, _ in pairs)),
        "durable ingest, webhooks/s": round(statistics.median(durable.rate for _, durable in pairs)),
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(each, 3) for each in ratios],
        "p50 ms": round(statistics.median(durable.percentile(0.5) for _, durable in pairs), 2),
        "p99 ms": round(statistics.median(durable.percentile(0.99) for _, durable in pairs), 2),
        "answered otherwise": sum(n for _, each in pairs for status, n in each.statuses.items() if status != 200),
    }


async def e2e(seconds: float, rounds: int) -> dict[str, Any]:
    """Webhook in, handler, reply out over HTTP: replies a second until everything is answered and recorded."""
    rates: list[float] = []
    stages: dict[str, Any] = {}
    for _ in range(rounds):
        provider_port, bridge_port = free_port(), free_port()
        with tempfile.TemporaryDirectory(dir=".") as folder:
            async with started("stub", str(provider_port), core=LOAD_CORE):
                async with started(
                    "bridge", str(bridge_port), folder, str(provider_port), core=SERVER_CORE, env={"BENCH_STAGES": "1"}
                ):
                    began = asyncio.get_running_loop().time()
                    figures = await post(bridge_port, webhooks(), seconds)
                    while _open(folder):
                        await asyncio.sleep(0.02)
                    took = asyncio.get_running_loop().time() - began
                sent = _rows(folder, "outbox", "WHERE status = 'sent'")
                assert sent >= figures.statuses.get(200, 0)
                rates.append(sent / took)
                stages = json.loads(Path(folder, "stages.json").read_text())
    messages = stages["calls"]["2 turn: match, handle, plan, commit"]
    return {
        "replies/s": round(statistics.median(rates)),
        "transactions a message": round(stages["calls"]["7 transactions"] / messages, 3),
        "stages, ms a message": {
            stage: round(spent * 1000 / messages, 3) for stage, spent in sorted(stages["seconds"].items())
        },
    }


def _rows(folder: str, table: str, where: str = "") -> int:
    with sqlite3.connect(f"file:{folder}/bench.db?mode=ro", uri=True) as db:
        found: int = db.execute(f"SELECT count(*) FROM {table} {where}").fetchone()[0]  # noqa: S608 - our own words
        return found


def _open(folder: str) -> bool:
    return bool(_rows(folder, "inbox", "WHERE status = 'open'") or _rows(folder, "outbox", "WHERE status = 'open'"))


def main() -> None:
    """Run what is asked for, and print it."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("which", nargs="*", choices=["ingest", "e2e", "startup", []], help="default: all")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.sched_setaffinity(0, {LOAD_CORE % (os.cpu_count() or 1)})
    benches: dict[str, Callable[[], dict[str, Any]]] = {
        "ingest": lambda: uvloop.run(ingest(options.seconds, options.rounds)),
        "e2e": lambda: uvloop.run(e2e(options.seconds, options.rounds)),
        "startup": startup,
    }
    results = {name: bench() for name, bench in benches.items() if name in (options.which or benches)}
    if options.json:
        print(json.dumps(results, indent=2))
        return
    for name, figures in results.items():
        print(f"\n{name}")
        for what, value in figures.items():
            lines = value.items() if isinstance(value, dict) else ()
            print(f"  {what:32} {'' if lines else value}")
            for inner, number in lines:
                print(f"    {inner:38} {number}")


if __name__ == "__main__":
    main()
