"""What happens on the wire to a gateway while the store moves on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bridge.testing.emulators import Faults
from tests.faults.harness import Gateways, until
from tests.faults.traffic import traffic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.harness import Home


def is_on_the_wire_again(home: Home) -> bool:
    """Whether the time of the second attempt came, some moments ago."""
    found = home.rows("SELECT available_at FROM outbox WHERE attempt = 2")
    return any(isinstance(at, int) and time.time() > at / 1e6 + 0.2 for (at,) in found)


async def test_a_status_that_tells_the_outcome_of_a_message_on_the_wire_frees_its_thread(tmp_path: Path) -> None:
    gateways = Gateways()
    gateways.shop._faults = Faults(drop=1.0, delay_ms=1500)
    async with gateways.listening():
        home = gateways.home(tmp_path)
        async with home.running(), traffic(home, gateways) as talk:
            assert await talk.say("shop", "ann", "say first") == 200
            await until("the first attempt", lambda: len(gateways.konnek.seen) == 1)
            await until("the second attempt", lambda: is_on_the_wire_again(home))
            status = gateways.konnek.status(gateways.konnek.seen[0], "delivered")
            assert status is not None
            assert await talk.post_hook("shop", status) == 200
            await until("the outcome", lambda: home.rows("SELECT outcome FROM outbox") == [("resolved",)])
            await until("the end of the second attempt", lambda: len(gateways.konnek.requests) == 2)
            gateways.shop._faults = Faults()
            assert await talk.say("shop", "ann", "say second") == 200
            await home.settled(10)
            assert [each.text.split("|")[0] for each in gateways.konnek.seen] == ["say first", "say second"]
