"""Ask for known vulnerabilities of all that is locked: `python -m tests.release.audit PIP_AUDIT`.

A package that the service knows nothing about counts as not audited, and not as safe.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Final

from tests.release.locks import RELEASE, RUNTIME, TEST

_ARGUMENTS: Final = ("--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off")
UNREACHABLE: Final = (
    "nothing was audited: the vulnerability service did not answer here.\n"
    "Run `make audit` where PyPI's own address can be reached, or name another service: "
    'make audit ARGS="--vulnerability-service osv"\n'
)


def judged(answer: str, complaint: str) -> tuple[int, str]:
    """The exit code and the words for what pip-audit answered (JSON) and complained of."""
    try:
        packages: list[dict[str, Any]] = json.loads(answer)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return 69, f"{complaint}{UNREACHABLE}"
    flaws = [
        f"{package['name']} {package['version']}: {flaw['id']}, fixed in {', '.join(flaw['fix_versions']) or 'none'}\n"
        for package in packages
        for flaw in package.get("vulns", ())
    ]
    skipped = sorted(package["name"] for package in packages if "skip_reason" in package)
    if flaws:
        return 1, "".join([*flaws, f"{len(flaws)} known vulnerabilities: `make lock ARGS=--upgrade`, then the tests\n"])
    if len(skipped) == len(packages):
        return 69, UNREACHABLE
    if skipped:
        return 69, f"not audited, since the service does not know them: {', '.join(skipped)}\n"
    return 0, f"{len(packages)} packages audited, no known vulnerability\n"


def main(command: str, *arguments: str) -> int:
    """Audit each lock: 0, 1 for a known vulnerability, 69 when something was not audited."""
    codes = set[int]()
    for lock in (RUNTIME, TEST, RELEASE):
        asked = [command, "--requirement", str(lock), *_ARGUMENTS, *arguments]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        code, words = judged(done.stdout, done.stderr)
        sys.stdout.write(f"{lock.name}: {words}")
        codes.add(code)
    return 1 if 1 in codes else max(codes)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
