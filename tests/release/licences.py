"""The licence of each locked package, out of its own metadata, against a list of those that a user may rely on."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, metadata
from typing import TYPE_CHECKING, Final

from tests.release.locks import RUNTIME, TEST, pins

if TYPE_CHECKING:
    from collections.abc import Mapping

ALLOWED: Final = {
    *("0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "CNRI-Python", "ISC", "MIT", "MIT-0", "PSF-2.0"),
    "MPL-2.0",  # binds changes of its own files, and we change none
}
"""SPDX identifiers; BSD stands for two or three clauses where the metadata does not say."""
_BY_OTHER_NAMES: Final[Mapping[str, str]] = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD License": "BSD",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
_ELSEWHERE: Final[Mapping[str, str]] = {
    "axe-playwright-python": "MIT AND MPL-2.0",
    "colorama": "BSD-3-Clause",
    "httpx2-jsfetch": "BSD-3-Clause",
    "pywin32": "PSF-2.0",
    "tiktoken": "MIT",
    "tzdata": "Apache-2.0",
}
"""Looked up by hand: locked for another system, or without an identifier in the metadata."""
_EXPRESSION: Final = re.compile(r"[\w.+-]+(?: (?:AND|OR) [\w.+-]+)*")
PAGE: Final = """# The licences of what threadbridge needs

threadbridge is under the MIT licence.
This page lists each package of the locks, with the licence that its metadata names.
A test refuses a licence that is not on the list in `tests/release/licences.py`.
`BSD` stands where the metadata leaves open whether it has two clauses or three.
"""


def licence_of(name: str) -> str:
    """The SPDX expression of a package; empty where its metadata says nothing that we know."""
    try:
        known = metadata(name)
    except PackageNotFoundError:
        return _ELSEWHERE.get(name, "")
    named = (known.get_all("License-Expression") or known.get_all("License") or [""])[0]
    classified = [
        text.rpartition(" :: ")[2] for text in known.get_all("Classifier") or () if text.startswith("License ::")
    ]
    plain = re.sub(r"[()]", "", _BY_OTHER_NAMES.get(named, named))
    if _EXPRESSION.fullmatch(plain):
        return _BY_OTHER_NAMES.get(named, named)
    return " AND ".join(sorted(_BY_OTHER_NAMES.get(text, "") for text in classified)) or _ELSEWHERE.get(name, "")


def is_allowed(licence: str) -> bool:
    """Whether each licence that an expression names is on the list, also where it leaves a choice."""
    words = re.findall(r"[\w.+-]+", licence)
    return bool(words) and {*words} - {"AND", "OR"} <= ALLOWED


def page() -> str:
    """docs/reference/licences.md, below its first line."""
    ours = pins(RUNTIME)
    others = {name: version for name, version in pins(TEST).items() if name not in ours}
    return "\n".join([
        PAGE,
        "## With threadbridge, and to build it\n",
        "`requirements.lock` pins these.\n",
        *_table(ours),
        "\n## With its extras, and for its tests\n",
        "`requirements-test.lock` pins these, and a running bridge has only those of the extras that you install.\n",
        *_table(others),
        "",
    ])  # fmt: skip


def _table(names: Mapping[str, str]) -> list[str]:
    return ["| package | licence |", "|---|---|", *(f"| {name} | {licence_of(name)} |" for name in names)]
