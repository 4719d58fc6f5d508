from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.engine.delivery.opening import open_transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bridge.engine.delivery.transport import Transport


@pytest.fixture(params=["lean", "aiohttp"])
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    """Each client behind Transport. It is opened by the test, and closed after it."""
    opened = open_transport(request.param)
    yield opened
    await opened.close()
