"""One browser for all modules that have one."""

from tests.support.browsers import browser

__all__ = ["browser"]
