"""How large a search is: as large as it says in `make soak`, and smaller in the suite."""

from __future__ import annotations

import os
from typing import Final

IS_WHOLE: Final = os.environ.get("HYPOTHESIS_PROFILE") == "search"
_LEAST: Final = 30
"""Of twelve mistakes planted for `explore`, each showed within so many seeds, eleven within twenty."""


def seeds(whole: int) -> int:
    """Seeds of an exploration: a third of them in the suite, and no fewer than find a planted mistake."""
    return whole if IS_WHOLE else min(whole, max(_LEAST, whole // 3))
