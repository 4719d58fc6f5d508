"""A model's answers kept in a file, so that a test needs no model."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from bridge import HandlerError

if TYPE_CHECKING:
    from .models import Model


class Recorded:
    """A model that answers out of a file: for tests, which ask no network.

    With a `model`, a request that is not in the file goes there, and its answer is kept.
    """

    def __init__(self, path: str | Path, model: Model | None = None) -> None:
        self._path = Path(path)
        self._model = model
        self._answers: dict[str, Any] = orjson.loads(self._path.read_bytes()) if self._path.exists() else {}

    async def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer that is kept. Raises HandlerError: there is none, and no model to ask."""
        name = hashlib.sha256(orjson.dumps(request, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
        if name not in self._answers:
            if self._model is None:
                raise HandlerError(f"{self._path} has no answer {name}: record it, with Recorded(path, model)")
            self._answers[name] = await self._model(request)
            kept = orjson.dumps(self._answers, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
            self._path.write_bytes(kept)
        answer: dict[str, Any] = self._answers[name]
        return answer
