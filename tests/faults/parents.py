"""Questions to the parent of a bridge's workers."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from bridge.workers.words import STATUS, meeting_place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.faults.harness import Home


async def answers(home: Home, question: bytes) -> AsyncIterator[dict[str, Any]]:
    """What the parent answers, line by line."""
    answer, asking = await asyncio.open_unix_connection(meeting_place(home.url.removeprefix("http://")))
    try:
        asking.write(question)
        async for line in answer:
            yield json.loads(line)
    finally:
        asking.close()


async def asked(home: Home, question: bytes) -> list[dict[str, Any]]:
    """All of it."""
    return [line async for line in answers(home, question)]


async def workers(home: Home) -> dict[str, int]:
    """The process of the worker at each stage."""
    (status,) = await asked(home, STATUS)
    return {worker["stage"]: worker["pid"] for worker in status["workers"]}
