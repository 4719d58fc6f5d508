"""How far a search through seeds goes: a quarter of the way in the suite, the whole way in `make soak`."""

from __future__ import annotations

import os
from typing import Final

IS_WHOLE: Final = os.environ.get("HYPOTHESIS_PROFILE") == "search"


def sampled(whole: int) -> int:
    """How many of `whole` seeds or runs this session looks at."""
    return whole if IS_WHOLE else whole // 4
