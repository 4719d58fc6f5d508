from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.engine.delivery.lean import Lean
from bridge.engine.delivery.transport import Http, open_session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bridge.engine.delivery.transport import Transport


@pytest.fixture(params=["lean", "aiohttp"])
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    """Each client behind Transport. It is opened by the test, and closed after it."""
    opened: Transport = Lean() if request.param == "lean" else Http(open_session())
    yield opened
    await opened.close()
