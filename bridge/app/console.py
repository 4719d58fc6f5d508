"""The console's view of a running bridge: the playground account's conversations, and news of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from bridge.events import ThreadRef
from bridge.providers.playground import Playground
from bridge.web.console.backend import Wakeups
from bridge.web.console.routes import add_console

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Sequence
    from contextlib import AbstractContextManager

    from bridge.app.bridge import Bridge
    from bridge.app.parts import Parts
    from bridge.config.accounts import Account
    from bridge.config.load import Config
    from bridge.config.schema import Server
    from bridge.store.looks import HistoryEntry, ThreadSummary


def playground_of(config: Config) -> Account | None:
    """The account that the playground's page is the other end of: the first one of its provider."""
    return next((account for account in config.accounts.values() if isinstance(account.provider, Playground)), None)


def add_playground(
    app: web.Application, bridge: Bridge, account: Account, hosts: frozenset[str], *, has_inbox: bool
) -> None:
    """Serve the page of a playground account. The caller sees to it: on loopback only, which has the names `hosts`."""
    backend = _backend_of(bridge.shard_of(account.name), account)
    add_console(app, backend, account=account.name, hosts=hosts, has_inbox=has_inbox)
    app.router.add_get("/", _to_console)


def names_of(server: Server, *, any_port: bool) -> frozenset[str]:
    """The names of this machine by which its pages are asked for.

    `any_port`: the port is not the configured one, but that of another server that has the application.
    """
    names = ("127.0.0.1", "localhost", "[::1]", server.host)
    return frozenset(names if any_port else (f"{name}:{server.port}" for name in names))


def _backend_of(bridge: Bridge, account: Account) -> PlaygroundBackend:
    backend = PlaygroundBackend(account, lambda: bridge.parts)
    bridge.changes.append(backend.changed)
    return backend


async def _to_console(_: web.Request) -> web.Response:
    raise web.HTTPFound("console")  # from here, wherever that is mounted


class PlaygroundBackend:
    """The console's Backend for one account; `changed` has to hear of every commit."""

    def __init__(self, account: Account, parts: Callable[[], Parts]) -> None:
        """`parts` gives the parts of the bridge, once it has started."""
        self._account = account
        self._parts = parts
        self._wakeups = Wakeups()

    async def say(self, account: str, body: bytes) -> None:
        """On the path every webhook takes."""
        del account
        await self._parts().webhooks.accept(self._account, body, None)

    async def conversations(self, account: str, *, limit: int) -> Sequence[ThreadSummary]:
        """The latest first."""
        return await self._parts().store.threads(account=account, limit=limit)

    async def history(self, account: str, conversation: str, *, after: int, limit: int) -> Sequence[HistoryEntry]:
        """The latest `limit` things said after position `after`, oldest first."""
        store = self._parts().store
        thread_id = await store.find_thread(ThreadRef(account, Playground.name, Playground.channel, conversation))
        return [] if thread_id is None else await store.history(thread_id, after=after, limit=limit)

    def changes(self, account: str, conversation: str) -> AbstractContextManager[asyncio.Event]:
        """An Event that is set after every commit that changes the conversation."""
        return self._wakeups.changes(account, conversation)

    def changed(self, thread_ids: Collection[int]) -> None:
        """Wake the pages that show one of these threads."""
        for thread_id in thread_ids:
            thread = self._parts().store.peek(thread_id)
            if thread is None:
                self._wakeups.wake_all()
            else:
                self._wakeups.wake(thread.ref.account, thread.ref.conversation_id)
