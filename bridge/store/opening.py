"""Finds the Store that goes with a URL: stores plug in by the entry point group `threadbridge.stores`."""

from __future__ import annotations

from functools import cache
from inspect import signature
from types import ModuleType
from typing import TYPE_CHECKING, Final, Protocol, cast

from bridge.errors import ConfigError, Problem
from bridge.own import own_module
from bridge.plugins import plugged_in
from bridge.store.encryption import cannot_encrypt

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from importlib.metadata import EntryPoint

    from bridge.store.copying import CopySource, CopyTarget
    from bridge.store.encryption import EncryptionKey
    from bridge.store.port import Store, StoreReader

GROUP: Final = "threadbridge.stores"


class StoreType(Protocol):
    """What an entry point of the group names: a module with these two functions."""

    async def open_store(self, url: str, keys: Sequence[EncryptionKey] = ()) -> Store:
        """The store at `url`, owned by this process, its schema up to date.

        It is called without `keys` where none are configured: a store that does not encrypt need not know them.
        """
        ...

    async def open_reader(self, url: str, keys: Sequence[EncryptionKey] = ()) -> StoreReader:
        """The store at `url`, for reading only, beside whoever owns it."""
        ...


def store_type(url: str) -> StoreType:
    """The module behind the scheme of `url` ("sqlite" of sqlite:///x.db).

    Raises:
        ConfigError: there is none.
    """
    scheme = url.partition(":")[0]
    known = plugged_in(GROUP)
    if scheme not in known:
        reason = f"no store for {scheme or 'this'}: URLs; there is {', '.join(sorted(known)) or 'none installed'}"
        raise ConfigError([Problem("storage", "storage.url", reason)])
    entry = known[scheme]
    module: StoreType = own_module(entry.value) if _is_own(entry) else entry.load()
    return module


@cache
def _is_own(entry: EntryPoint) -> bool:
    # A package's name is read from its metadata each time, for more than a millisecond.
    return entry.dist is not None and entry.dist.name == "threadbridge"


class CopyType(Protocol):
    """What a module of the group has too, when its stores can be copied."""

    async def open_copy_source(self, url: str, account: str = "", keys: Sequence[EncryptionKey] = ()) -> CopySource:
        """The store at `url`, owned by this process, and left as it is; with `account` what that has in it."""
        ...

    async def open_copy_target(self, url: str, account: str = "", keys: Sequence[EncryptionKey] = ()) -> CopyTarget:
        """The store at `url`, owned by this process, made where there is none; with `account` for that alone."""
        ...


def copy_type(url: str) -> CopyType:
    """The module behind the scheme of `url`.

    Raises:
        ConfigError: there is none, or its stores cannot be copied.
    """
    module = store_type(url)
    if not hasattr(module, "open_copy_source"):
        reason = f"stores of {url.partition(':')[0]}: URLs cannot be copied"
        raise ConfigError([Problem("storage", "storage.url", reason)])
    return cast("CopyType", module)


class Volatile(Protocol):
    """A store in memory that outlives the bridge that uses it, as a file outlives a process."""

    async def open(self, pause: Callable[[str], Awaitable[None]]) -> Store:
        """The store as it was last committed, for one more bridge.

        `pause` is awaited before and after whatever is done to it, with a word for that.
        """
        ...

    def open_rows(self) -> int:
        """How many events and messages are not settled."""
        ...

    def close(self) -> None:
        """The end of everything in it."""
        ...


def volatile_type() -> Callable[[], Volatile]:
    """What makes empty stores in memory, for simulations."""
    module = store_type("sqlite:")
    assert isinstance(module, ModuleType)
    volatile: Callable[[], Volatile] = module.Volatile
    return volatile


class Opener(Protocol):
    """Opens a store for a bridge, as `open_store` does."""

    async def __call__(self, url: str, keys: Sequence[EncryptionKey], /) -> Store:
        """The store at `url`."""
        ...


async def open_store(url: str, keys: Sequence[EncryptionKey] = ()) -> Store:
    """The store at `url`, owned by this process. Raises ConfigError, StoreInUse, NewerSchema, Unavailable, Broken."""
    module = store_type(url)
    return await (module.open_store(url, _taken(module.open_store, url, keys)) if keys else module.open_store(url))


async def open_reader(url: str, keys: Sequence[EncryptionKey] = ()) -> StoreReader:
    """The store at `url` for reading only. Raises ConfigError, NewerSchema, Unavailable, Broken."""
    module = store_type(url)
    return await (module.open_reader(url, _taken(module.open_reader, url, keys)) if keys else module.open_reader(url))


def _taken(opens: object, url: str, keys: Sequence[EncryptionKey]) -> Sequence[EncryptionKey]:
    """The keys. Raises ConfigError where a store of another package takes none."""
    if callable(opens) and "keys" not in signature(opens).parameters:
        raise cannot_encrypt(url.partition(":")[0])
    return keys
