"""The pins of a lock."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
RUNTIME: Final = ROOT / "requirements.lock"
TEST: Final = ROOT / "requirements-test.lock"
RELEASE: Final = ROOT / "requirements-release.lock"


def pins(lock: Path) -> dict[str, str]:
    """Each package of a lock, with its version."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock.read_text("utf-8"), re.MULTILINE))
