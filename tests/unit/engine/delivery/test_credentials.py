"""A credential that several processes share: obtained by one of them, used by all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest
from pydantic import SecretStr

from bridge.engine.delivery.credentials import Credentials, Vault
from bridge.errors import Unavailable
from bridge.providers.port import AccountSettings, Credential, Request
from tests.support.manual_clock import ManualClock

if TYPE_CHECKING:
    from bridge.providers.port import Authenticating, Provider
    from bridge.store.port import Store


class Settings(AccountSettings):
    key: SecretStr


@dataclass
class Kept:
    """What of a store holds small values."""

    values: dict[tuple[str, str], str] = field(default_factory=dict)
    is_away: bool = False

    async def secret(self, account: str, name: str) -> str | None:
        if self.is_away:
            raise Unavailable("away")
        return self.values.get((account, name))

    async def renew_secret(self, account: str, name: str, value: str) -> None:
        if self.is_away:
            raise Unavailable("away")
        self.values[account, name] = value


@dataclass
class World:
    """A gateway that gives a new token each time, and the processes that ask it."""

    store: Kept = field(default_factory=Kept)
    clock: ManualClock = field(default_factory=ManualClock)
    given: list[str] = field(default_factory=list)
    renew_at: int | None = None
    hidden: list[str] = field(default_factory=list)

    def process(self, key: str = "key", account: str = "shop") -> Credentials:
        vault = Vault(cast("Store", self.store), account, Settings(provider="plain", key=SecretStr(key)))
        return Credentials(cast("Provider", self), self.clock, vault, self.hidden.append)

    def authenticate(self, now: int) -> Authenticating:
        del now
        yield Request(method="POST", path="/auth")
        raise AssertionError

    async def obtain(self, exchange: Authenticating) -> Credential:
        del exchange
        self.given.append(f"token-{len(self.given) + 1}")
        return Credential(token=self.given[-1], renew_at=self.renew_at)

    async def token(self, process: Credentials, *, refused: Credential | None = None) -> str:
        credential = await process.get(self.obtain, refused=refused)
        assert credential is not None
        return credential.token


@pytest.fixture
def world() -> World:
    return World()


async def test_what_one_process_obtained_the_others_use(world: World) -> None:
    ours, theirs = world.process(), world.process()
    assert [await world.token(ours), await world.token(theirs)] == ["token-1", "token-1"]
    assert await world.token(ours, refused=Credential(token="token-1")) == "token-2"
    assert await world.token(theirs, refused=Credential(token="token-1")) == "token-2"
    assert [await world.token(ours), await world.token(theirs)] == ["token-2", "token-2"]
    assert world.given == ["token-1", "token-2"]
    assert world.hidden == ["token-1", "token-1", "token-2", "token-2"]


async def test_a_stale_one_is_renewed_by_the_first_who_needs_it(world: World) -> None:
    ours, theirs = world.process(), world.process()
    world.renew_at = world.clock.now() + 1
    assert [await world.token(ours), await world.token(theirs)] == ["token-1", "token-1"]
    world.clock.advance(1)
    world.renew_at = None
    assert [await world.token(theirs), await world.token(ours)] == ["token-2", "token-2"]


async def test_a_process_that_starts_anew_obtains_none(world: World) -> None:
    await world.token(world.process())
    assert await world.token(world.process()) == "token-1"


async def test_the_database_alone_opens_nothing(world: World) -> None:
    await world.token(world.process())
    assert world.store.values.keys() == {("shop", "credential")}
    assert "token" not in str(world.store.values)


@pytest.mark.parametrize("other", [{"key": "changed"}, {"account": "desk"}])
async def test_what_other_secrets_obtained_is_not_used(world: World, other: dict[str, str]) -> None:
    await world.token(world.process())
    world.store.values["desk", "credential"] = world.store.values["shop", "credential"]
    assert await world.token(world.process(**other)) == "token-2"


@pytest.mark.parametrize("damaged", ["", "x", "0" * 200])
async def test_what_cannot_be_read_is_obtained_anew(world: World, damaged: str) -> None:
    world.store.values["shop", "credential"] = damaged
    assert await world.token(world.process()) == "token-1"


async def test_without_its_database_each_process_obtains_its_own(world: World) -> None:
    world.store.is_away = True
    assert [await world.token(world.process()) for _ in range(2)] == ["token-1", "token-2"]
