"""The files behind an emulated gateway's media links: each can be fetched for a while, and then its link is dead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.providers.port import Response
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

FILES: Final = "/_files/"
"""What the path of a link begins with, behind the gateway's base URL."""


class Files:
    """The files of one gateway."""

    def __init__(self, now: Callable[[], int]) -> None:
        """`now` gives microseconds."""
        self._now = now
        self._files: list[tuple[bytes, str, int | None]] = []
        self.fetches = 0
        """How often a link was asked for."""
        self.busy = False
        """Whether every link gives 503 for now."""

    def add(self, data: bytes, mime_type: str = "application/octet-stream", *, lasts: float | None = None) -> str:
        """The path of a link to these bytes that is dead after `lasts` seconds; None: never."""
        dies_at = None if lasts is None else self._now() + round(lasts * SECOND)
        self._files.append((data, mime_type, dies_at))
        return f"{FILES}{len(self._files)}"

    def answer(self, path: str) -> Response | None:
        """The answer to a request for a link; None: the path is no link of a file."""
        if not path.startswith(FILES):
            return None
        self.fetches += 1
        if self.busy:
            return Response(status=503)
        number = path.removeprefix(FILES)
        if not number.isdecimal() or not 0 < int(number) <= len(self._files):
            return Response(status=404)
        data, mime_type, dies_at = self._files[int(number) - 1]
        if dies_at is not None and self._now() >= dies_at:
            return Response(status=410)
        return Response(status=200, headers={"Content-Type": mime_type}, body=data)
