"""A store of every kind, opened for a test and closed after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.store_desk import Desk
from tests.support.store_kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.store_kinds import StoreKind


@pytest.fixture(params=KINDS, ids=lambda kind: str(kind.name))
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    opened = await Desk(request.param.url(tmp_path)).open()
    yield opened
    await opened.store.close()


@pytest.fixture(params=[kind for kind in KINDS if kind.survives], ids=lambda kind: str(kind.name))
async def lasting_desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    kind: StoreKind = request.param
    opened = await Desk(kind.url(tmp_path)).open()
    yield opened
    await opened.store.close()
