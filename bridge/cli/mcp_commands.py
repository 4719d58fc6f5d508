"""Commands in processes of their own, for `threadbridge mcp`: each loads the bot as its files are now."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.cli.mcp_answers import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

_PATIENCE: Final = 120.0
"""Seconds for a command: a capture runs the bot up to 200 times."""


class Finished(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


async def finished(arguments: Sequence[str]) -> Finished:
    """Run a command to its end.

    Raises:
        Refused: it takes too long, and is stopped.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", *arguments), stdin=DEVNULL, stdout=PIPE, stderr=PIPE
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), _PATIENCE)
    except TimeoutError:
        raise Refused(f"`threadbridge {arguments[0]}` takes longer than {_PATIENCE:g} seconds") from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return Finished(process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace").strip())
