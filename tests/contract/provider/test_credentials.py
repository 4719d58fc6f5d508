"""Every emulator plays the other end of the account it is given, and of no other."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from bridge.errors import SendError
from bridge.providers.port import Sent
from bridge.providers.registry import emulator_type
from tests.contract.provider.cases import CREATED_AT, exchange
from tests.contract.provider.roster import every_provider

if TYPE_CHECKING:
    from bridge.providers.port import Emulator
    from tests.contract.provider.cases import ProviderCases


def own(value: Any) -> Any:
    """Another value of the same type; what is a list of channels stays."""
    return SecretStr("my-own") if isinstance(value, SecretStr) else "my-own" if isinstance(value, str) else value


def outcome(cases: ProviderCases, emulator: Emulator, settings: dict[str, Any]) -> object:
    provider = cases.build(settings)
    message = replace(cases.spoken[0].outbound, address={})
    return exchange(provider.send(message, cases.credential), emulator.handle)[1]


@every_provider
def test_it_accepts_the_account_it_is_given_and_not_its_sample(cases: ProviderCases) -> None:
    kind = emulator_type(cases.provider.name)
    mine = {name: own(value) for name, value in kind.sample_settings.items()}
    emulator = kind(lambda: CREATED_AT, Random(1), mine)
    assert emulator.settings == mine
    assert isinstance(outcome(cases, emulator, mine), Sent)
    assert len(emulator.seen) == 1
    assert isinstance(outcome(cases, emulator, dict(kind.sample_settings)), SendError)
    assert len(emulator.seen) == 1


@every_provider
def test_without_an_account_it_accepts_its_sample(cases: ProviderCases) -> None:
    kind = emulator_type(cases.provider.name)
    emulator = kind(lambda: CREATED_AT, Random(1))
    assert kind.sample_settings.items() <= emulator.settings.items()
    assert isinstance(outcome(cases, emulator, dict(kind.sample_settings)), Sent)
