"""What a world is made of: the bot, the accounts of all five providers, and who plays the other end of each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import SecretStr

from bridge.app.bridge import Bridge
from bridge.config.load import Config
from bridge.errors import SendError
from bridge.events import ThreadRef
from bridge.messages import Text
from bridge.providers.optional import Begins
from bridge.providers.playground import PlaygroundSettings
from bridge.providers.port import HonoursKeys, Outbound, Webhook
from bridge.providers.registry import GATEWAYS, emulator_type
from bridge.routing.loading import load_routers
from bridge.routing.router import Router, combine
from bridge.strict_json import read_object
from bridge.testing import playground
from bridge.testing.loop import START
from bridge.units import micros

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from datetime import datetime

    from bridge.config.accounts import Account
    from bridge.providers.port import Credential, Emulator, EmulatorType, Hook, Inbound, Provider, Request, Response

T = TypeVar("T")

PROVIDERS: Final = GATEWAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """What all runs of one test have in common.

    `honours_keys`: a repeated request with a known key is answered again, and reaches the phone once, at the providers
    that have such a key at all. `at` is when they begin (microseconds). `make` builds a
    Bridge, or what a test puts in its place.
    """

    router: Router | None = None
    accounts: Mapping[str, Mapping[str, Any]]
    honours_keys: bool = True
    make: Callable[..., Bridge] = Bridge
    config: Config
    at: int = START
    addresses: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def emulator(self, account: str, now: Callable[[], int], rng: Random) -> Emulator:
        """The other end of an account."""
        settings = self.accounts[account]
        kind = _other_end(str(settings["provider"]))
        made = kind(now, rng, {**kind.sample_settings, **settings})
        if isinstance(made, HonoursKeys):
            made.honours_keys = self.honours_keys
        return made

    def with_router(self, router: Router | None) -> Blueprint:
        """The same with another bot."""
        return replace(self, router=router)

    def address(self, account: str, channel: str, name: str) -> str:
        """What the provider may know a person by: the name, or a number made of it where only those are reached.

        Looked up once, however many worlds there will be.

        Raises:
            ValueError: no contact can be reached on this channel.
        """
        known = self.addresses.get((account, channel, name))
        if known is not None:
            return known
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:5]) % 10**9
        for address in (name, f"+6281{number:09}"):
            if self._reaches(account, channel, address):
                self.addresses[account, channel, name] = address
                return address
        raise ValueError(f"{name!r} cannot be reached at {account} on {channel}")

    def begun(self, account: str, channel: str, address: str) -> str | None:
        """The conversation that begins when the bot speaks first; None where it cannot."""
        provider = self.config.accounts[account].provider
        if not isinstance(provider, Begins):
            return None
        try:
            return provider.place_of(address, channel).conversation_id
        except ValueError:
            return None

    def inbound(self, account: str, hook: Hook) -> Sequence[Inbound]:
        """What a webhook brings."""
        webhook = Webhook(channel=hook.channel, body=hook.body, json=read_object(hook.body), received_at=START)
        return self.config.accounts[account].provider.parse(webhook)

    def _reaches(self, account: str, channel: str, address: str) -> bool:
        """Whether a made-up message to a made-up person is taken."""
        provider = self.config.accounts[account].provider
        emulator = self.emulator(account, lambda: START, Random(0))
        heard = self.inbound(account, emulator.says(channel, address, "hello"))[0]
        if heard.conversation_id is None:
            return False
        ref = ThreadRef(account, provider.name, heard.channel, heard.conversation_id)
        message = Outbound(key=_KEY, thread=ref, message=Text("hi"), address=heard.address, created_at=START)
        try:
            _carried(provider.send(message, _credential(provider, emulator)), emulator)
        except SendError:
            return False
        return any(each.conversation_id == heard.conversation_id for each in emulator.seen)


_FOLLOWED: Final = {
    "events": {"webhooks": [{"url": "https://follower.example/events", "secret": SecretStr(f"whsec_{'A' * 32}")}]}
}
_KEY: Final = "00000000-0000-4000-8000-000000000000"


def blueprint_of(
    router: Router | Sequence[Router] | str | None,
    *,
    accounts: Mapping[str, Mapping[str, Any]] | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    honours_keys: bool = True,
    make: Callable[..., Bridge] = Bridge,
    at: datetime | None = None,
    events: bool = False,
) -> Blueprint:
    """A plan; see World for what may be given.

    Raises:
        ConfigError: an account or a section cannot be configured so, or a router cannot be loaded.
        ValueError: `at` has no time zone.
    """
    if at is not None and at.tzinfo is None:
        raise ValueError(f"want a time with a time zone, not {at}")
    if events:
        settings = {**_FOLLOWED, **(settings or {})}
    config, tables = _configured(accounts or {}, settings or {}) if accounts or settings else _default()
    return Blueprint(
        router=as_router(router),
        accounts=tables,
        honours_keys=honours_keys,
        make=make,
        config=replace(config, folder=Path.cwd()),
        at=START if at is None else micros(at),
    )


def as_router(given: Router | Sequence[Router] | str | None) -> Router | None:
    """A router, several as one, or the one at "module:attribute"."""
    match given:
        case None | Router():
            return given
        case str():
            return combine(load_routers([given], Path.cwd()))
        case _:
            return combine(list(given))


@cache
def _other_end(provider: str) -> EmulatorType:
    return playground.Phone if provider == playground.NAME else emulator_type(provider)


@cache
def _default() -> tuple[Config, Mapping[str, Mapping[str, Any]]]:
    return _configured({}, {})


def _configured(
    given: Mapping[str, Mapping[str, Any]], settings: Mapping[str, Mapping[str, Any]]
) -> tuple[Config, Mapping[str, Mapping[str, Any]]]:
    """An account at each provider, named like it, and those given: with the emulator's credentials and these keys."""
    tables: dict[str, Mapping[str, Any]] = {}
    for name in {**dict.fromkeys(PROVIDERS), **given}:
        own = given.get(name, {})
        provider = own.get("provider", name)
        sample = emulator_type(str(provider)).sample_settings
        base_url = {} if provider == playground.NAME else {"base_url": f"https://{name}.test"}
        tables[name] = {"provider": provider, **base_url, **sample, **own}
    config = Config.from_dict({**settings, "accounts": tables})
    accounts = {name: _with_phone(account) for name, account in config.accounts.items()}
    return replace(config, accounts=MappingProxyType(accounts)), tables


def _with_phone(account: Account) -> Account:
    """An account of which contacts see what is said: the playground's own page is in no world."""
    if not isinstance(account.settings, PlaygroundSettings):
        return account
    return replace(account, provider=playground.PlaygroundOfWorld(account.name, account.settings))


def _credential(provider: Provider, emulator: Emulator) -> Credential | None:
    flow = provider.authenticate(START)
    return None if flow is None else _carried(flow, emulator)


def _carried(flow: Generator[Request, Response, T], emulator: Emulator) -> T:
    try:
        request = next(flow)
        while True:
            request = flow.send(emulator.handle(request))
    except StopIteration as stop:
        found: T = stop.value
        return found
