"""The database of simulations: it outlives the bridges that use it, and goes without a word."""

from __future__ import annotations

import threading

from storage.sqlite.simulation import Volatile


def test_one_that_nobody_closed_may_be_collected_in_any_thread() -> None:
    """A handler's thread may be the one that collects the garbage; what goes wrong then is a warning, an error here."""
    left = [Volatile(), Volatile()]
    left[0].close()
    thread = threading.Thread(target=left.clear)
    thread.start()
    thread.join()
    assert left == []
