"""Several databases in one process: each account in its own, and a database's trouble is that of its accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession

from bridge.app.bridge import Bridge, Outside
from bridge.app.shards import bridge_of
from bridge.config.load import as_config
from bridge.errors import Broken, ConfigError, Unavailable
from bridge.store.opening import open_reader, open_store
from tests.support.whole_bridges import JSON, SHOP, SHOP_HOOK, body, configuration, konnek_text, served, silent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bridge.store.port import Store
    from tests.support.whole_bridges import Served

SECRET_HOOK = "/webhooks/desk/a-secret-of-24-bytes-or-more/whatsapp"


def sharded(folder: Path, **shards: str) -> dict[str, Any]:
    """Three accounts: one in the store that is configured, `shards` elsewhere."""
    urls = {account: f"sqlite:///{folder}/{name}.db" for account, name in shards.items()}
    return configuration(folder, storage={"url": f"sqlite:///{folder}/test.db", "shards": urls})


def url_of(folder: Path, name: str) -> str:
    return f"sqlite:///{folder}/{name}.db"


async def post(door: Served, path: str, key: str, headers: Mapping[str, str] | None = None) -> int:
    """One webhook; returns when all that it caused is done."""
    url = f"http://127.0.0.1:{door.port}{path}"
    async with (
        ClientSession() as session,
        session.post(url, data=body(konnek_text(key)), headers={**JSON, **(headers or {})}) as answer,
    ):
        status = answer.status
    await door.bridge.settle()
    return status


async def accounts_in(url: str) -> set[str]:
    """Whose conversations a store has."""
    reader = await open_reader(url)
    try:
        return {thread.ref.account for thread in await reader.threads()}
    finally:
        await reader.close()


async def test_each_account_is_kept_in_its_own_database(tmp_path: Path) -> None:
    async with served(sharded(tmp_path, desk="desk")) as door:
        assert await post(door, SHOP_HOOK, "1", SHOP) == 200
        assert await post(door, SECRET_HOOK, "1") == 200
        assert await post(door, "/webhooks/nobody", "1") == 404
        assert len(door.bridge.shards) == 2
    assert await accounts_in(url_of(tmp_path, "test")) == {"shop"}
    assert await accounts_in(url_of(tmp_path, "desk")) == {"desk"}


async def test_accounts_of_one_database_share_a_bridge(tmp_path: Path) -> None:
    config = as_config(sharded(tmp_path, shop="one", relay="one", desk="two"))
    bridge = bridge_of(config, router=silent())
    assert [sorted(shard.config.accounts) for shard in bridge.shards] == [["relay", "shop"], ["desk"]]
    assert bridge.shard_of("relay") is bridge.shard_of("shop") is not bridge.shard_of("desk")
    assert type(bridge_of(as_config(configuration(tmp_path)), router=silent())) is Bridge


class Failing:
    """Opens stores; those of `name` raise `error` when they are to receive something."""

    def __init__(self, name: str, error: Exception) -> None:
        self._name = name
        self._error = error

    async def open(self, url: str, _: object) -> Store:
        store: Any = await open_store(url)
        if f"/{self._name}.db" in url:
            store.receive = store.advance = self._fail
        return store  # type: ignore[no-any-return]

    async def _fail(self, *_: object) -> None:
        raise self._error


async def test_a_database_that_is_away_holds_up_its_own_accounts_alone(tmp_path: Path) -> None:
    outside = Outside(open_store=Failing("desk", Unavailable("away")).open, watched=False)
    async with served(sharded(tmp_path, desk="desk"), outside=outside) as door:
        assert await post(door, SECRET_HOOK, "1") == 503
        assert await post(door, SHOP_HOOK, "1", SHOP) == 200
        assert await door.bridge.takes_webhooks()


async def test_a_database_that_is_broken_ends_the_process(tmp_path: Path) -> None:
    told: list[Exception | None] = []
    async with served(sharded(tmp_path, desk="desk")) as door:
        door.bridge.on_failure = lambda: told.append(door.bridge.failed)
        error = Broken("the disk is gone")
        door.bridge.shard_of("desk").broken(error)
        assert told == [error]
        assert await post(door, SHOP_HOOK, "1", SHOP) == 503
        assert not await door.bridge.takes_webhooks()


async def test_conversations_that_lie_in_another_database_are_refused_at_the_start(tmp_path: Path) -> None:
    async with served(configuration(tmp_path)) as door:
        assert await post(door, SHOP_HOOK, "1", SHOP) == 200
    bridge = bridge_of(as_config(sharded(tmp_path, shop="shop")), router=silent())
    with pytest.raises(ConfigError, match=r"storage\.shards\.shop: sqlite:.*test\.db has conversations of the account"):
        await bridge.start()
    assert await accounts_in(url_of(tmp_path, "shop")) == set()
    async with served(configuration(tmp_path)) as door:
        assert await post(door, SHOP_HOOK, "1", SHOP) == 200  # no store of the failed start is open


async def test_all_stores_close_where_one_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "two.db").write_bytes(b"no database at all, but long enough to be read as one" * 100)
    bridge = bridge_of(as_config(sharded(tmp_path, desk="two")), router=silent())
    with pytest.raises(Broken):
        await bridge.start()
    await (await open_store(url_of(tmp_path, "test"))).close()


@pytest.mark.parametrize(
    ("storage", "reason"),
    [
        ({"shards": {"nobody": "sqlite:///x.db"}}, "storage.shards.nobody: there is no account of this name"),
        ({"shards": {"shop": "mysql://x"}}, "shop: "),
        ({"shards": {"shop": "postgresql://bot:secret@db/bot"}}, "PGPASSWORD"),
    ],
)
def test_a_shard_that_cannot_be_is_a_problem(tmp_path: Path, storage: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        as_config(configuration(tmp_path, storage=storage))


def test_several_processes_share_a_configuration_whose_databases_are_all_on_servers(tmp_path: Path) -> None:
    server = "postgresql://bot@db/bot"
    shards: list[dict[str, str]] = [{}, {"shop": "postgresql://bot@db/other"}, {"shop": "sqlite:///shop.db"}]
    configs = [as_config(configuration(tmp_path, storage={"url": server, "shards": shard})) for shard in shards]
    assert [config.storage.is_shared for config in configs] == [True, True, False]


async def test_a_process_that_hands_over_winds_down_all_its_databases(tmp_path: Path) -> None:
    async with served(sharded(tmp_path, desk="desk")) as door:
        await door.bridge.wind_down()
        assert await post(door, SECRET_HOOK, "1") == 200
        assert await post(door, SHOP_HOOK, "1", SHOP) == 200
    reader = await open_reader(url_of(tmp_path, "desk"))
    try:
        assert (await reader.counts())["open_events"] == 1
    finally:
        await reader.close()


def test_a_relaxed_server_may_be_a_shard(tmp_path: Path) -> None:
    shards = {"shop": "postgresql://bot@db/bot"}
    config = as_config(configuration(tmp_path, storage={"durability": "relaxed", "shards": shards}))
    assert [part.storage.url.partition("?")[2] for part in config.by_database()] == ["durability=relaxed", ""]
