"""`threadbridge deploy`: new code and a new configuration, without a moment in which nobody listens."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from bridge.cli.output import DEFAULT, ConfigFile, complain, exits, leave, say
from bridge.cli.workers import meeting_address, this_program
from bridge.config.load import load_config
from bridge.workers.asking import user_of
from bridge.workers.words import DEPLOY, STATUS, meeting_place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_REFUSED: Final = 1
_PATIENCE: Final = 10.0
"""Seconds for the parent to say how its workers are."""
_GATES: Final = (("check",), ("dialogs", "check"))


def deploy(
    config: ConfigFile = DEFAULT,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")] = False,
) -> None:
    """Replace a running bridge by what is installed now, without a connection refused.

    First `check` and `dialogs check` run with the new code: a problem ends the deploy, and nothing changes. Then the
    parent of `threadbridge run --workers` replaces its workers one by one. A new one imports, loads and checks before
    the old one finishes its turns and hands its connections over. Webhooks that arrive in that moment wait.

    The parent's environment stays, and so does the address. When a new worker fails, the old one goes on and the exit
    code is 1.

    Example: `threadbridge deploy --yes`
    """
    with exits():
        address = meeting_address(load_config(config))
        workers = _workers(address)
        for gate in _GATES:
            _pass(gate, config)
        if not yes and not _agreed(f"replace {_named(workers)} at http://{address}?"):
            complain("nothing is changed")
            leave(_REFUSED)
        _follow(_asked(address, DEPLOY))


def _workers(address: str) -> list[dict[str, Any]]:
    """The workers behind an address."""
    status = next(_asked(address, STATUS, _PATIENCE), None)
    if status is None:
        complain(f"the parent at http://{address} does not answer")
        leave(_REFUSED)
    workers: list[dict[str, Any]] = status["workers"]
    return workers


def _asked(address: str, question: bytes, seconds: float | None = None) -> Iterator[dict[str, Any]]:
    """The lines by which the parent answers."""
    if sys.platform != "linux":
        complain("only Linux has the sockets by which a parent is asked; send it SIGHUP")
        leave(_REFUSED)
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(seconds)
        try:
            asking.connect(meeting_place(address))
        except OSError:
            complain(f"no bridge with a parent runs at http://{address}: `threadbridge run --workers 1` starts one")
            leave(_REFUSED)
        if os.geteuid() not in {0, user_of(asking)}:
            complain(f"the bridge at http://{address} belongs to another user")
            leave(_REFUSED)
        asking.sendall(question)
        with asking.makefile("rb") as answer:
            try:
                yield from map(json.loads, answer)
            except TimeoutError:
                return


def _pass(gate: tuple[str, ...], config: Path) -> None:
    """Run a command of the new code; a problem that it finds ends this one in the same way."""
    say(f"threadbridge {' '.join(gate)}:")
    sys.stdout.flush()
    code = subprocess.run([*this_program(), *gate, "-c", str(config)], check=False).returncode  # noqa: S603 - our own
    if code:
        complain(f"threadbridge {' '.join(gate)} found a problem: nothing is changed")
        leave(code if code > 0 else _REFUSED)


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        complain("standard input is no terminal: --yes deploys without a question")
        leave(2)
    return typer.confirm(question)


def _named(workers: list[dict[str, Any]]) -> str:
    return ", ".join(f"worker {each['worker']} (process {each['pid']})" for each in workers) or "no worker"


def _follow(lines: Iterator[dict[str, Any]]) -> None:
    """Say how it goes; the exit code tells how it ended."""
    left: dict[int, float] = {}
    outcome: dict[str, Any] = {"action": "deploy_failed", "reason": "the parent has ended, or is stopping"}
    for line in lines:
        match line["action"]:
            case "worker_prepared":
                say(f"worker {line['worker']}: process {line['pid']} is ready after {line['seconds']:.2f} s")
            case "worker_left":
                left[line["worker"]] = line["seconds"]
                say(f"worker {line['worker']}: process {line['pid']} has handed over after {line['seconds']:.2f} s")
            case "worker_serves":
                waited = line["seconds"] - left.get(line["worker"], line["seconds"])
                say(f"worker {line['worker']}: process {line['pid']} serves; connections waited {waited * 1000:.0f} ms")
            case "deployed" | "deploy_failed":
                outcome = line
        sys.stdout.flush()
    if outcome["action"] == "deploy_failed":
        complain(f"the deploy failed: {outcome['reason']}")
        leave(_REFUSED)
    say(f"deployed in {outcome['seconds']:.2f} s")
