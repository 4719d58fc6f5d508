"""The answers of `threadbridge mcp`: JSON of a bounded size, in which nothing is invisible."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from bridge.cli.output import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST: Final = 40_000
"""Characters of an answer: some ten thousand tokens of a model."""
_LONGEST: Final = (4000, 800, 160, 32)
"""Characters of a text in an answer; the next of these where the answer would be too long."""
_FRAME: Final = 64
"""Characters of an answer around its items: braces, names, and the cursor."""
_PARTS: Final = 4
"""Items that an answer has room for, whatever they hold."""


class Refused(Exception):
    """A tool has no answer; the text says why, and what to do."""


def answer(value: object, most: int = MOST) -> str:
    """One thing, with its texts cut until it is short enough."""
    text = ""
    for longest in _LONGEST:
        text = json.dumps(_cut(value, longest), ensure_ascii=False, default=str)
        if len(text) <= most:
            return text
    return json.dumps({"cut": text[: most // 2], "characters": len(text)}, ensure_ascii=False)


def page(rows: Sequence[Any], limit: int, cursor: Callable[[int], int], **more: object) -> str:
    """As many rows as are asked for and as there is room for; `next` is the cursor behind so many."""
    items: list[str] = []
    rest = [f", {json.dumps(name)}: {answer(value, MOST // _PARTS)}" for name, value in more.items()]
    room = MOST - _FRAME - sum(map(len, rest))
    for row in rows[:limit]:
        item = answer(row, MOST // _PARTS)
        room -= len(item) + 2
        if room < 0:
            break
        items.append(item)
    if len(items) < len(rows):
        rest.append(f', "next": {cursor(len(items))}')
    return f'{{"items": [{", ".join(items)}]{"".join(rest)}}}'


def _cut(value: Any, longest: int) -> Any:  # noqa: ANN401 - any JSON
    """A value with its texts cut, and with every invisible character written out."""
    if isinstance(value, str):
        text = "\n".join(map(clean, value[:longest].split("\n")))
        return text if len(value) <= longest else f"{text}... ({len(value) - longest} characters more)"
    if isinstance(value, dict):
        return {_cut(str(name), longest): _cut(item, longest) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cut(item, longest) for item in value]
    return value
