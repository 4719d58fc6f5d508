"""Which tests come by a line."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Final

import coverage

from tests.bench.mutants.mistakes import Place, bound
from tests.bench.mutants.sessions import CODE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

NEAR: Final = 6
"""Files whose tests are asked before all others, in turns."""
FAR: Final = 20
"""Files whose tests are asked at all: with more, a session is spent on collecting them."""


class Coverers:
    """Which tests come by a place, in the order in which they are asked."""

    def __init__(self, tree: Path, data: Path, seconds: Mapping[str, float]) -> None:
        self.seconds = seconds
        self.files: dict[str, list[str]] = defaultdict(list)
        for name in seconds:
            self.files[name.partition("::")[0]].append(name)
        found = coverage.CoverageData(str(data))
        found.read()
        self.contexts = cache(lambda file: found.contexts_by_lineno(str(tree / file)))
        self.uses: dict[str, set[tuple[str, int]]] = defaultdict(set)
        self.leads: dict[str, set[str]] = defaultdict(set)
        for path in (path for folder in (*CODE, "tests") for path in (tree / folder).rglob("*.py")):
            self._read(path.relative_to(tree).as_posix(), ast.parse(path.read_text()))

    def _read(self, file: str, module: ast.Module) -> None:
        for statement in module.body:
            given = () if isinstance(statement, ast.ClassDef) else bound(statement)
            for node in ast.walk(statement):
                if isinstance(node, ast.Name | ast.Attribute):
                    name = _known(file, node.id if isinstance(node, ast.Name) else node.attr)
                    self.uses[name].add((file, node.lineno))
                    self.leads[name].update(_known(file, each) for each in given)

    def of(self, file: str, place: Place) -> list[str]:
        """The tests of a place's lines; of what is made at import, the tests of all lines that name it."""
        lines = {(file, line) for line in place.lines}
        if not place.called:
            names, more = set[str](), {_known(file, name) for name in place.scope.partition(".")[0].split(", ")}
            while more := more - names:
                names |= more
                more = {each for name in more for each in self.leads[name]}
            lines = {each for name in names for each in self.uses[name]}
        found = {name for file, line in lines for name in self._at(file, line)}
        return self._nearest_first(file, (name for name in found if name in self.seconds))

    def _at(self, file: str, line: int) -> Sequence[str]:
        return self.files[file] if file.startswith("tests/") else self.contexts(file).get(line, ())

    def _nearest_first(self, asked: str, tests: Iterable[str]) -> list[str]:
        """First the tests of the files of which most come by and of those named like the file that is asked about.

        By a line of the engine all tests of all simulations come: few of them look at it. Of each file the fastest.
        """
        files: dict[str, list[str]] = defaultdict(list)
        for name in sorted(tests, key=lambda name: (self.seconds[name], name)):
            files[name.partition("::")[0]].append(name)
        ranked = sorted(files, key=lambda file: (-len(files[file]) / len(self.files[file]), file))
        akin = sorted(ranked, key=lambda file: -len(_words(file) & _words(asked)))
        ranked = list(dict.fromkeys(chain.from_iterable(zip(akin, ranked, strict=True))))
        groups = ([files[file] for file in part] for part in (ranked[:NEAR], ranked[NEAR:FAR]))
        return [name for group in groups for turn in zip_longest(*group) for name in turn if name is not None]


def _words(file: str) -> set[str]:
    """What a path speaks of."""
    return set(re.findall(r"[a-z0-9]+", file)) - {"py", "test", "tests"}


def _known(file: str, name: str) -> str:
    """A name as others know it: a private one is its file's alone."""
    return f"{file}:{name}" if name.startswith("_") else name
