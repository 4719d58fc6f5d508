"""kill -9 in the middle of `threadbridge copy`, while a batch is being written: the next run finishes the copy."""

from __future__ import annotations

import signal
import subprocess
from random import Random
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.postgres import empty_store
from tests.support.stored_rows import contents, random_rows, write_rows
from tests.support.warm_python import python

if TYPE_CHECKING:
    from pathlib import Path

_DIES: Final = """
import asyncio, os, signal, sys
from bridge.__main__ import main
from bridge.store import copying
from {module} import {target}

copying.FIRST_ROWS = copying.BATCH_ROWS = 1
write, left = {target}.write, [{last}]

async def dying(self, table, rows):
    left[0] -= 1
    if not left[0]:
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGKILL)
    await write(self, table, rows)

{target}.write = dying
sys.argv[1:] = ["copy", "--from", "{source}", "--to", "{to}"]
main()
"""
"""The signal comes while the transaction is on its way: in SQLite's thread, or at the server."""


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_copy_that_is_killed_while_it_writes_is_finished_by_the_next(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    write_rows(tmp_path / "source.db", random_rows(Random(4), least=3, most=9))
    source = f"sqlite:///{tmp_path}/source.db"
    target = empty_store() if kind == "postgres" else f"sqlite:///{tmp_path}/target.db"
    before = contents(source)
    rows = sum(map(len, before.values()))
    codes = []
    for last in (1, rows // 2, 10**6):
        name = f"{kind.title()}CopyTarget"
        program = _DIES.format(module=f"storage.{kind}.copying", target=name, last=last, source=source, to=target)
        codes.append(subprocess.run([python(), "-c", program], capture_output=True, check=False).returncode)
    assert codes == [-signal.SIGKILL, -signal.SIGKILL, 0]
    assert contents(target) == contents(source) == before
