"""`[delivery] http_client` chooses the client of a bridge's requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bridge.engine.delivery.lean import Lean
from bridge.engine.delivery.transport import Http
from bridge.errors import ConfigError
from tests.support.whole_bridges import configuration, served

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("delivery", "client"), [({}, Lean), ({"http_client": "lean"}, Lean), ({"http_client": "aiohttp"}, Http)]
)
async def test_the_client_is_the_configured_one(delivery: dict[str, Any], client: type, tmp_path: Path) -> None:
    async with served(configuration(tmp_path, delivery=delivery)) as door:
        assert type(door.bridge.parts.transport) is client


async def test_a_client_that_does_not_exist_is_a_problem_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"delivery\.http_client"):
        async with served(configuration(tmp_path, delivery={"http_client": "httpx"})):
            pass
