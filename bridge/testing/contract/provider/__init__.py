"""The contract of a provider, for a test module of yours.

Example::

    from bridge.testing.contract.provider import EmulatorContract, ProviderCases, ProviderContract

    class TestPigeon(ProviderContract, EmulatorContract):
        cases = ProviderCases(provider=Pigeon, emulator=Emulator, ...)

ProviderFuzz, a third suite, is in bridge.testing.contract.provider.fuzz and needs hypothesis.
"""

from __future__ import annotations

from bridge.testing.contract.provider.cases import (
    ACCOUNT,
    BASE_URL,
    CREATED_AT,
    KEY,
    RECEIVED_AT,
    Answered,
    Authenticated,
    Call,
    Failure,
    ProviderCases,
    Quarantined,
    Received,
    Refused,
    Spoken,
    answer,
    exchange,
    outbound,
    webhook,
)
from bridge.testing.contract.provider.emulator import EmulatorContract
from bridge.testing.contract.provider.tables import ProviderContract

__all__ = [
    "ACCOUNT",
    "BASE_URL",
    "CREATED_AT",
    "KEY",
    "RECEIVED_AT",
    "Answered",
    "Authenticated",
    "Call",
    "EmulatorContract",
    "Failure",
    "ProviderCases",
    "ProviderContract",
    "Quarantined",
    "Received",
    "Refused",
    "Spoken",
    "answer",
    "exchange",
    "outbound",
    "webhook",
]
