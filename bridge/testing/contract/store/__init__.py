"""The contract of a store, for a test module of yours.

Example::

    from bridge.testing.contract.store import StoreContract

    class TestLedger(StoreContract):
        def url(self, folder: Path) -> str:
            return f"ledger:///{folder / 'store'}"

StoreModel, a further suite, is in bridge.testing.contract.store.model and needs hypothesis.
"""

from __future__ import annotations

from bridge.testing.contract.store.broadcasts import BroadcastContract
from bridge.testing.contract.store.dead_letters import DeadLetterContract
from bridge.testing.contract.store.deliveries import DeliveryContract
from bridge.testing.contract.store.desk import Desk
from bridge.testing.contract.store.dialogs import DialogContract
from bridge.testing.contract.store.erasure import ErasureContract
from bridge.testing.contract.store.following import FollowingContract
from bridge.testing.contract.store.handoff import HandoffContract
from bridge.testing.contract.store.looking import LookingContract
from bridge.testing.contract.store.media import MediaContract
from bridge.testing.contract.store.merging import MergingContract
from bridge.testing.contract.store.own_tables import OwnTablesContract
from bridge.testing.contract.store.people import PeopleContract
from bridge.testing.contract.store.polling import PollingContract
from bridge.testing.contract.store.receive import ReceiveContract
from bridge.testing.contract.store.retention import RetentionContract
from bridge.testing.contract.store.searching import SearchContract
from bridge.testing.contract.store.sends import SendContract
from bridge.testing.contract.store.spending import SpendingContract
from bridge.testing.contract.store.suite import StoreSuite
from bridge.testing.contract.store.timers import TimerContract
from bridge.testing.contract.store.traces import TraceContract
from bridge.testing.contract.store.turns import TurnContract


class StoreContract(
    ReceiveContract,
    TurnContract,
    SendContract,
    DeliveryContract,
    TimerContract,
    DialogContract,
    HandoffContract,
    DeadLetterContract,
    PollingContract,
    OwnTablesContract,
    MediaContract,
    RetentionContract,
    ErasureContract,
    TraceContract,
    PeopleContract,
    LookingContract,
    SearchContract,
    MergingContract,
    FollowingContract,
    SpendingContract,
    BroadcastContract,
):
    """All that the engine asks of a store."""


__all__ = [
    "BroadcastContract",
    "DeadLetterContract",
    "DeliveryContract",
    "Desk",
    "DialogContract",
    "ErasureContract",
    "FollowingContract",
    "HandoffContract",
    "LookingContract",
    "MediaContract",
    "MergingContract",
    "OwnTablesContract",
    "PeopleContract",
    "PollingContract",
    "ReceiveContract",
    "RetentionContract",
    "SearchContract",
    "SendContract",
    "SpendingContract",
    "StoreContract",
    "StoreSuite",
    "TimerContract",
    "TraceContract",
    "TurnContract",
]
