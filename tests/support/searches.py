"""How large a drill is: as large as it says in `make soak`, and smaller in the suite."""

from __future__ import annotations

import os
from typing import Final

IS_WHOLE: Final = os.environ.get("HYPOTHESIS_PROFILE") == "search"
