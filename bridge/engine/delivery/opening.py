"""Which client carries the requests: `[delivery] http_client`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from bridge.engine.delivery.lean import Lean
from bridge.engine.delivery.transport import Http, open_session

if TYPE_CHECKING:
    from bridge.engine.delivery.transport import Transport

HttpClient: TypeAlias = Literal["lean", "aiohttp"]


def open_transport(client: HttpClient) -> Transport:
    """One for all accounts. It bounds no connections in use: each account's Client bounds its own."""
    return Lean() if client == "lean" else Http(open_session())
