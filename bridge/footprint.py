"""What keeps a process of threadbridge's own small; an application of somebody else's imports as it likes."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any


def import_structlog() -> None:
    """Import structlog without rich, which it takes for tracebacks: ours are plain, and rich takes 3 MB for good.

    Whatever needs rich itself, imports it later as usual.
    """
    if "structlog" in sys.modules or "rich" in sys.modules:
        return
    absent: Any = None  # what makes an import fail
    sys.modules["rich"] = absent
    try:
        import_module("structlog")
    finally:
        del sys.modules["rich"]
