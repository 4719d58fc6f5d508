"""The import contracts of a copy of the packages, checked as it is and again after each of many spoiling lines.

A process of its own, started in the copy: in the one that runs the tests the packages are already imported from their
real place. One process for all lines, for it starts more slowly than it checks.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from importlinter import configuration
from importlinter.application import use_cases

if TYPE_CHECKING:
    from collections.abc import Iterator


def broken() -> list[str]:
    """The ids of the contracts that do not hold in the working directory."""
    options = use_cases.read_user_options(config_filename="pyproject.toml")
    ids = {contract["name"]: contract["id"] for contract in options.contracts_options}
    report = use_cases.create_report(options, cache_dir=".import_linter_cache")  # one module is new each time
    assert not report.could_not_run
    return sorted(ids[contract.name] for contract, check in report.get_contracts_and_checks() if not check.kept)


def broken_by(module: str, line: str) -> list[str]:
    """The same once the line stands at the end of a module, which is as before afterwards."""
    file = Path(module)
    whole = file.read_text("utf-8") if file.exists() else None
    file.write_text(f"{whole or ''}\n\n{line}\n", "utf-8")
    try:
        return broken()
    finally:
        if whole is None:
            file.unlink()
        else:
            file.write_text(whole, "utf-8")


def verdicts(lines: list[tuple[str, str]]) -> Iterator[list[str]]:
    yield broken()
    for module, line in lines:
        yield broken_by(module, line)


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    configuration.configure()
    use_cases._register_contract_types(use_cases.read_user_options(config_filename="pyproject.toml"))
    sys.stdout.write("\n" + json.dumps(list(verdicts(json.load(sys.stdin)))))
