"""What keeps a process of threadbridge's own small; an application of somebody else's imports as it likes."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Final

_NEEDLESS: Final = {
    "structlog": ("rich", "greenlet"),  # for tracebacks, and ours are plain; for contexts in greenlets
    "frozenlist": ("frozenlist._frozenlist",),  # the same in C++, for lists that a message does not meet
}
"""What a package takes where it is there, and does without where it is not."""


def import_slim() -> None:
    """Import structlog without rich, which takes 3 MB for good, and nothing that takes a MB for C++'s library.

    Whatever needs these itself, imports them later as usual.
    """
    for package, needless in _NEEDLESS.items():
        if package not in sys.modules:
            _import_without(package, [name for name in needless if name not in sys.modules])


def _import_without(package: str, left_out: list[str]) -> None:
    absent: Any = None  # what makes an import fail
    sys.modules.update(dict.fromkeys(left_out, absent))
    try:
        import_module(package)
    finally:
        for name in left_out:
            del sys.modules[name]
