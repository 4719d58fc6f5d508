"""How a suite of tests gets a store: each test has one of its own."""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from bridge.testing.contract.store.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from pathlib import Path

    from bridge.store.encryption import EncryptionKey

LASTING = "lasting_desk"


class StoreSuite:
    """Tests of one store. A subclass named Test… gives `url`, and pytest collects it; no other plugin is needed."""

    survives: ClassVar[bool] = True
    """Whether what the store holds outlives its closing; one that forgets is spared the tests of that."""

    def __init_subclass__(cls) -> None:
        """Let pytest call the tests of the class, which are coroutines."""
        super().__init_subclass__()
        for name, test in [*vars(cls).items()]:
            if name.startswith("test_") and inspect.iscoroutinefunction(test):
                setattr(cls, name, _called(test))
        if not cls.survives:
            for name in dir(cls):
                if name.startswith("test_") and LASTING in inspect.signature(getattr(cls, name)).parameters:
                    setattr(cls, name, None)

    keys: ClassVar[Sequence[EncryptionKey]] = ()
    """The keys under which the store encrypts its values."""

    def url(self, folder: Path) -> str:
        """The URL of a store that is empty; `folder` is too."""
        raise NotImplementedError

    def run(self, test: Coroutine[Any, Any, None]) -> None:
        """Run a test to its end: here in an event loop of its own."""
        asyncio.run(test)

    @pytest.fixture
    def desk(self, tmp_path: Path) -> Desk:
        """A store for one test."""
        return Desk(self.url(tmp_path), self.keys)

    @pytest.fixture
    def lasting_desk(self, tmp_path: Path) -> Desk:
        """A store for one test that opens it again."""
        return Desk(self.url(tmp_path), self.keys)


def _called(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def call(self: StoreSuite, **arguments: Any) -> None:
        async def opened() -> None:
            desks = [argument for argument in arguments.values() if isinstance(argument, Desk)]
            for desk in desks:
                await desk.open()
            try:
                await test(self, **arguments)
            finally:
                for desk in desks:
                    await desk.store.close()

        self.run(opened())

    return call
