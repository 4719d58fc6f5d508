"""Reading a gateway's answer, as far as it is the same everywhere: HTTP and JSON, nothing a vendor made up."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from datetime import datetime

    from bridge.providers.port import Response

SUCCESS: Final = range(200, 300)
REDIRECT: Final = range(300, 400)
CLIENT_ERROR: Final = range(400, 500)
SERVER_ERROR: Final = range(500, 600)
ERROR: Final = range(400, 600)

UNAUTHORISED: Final = 401
NOT_FOUND: Final = 404
TOO_MANY: Final = 429
UNAVAILABLE: Final = 503
NOT_TAKEN: Final = frozenset({408, 425, TOO_MANY})
"""HTTP statuses that say the request was not acted upon and may be repeated (RFC 9110, 8470, 6585)."""

_SECONDS: Final = re.compile(r"\d{1,9}(\.\d{1,6})?", re.ASCII)


def json_object(response: Response) -> dict[str, Any] | None:
    """The answer's body when it is a JSON object, else None."""
    try:
        found = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def retry_after(response: Response) -> float | None:
    """The seconds a Retry-After header asks for (RFC 9110, 10.2.3), or None.

    A date counts from the answer's own Date, because no clock is at hand here; one that is past is 0.
    """
    asked = response.headers.get("retry-after", "").strip()
    if not asked:
        return None
    if _SECONDS.fullmatch(asked):
        return float(asked)
    until, since = _date(asked), _date(response.headers.get("date", ""))
    return max((until - since).total_seconds(), 0.0) if until and since else None


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.tzinfo else None
