"""python -m tests.bench.mutants [--seed N] [--count N] [--json FILE].

One thing is changed in a copy of the code, and the tests that come by there are run; a change that none of them notices
has survived. A seed draws the same changes again, also where a function has moved to another file. Tests that start
processes or take long are left out.
"""

from __future__ import annotations

import argparse
import ast
import gc
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import Phase, settings

from tests.bench.mutants.coverers import Coverers
from tests.bench.mutants.mistakes import Place, changes
from tests.bench.mutants.sessions import CODE, collect, run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AREAS: Final[dict[str, Sequence[str]]] = {
    "store": ("storage/**/*.py", "bridge/store/**/*.py"),
    "engine": ("bridge/engine/**/*.py",),
    "planning": ("bridge/planning/**/*.py",),
}
QUICK: Final = 2.0
"""Seconds of a processor that a test may take."""
FIRST_LOOK: Final = 50
"""Tests that a mutant meets at first."""
SECOND_LOOK: Final = 8.0
"""Seconds of further tests, for what survived these."""
UNNOTICED: Final = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
PATIENCE: Final = 15.0
"""Seconds to start in, by the clock; beside these, tests may take ten times as long as usual."""


@dataclass(slots=True, kw_only=True)
class Mutant:
    """A mistake, and what came of it."""

    area: str
    file: str
    line: int
    scope: str
    change: str
    was: str
    now: str
    outcome: str = "uncovered"
    by: str = ""
    tests: int = 0


def drawn(root: Path, area: str, count: int, seed: int) -> list[tuple[Mutant, Place, str]]:
    """A sample of an area's mutants, with the whole file of each. Lots depend on what a mutant is, not where."""
    lots: list[tuple[float, Path, int]] = []
    seen: Counter[str] = Counter()
    for path in files(root, area):
        for at, change in enumerate(changes(ast.parse(path.read_text()))):
            what = re.sub(r"\b_+", "", f"{area} {change.place.scope} {change.name} {ast.unparse(change.node)}")
            seen[what] += 1
            lots.append((random.Random(f"{seed} {what} {seen[what]}").random(), path, at))
    return [_mutant(root, area, path, at) for _, path, at in sorted(lots)[:count]]


def _mutant(root: Path, area: str, path: Path, at: int) -> tuple[Mutant, Place, str]:
    tree = ast.parse(path.read_text())
    change = list(changes(tree))[at]
    was, file = ast.unparse(change.node), path.relative_to(root).as_posix()
    change.make()
    now = "pass" if change.name == "statement deleted" else ast.unparse(change.node)
    mutant = Mutant(
        area=area,
        file=file,
        line=change.node.lineno,
        scope=change.place.scope,
        change=change.name,
        was=was,
        now=now,
    )
    return mutant, change.place, ast.unparse(tree)


def files(root: Path, area: str) -> list[Path]:
    """The files of an area."""
    return sorted({path for glob in AREAS[area] for path in root.glob(glob)})


def judge(tree: Path, mutant: Mutant, tests: Sequence[str], seconds: Mapping[str, float]) -> None:
    """Let the tests of a mutant look at it, in its place in the copy."""
    rest, left = [], SECOND_LOOK
    for name in tests[FIRST_LOOK:]:
        left -= seconds[name]
        rest += [name] if left > 0 else []
    for look in filter(None, (tests[:FIRST_LOOK], rest)):
        mutant.tests += len(look)
        mutant.outcome, mutant.by = _seen(tree, look, seconds)
        if mutant.outcome != "survived":
            return


def _seen(tree: Path, look: Sequence[str], seconds: Mapping[str, float]) -> tuple[str, str]:
    """What some tests say, and who said so. One that fails has to fail once more, alone: else it is not asked."""
    while look:
        came = run(tree, look, seconds=PATIENCE + 10 * sum(seconds[name] for name in look))
        if came.code is None:
            return "time-out", ""
        if came.code in UNNOTICED:
            break
        by = next(iter(came.failed), f"exit code {came.code}")
        if by not in look or run(tree, [by], seconds=PATIENCE + 10 * seconds[by]).code not in UNNOTICED:
            return "killed", by
        look = [name for name in look if name != by]
    return "survived", ""


def table(mutants: Sequence[Mutant]) -> str:
    """The score of each area."""
    lines = [f"{'area':10} {'killed':>6} {'mutants':>8} {'score':>7}   time-outs  survived  uncovered"]
    for area in AREAS:
        counts = Counter(mutant.outcome for mutant in mutants if mutant.area == area)
        killed, total = counts["killed"] + counts["time-out"], max(counts.total(), 1)
        lines.append(
            f"{area:10} {killed:6} {counts.total():8} {killed / total:7.1%}   "
            f"{counts['time-out']:9}  {counts['survived']:8}  {counts['uncovered']:9}"
        )
    return "\n".join(lines)


def main() -> None:
    """Draw, run, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--count", type=int, default=300, help="mutants, a third of them in each area")
    parser.add_argument("--json", type=Path, help="a file for all that is found")
    options = parser.parse_args()
    began, root = time.monotonic(), Path.cwd()
    settings.register_profile("mutants", derandomize=True, deadline=None, phases=(Phase.explicit, Phase.generate))
    os.environ["HYPOTHESIS_PROFILE"] = "mutants"
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree, data = Path(folder, "tree").resolve(), Path(folder, "coverage")
        shutil.copytree(root, tree, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        quick = rehearse(root, tree)
        run(tree, list(quick), data=data)
        coverers = Coverers(tree, data, quick)
        print(f"{time.monotonic() - began:.0f} s until the first mutant", flush=True)
        sample = [each for area in AREAS for each in drawn(root, area, options.count // len(AREAS), options.seed)]
        for at, (mutant, place, text) in enumerate(sample, 1):
            (tree / mutant.file).write_text(text)
            judge(tree, mutant, coverers.of(mutant.file, place), quick)
            shutil.copy2(root / mutant.file, tree / mutant.file)
            told = f"{mutant.area} {mutant.file}:{mutant.line} {mutant.scope}: {mutant.change}: {mutant.outcome}"
            print(f"[{at}/{len(sample)}] {told} {mutant.by and 'by ' + mutant.by}".rstrip(), flush=True)
    mutants = [mutant for mutant, *_ in sample]
    print(f"\n{table(mutants)}\n{time.monotonic() - began:.0f} s, seed {options.seed}")
    if options.json:
        found = {
            "seed": options.seed,
            "table": table(mutants).splitlines(),
            "mutants": [asdict(one) for one in mutants],
        }
        options.json.write_text(json.dumps(found, indent=1))


def rehearse(root: Path, tree: Path) -> dict[str, float]:
    """The quick tests that pass when the code is only written anew, as mutants are, and the seconds of each.

    What they import, if it is not ours, is imported here once for all.
    """
    paths = [path for area in AREAS for path in files(root, area)]
    for path in paths:
        (tree / path.relative_to(root)).write_text(ast.unparse(ast.parse(path.read_text())))
    plain = run(tree)
    assert plain.seconds, plain
    for path in paths:
        shutil.copy2(path, tree / path.relative_to(root))
    collect(tree)
    for name in plain.modules:
        with suppress(Exception):
            import_module(name)
    assert not sys.modules.keys() & CODE
    gc.freeze()
    quick = {name: took for name, took in plain.seconds.items() if took <= QUICK and name not in plain.failed}
    print(f"{len(quick)} quick tests of {len(plain.seconds)}; failed: {', '.join(plain.failed) or 'none'}", flush=True)
    return quick


if __name__ == "__main__":
    main()
