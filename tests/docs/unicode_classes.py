"""Makes bridge/text/unicode_classes.py: the classes of characters of `regex`, for patterns of `re`."""

from __future__ import annotations

import sys
import textwrap
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

import regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SOURCE: Final = Path(__file__).parents[2] / "bridge" / "text" / "unicode_classes.py"
_HIDDEN: Final = r"\p{Cf}\p{Default_Ignorable_Code_Point}"
CLASSES: Final = {
    "UNSEEN": (
        rf"[{_HIDDEN}\p{{Emoji_Modifier}}\u20e3]",
        "Marks of direction, joining and width, soft hyphens, skin tones, and the mark that makes a keycap of a digit.",
    ),
    "MARK": (r"[\p{M}\uff9e\uff9f]", "Marks that join the letter before them."),
    "EDGE": (
        r"[\s\p{Po}\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{Pc}\p{Sk}\p{So}~--[/\\#@%&‰§°]]",
        "Punctuation and pictures. What begins a path, a tag or an address, and what follows a number, has a meaning.",
    ),
    "BLANK": (rf"[\s\p{{Z}}\p{{Cc}}{_HIDDEN}\u2800]", "What a reader sees nothing of."),
}
"""By name: the class in the words of `regex`, and what it holds."""
_HEAD: Final = '''\
"""Classes of characters for `re`, which knows none by Unicode's properties; `regex` does, and takes 2 MB.

Made by `python -m tests.docs.generated`.
"""

from __future__ import annotations

from typing import Final
'''


def members(pattern: str) -> list[int]:
    """The code points of a class."""
    matches = regex.compile(pattern, regex.VERSION1).fullmatch
    return [point for point in range(sys.maxunicode + 1) if matches(chr(point))]


def source() -> str:
    """The module."""
    made = [_constant(name, "r", ["[", *_ranges(members(held)), "]"], said) for name, (held, said) in CLASSES.items()]
    dashes = _constant("DASHES", "", map(_escaped, members(r"\p{Pd}")), "Each dash and hyphen.")
    return "".join([_HEAD, *made, dashes])


def _constant(name: str, prefix: str, parts: Iterable[str], meaning: str) -> str:
    lines = "".join(f'    {prefix}"{line.replace(" ", "")}"\n' for line in textwrap.wrap(" ".join(parts), 112))
    return f'\n{name}: Final = (\n{lines})\n"""{meaning}"""\n'


def _ranges(points: list[int]) -> Iterator[str]:
    for _, run in groupby(enumerate(points), lambda numbered: numbered[1] - numbered[0]):
        first, *_, last = [point for _, point in run] * 2
        yield _escaped(first) if first == last else f"{_escaped(first)}-{_escaped(last)}"


def _escaped(point: int) -> str:
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"
