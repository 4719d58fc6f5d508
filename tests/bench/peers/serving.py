"""How a peer's bot is served: it says that it is ready, and ends with its standard input."""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Protocol

    from aiohttp import web

    class Serve(Protocol):
        """Serves a bot whose gateway has this address."""

        def __call__(self, port: int, gateway: str, *, best: bool) -> Coroutine[None, None, None]: ...


PATH: Final = "/webhook"
SECRET: Final = "bench-secret-bench-secret"


def main(serve: Serve) -> None:
    """Serve as shipped, or at the bot's best."""
    port, gateway, _, mode = sys.argv[1:]
    serving = serve(int(port), f"http://127.0.0.1:{gateway}", best=mode == "best")
    if mode == "best":
        import uvloop  # noqa: PLC0415 - not as shipped

        uvloop.run(serving)
    else:
        asyncio.run(serving)


async def until_the_end(*, best: bool) -> None:
    """Say that the bot is ready, and return when it is no longer wanted."""
    if best:
        gc.collect()
        gc.freeze()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def serve_app(app: web.Application, port: int, *, best: bool) -> None:
    """Serve an aiohttp application; without an access log, which ours has none of either."""
    from aiohttp import web  # noqa: PLC0415 - not every peer has it

    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    await until_the_end(best=best)
    await runner.cleanup()
