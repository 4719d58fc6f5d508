"""A seed goes the same way in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

DIGEST = """
import hashlib
from bridge.testing import World
from handlers import orders
from tests.support.worlds import ALL, counted, counting
digest = hashlib.sha256()

async def refused(world):
    orders.payments.receipts.clear()
    ann = world.contact("relationlabs", "peer", "ann")
    await ann.says("order 7")
    await ann.clicks("Refund")
    await ann.sees("~went wrong?")
    await ann.says("broken")
    await ann.clicks("no")
    await world.settle()
    await world.agent(ann).returns()
    await ann.says("order 8")
    await world.advance("3h")

for router, scenario in ((counting(), counted), (orders.router, refused)):
    with World(router) as world:
        for each in world.explore(seeds=8, faults=ALL):
            try:
                scenario(each).send(None)
            except StopIteration:
                sent = [each.emulator(name).requests for name in ("konnek", "relationlabs")]
                digest.update(repr((each.trace, each.log, sent)).encode())
print(digest.hexdigest())
"""


def test_a_seed_means_the_same_in_every_process() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
    assert len(digests.pop()) > 60
