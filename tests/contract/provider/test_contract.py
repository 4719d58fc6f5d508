"""Our providers through the contract that every provider has to pass."""

from __future__ import annotations

from bridge.testing.contract.provider import EmulatorContract, ProviderContract
from bridge.testing.contract.provider.fuzz import ProviderFuzz
from tests.contract.provider.roster import PROVIDERS


class TestAelyst(ProviderContract, EmulatorContract, ProviderFuzz):
    cases = PROVIDERS["aelyst"]


class TestGinalne(ProviderContract, EmulatorContract, ProviderFuzz):
    cases = PROVIDERS["ginalne"]


class TestKonnek(ProviderContract, EmulatorContract, ProviderFuzz):
    cases = PROVIDERS["konnek"]


class TestRelationLabs(ProviderContract, EmulatorContract, ProviderFuzz):
    cases = PROVIDERS["relationlabs"]


class TestWhautoChat(ProviderContract, EmulatorContract, ProviderFuzz):
    cases = PROVIDERS["whautochat"]


def test_every_provider_with_cases_takes_part() -> None:
    assert {kind.cases.provider.name for kind in ProviderContract.__subclasses__()} >= PROVIDERS.keys()
