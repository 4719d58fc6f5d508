"""What `make audit` makes of an answer: nothing passes that was not looked at."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.release.audit import judged, main

if TYPE_CHECKING:
    from pathlib import Path

SAFE = {"name": "safe", "version": "1.0", "vulns": []}
FLAWED = {"name": "flawed", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}
SKIPPED = {"name": "skipped", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("packages", "code", "words"),
    [
        ([SAFE, SAFE], 0, "2 packages audited, no known vulnerability"),
        ([SAFE, FLAWED, SKIPPED], 1, "flawed 1.0: PYSEC-1, fixed in 1.1"),
        ([SAFE, SKIPPED], 69, "not audited, since the service does not know them: skipped"),
        ([SKIPPED, SKIPPED], 69, "nothing was audited: the vulnerability service did not answer here."),
    ],
    ids=["safe", "a flaw", "one is not known", "none is known"],
)
def test_an_answer_has_an_exit_code_and_says_what_to_do(packages: list[object], code: int, words: str) -> None:
    got = judged(json.dumps({"dependencies": packages}), "")
    assert (got[0], got[1].splitlines()[0]) == (code, words)


def test_no_answer_is_no_audit() -> None:
    code, words = judged("", "ConnectionError\n")
    assert code == 69
    assert words.startswith("ConnectionError\nnothing was audited")


def test_a_flaw_in_any_lock_is_the_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answered(asked: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        packages = {"requirements.lock": [FLAWED], "requirements-test.lock": [SKIPPED]}
        lock = asked[asked.index("--requirement") + 1].rpartition("/")[2]
        return subprocess.CompletedProcess(asked, 0, json.dumps({"dependencies": packages.get(lock, [SAFE])}), "")

    monkeypatch.setattr(subprocess, "run", answered)
    assert main(str(tmp_path / sys.platform)) == 1
