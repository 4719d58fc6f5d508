"""What every mistake in a rule has in common."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from bridge import HandlerError, Router
from bridge.routing.router import rulebook_of

if TYPE_CHECKING:
    from collections.abc import Callable


def assert_refused(write: Callable[[Any], object], reason: str, file: str) -> None:
    """Writing the rule raises the reason, with a line of the file that writes it, and no handler is kept."""
    router = Router()
    with pytest.raises(HandlerError, match=reason) as caught:
        write(router)
    assert re.match(rf"{re.escape(file)}:\d+: ", str(caught.value))
    assert rulebook_of(router).handlers() == ()
