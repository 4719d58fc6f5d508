"""A log of exchanges as JSON lines, with every secret out of it before it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.providers.redaction import HIDDEN, Redaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from bridge.providers.port import Request, Response

_OPEN_HEADERS: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "host",
        "location",
        "retry-after",
        "user-agent",
    }
)
"""Headers that are shown; a header is a credential until it is known to be none."""
_SECRET_FIELDS: Final = frozenset({"token", "password", "secret", "authorization", "apikey", "api_key"})
_SHOWN: Final = 20_000


class ExchangeLog:
    """One JSON object a line: a request with its answer, or a webhook with its status. `path` None: kept nowhere."""

    def __init__(self, path: Path | None, secrets: Iterable[str]) -> None:
        """Append to the file at `path`, never writing any of `secrets`. Raises OSError."""
        self._file: BinaryIO | None = path.open("ab", buffering=0) if path else None
        self._redaction = Redaction(secrets)

    def write(self, entry: Mapping[str, Any]) -> None:
        """One line; `entry` is already redacted by `exchange` or `text`."""
        if self._file:
            self._file.write(orjson.dumps(entry) + b"\n")

    def close(self) -> None:
        """No more lines."""
        if self._file:
            self._file.close()
            self._file = None

    def exchange(self, request: Request, response: Response | None) -> dict[str, Any]:
        """A request and its answer (None: it got none) as JSON, redacted."""
        return {
            "method": request.method,
            "path": self.text(request.path),
            "query": self._cleaned(dict(request.query)),
            "headers": self.headers(request.headers),
            "body": self.body(request.body or b""),
            "answer": response
            and {
                "status": response.status,
                "headers": self.headers(response.headers),
                "body": self.body(response.body),
            },
        }

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Header names with the values of those that are no secret."""
        return {name: self.text(value) if name.lower() in _OPEN_HEADERS else HIDDEN for name, value in headers.items()}

    def body(self, body: bytes) -> object:
        """A body as JSON where it is JSON, else its beginning as text."""
        try:
            found = orjson.loads(body) if body else None
        except orjson.JSONDecodeError:
            found = body[:_SHOWN].decode("utf-8", "replace")
        return self._cleaned(found)

    def text(self, text: str) -> str:
        """A text without the secrets in it."""
        return self._redaction.text(text)

    def _cleaned(self, value: object) -> object:
        match value:
            case str():
                return self.text(value)
            case list():
                return [self._cleaned(each) for each in value]
            case dict():
                return {
                    self.text(name): HIDDEN if name.lower() in _SECRET_FIELDS else self._cleaned(each)
                    for name, each in value.items()
                }
            case _:
                return value
