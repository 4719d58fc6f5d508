"""A coverage-guided fuzzer at every provider's parser and door, for minutes: only by `make soak`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import pytest

from tests.contract.provider.roster import PROVIDERS
from tests.docs.pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SECONDS: Final = int(os.environ.get("FUZZ_SECONDS", "30"))
"""How long each target is fuzzed."""


@pytest.mark.soak
@pytest.mark.parametrize("what", ["parse", "verify"])
@pytest.mark.parametrize("name", PROVIDERS)
def test_no_bytes_break_a_provider(name: str, what: str, tmp_path: Path) -> None:
    if find_spec("atheris") is None:
        pytest.skip("atheris is not installed: it has no build for this Python or machine")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for at, case in enumerate(PROVIDERS[name].received):
        (corpus / str(at)).write_bytes(json.dumps(case.webhook).encode())
    limits = [f"-max_total_time={SECONDS}", "-max_len=4096", "-rss_limit_mb=0", f"-artifact_prefix={tmp_path}/"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.provider_fuzz", name, what, *limits, str(corpus)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS + 120,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-4_000:]
    assert "Done " in said
