"""A Python for tests that start it often: warm, it costs a tenth of a new one. See tests/support/warm_server.py.

It takes the place of `sys.executable` where a test starts a module or code, with any arguments, environment, folder and
descriptors. A fork has imported what others need too: what is missing among the imports, and options of Python's own,
only tests that start the real Python find. CONTRIBUTING.md names the commands that have some.
"""

from __future__ import annotations

import atexit
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

NUMBER: Final = "WARM_PYTHON_NUMBER"
"""A variable that names an open descriptor: the process behind the program writes its own number there."""
_HERE: Final = Path(__file__).resolve().parent
_ROOT: Final = _HERE.parents[1]


@cache
def python(*, own: bool = True) -> str:
    """The path of the program; what it needs is started with the first call, and ends with this process.

    With `own` it has imported threadbridge; else what threadbridge imports, for tests that bring another threadbridge.
    """
    folder = tempfile.TemporaryDirectory(prefix="warm-")
    address, program = Path(folder.name) / "s", Path(folder.name) / "python"
    call = f'exec "{sys.executable}" -ISE "{_HERE / "warm_client.py"}" "{address}" "{sys.executable}" "$@"'
    program.write_text(f"#!/bin/sh\n{call}\n", "utf-8")
    program.chmod(0o700)
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.warm_server", str(address), str(program), *([] if own else ["others"])],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdout is not None
    assert server.stdin is not None
    assert server.stdout.readline() == b"ready\n"
    server.stdout.close()
    atexit.register(folder.cleanup)
    atexit.register(server.wait)
    atexit.register(server.stdin.close)
    return str(program)
