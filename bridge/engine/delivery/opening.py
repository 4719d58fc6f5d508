"""Which client carries the requests: `[delivery] http_client`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from bridge.engine.delivery.dialling import verifying
from bridge.engine.delivery.lean import Lean
from bridge.engine.delivery.public import public_connector
from bridge.engine.delivery.transport import Guarded, Http, open_session

if TYPE_CHECKING:
    from collections.abc import Collection

    from bridge.engine.delivery.transport import Transport

HttpClient: TypeAlias = Literal["lean", "aiohttp"]


def open_transport(client: HttpClient, guarded: Collection[str] = ()) -> Transport:
    """One for all accounts. It bounds no connections in use: each account's Client bounds its own.

    The origins that are `guarded` are reached at public addresses only.
    """
    usual = Lean() if client == "lean" else Http(open_session())
    return Guarded(usual, Http(open_session(public_connector(verifying()))), guarded) if guarded else usual
