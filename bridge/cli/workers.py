"""`threadbridge run --workers`: what the command hands to the parent that it becomes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

import bridge
from bridge.errors import ConfigError, Problem
from bridge.workers.activation import inherited_sockets
from bridge.workers.address import bound, check_address
from bridge.workers.parent import Plan

if TYPE_CHECKING:
    import socket

    from bridge.config.load import Config

_HOME: Final = Path(bridge.__file__).parents[1]
_START: Final = "import sys; sys.path.insert(0, sys.argv[1]); from bridge.workers.parent import main; main()"
_AS_JSON: Final = {"json": True, "text": False}


def become_parent(config: Config, workers: int, greeting: str) -> None:
    """Go on, in this very process, as the parent of so many workers.

    Raises:
        ConfigError: a socket was handed over that the configuration does not name.
        OSError: the address cannot be had.
    """
    if workers > 1 and not config.storage.is_shared:
        reason = f"{workers} processes cannot share {config.storage.url}: one owns it; give 1, or move to PostgreSQL"
        raise typer.BadParameter(reason, param_hint="'--workers'")
    listening = handed_over(config) or bound(config.server.host, config.server.port)
    go_on(
        Plan(
            listening=[opened.detach() for opened in listening],
            workers=workers,
            side_by_side=config.storage.is_shared,
            command=_worker_command(),
            folder=_folder(),
            address=meeting_address(config),
            greeting=greeting,
            as_json=_AS_JSON.get(config.log.format, not sys.stderr.isatty()),
        )
    )


def go_on(plan: Plan) -> None:
    """Replace this program, and what it has imported, by a parent's."""
    for descriptor in plan.listening:
        os.set_inheritable(descriptor, True)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-c", _START, str(_HOME), plan.encoded()])  # noqa: S606 - our own


def handed_over(config: Config) -> list[socket.socket]:
    """The listening sockets of a service manager, if there are any. Raises ConfigError, socket.gaierror."""
    try:
        listening = inherited_sockets()
    except ValueError as error:
        raise ConfigError([Problem(config.file, "server", str(error))]) from None
    try:
        check_address(listening, config.server.host, config.server.port, config.file)
    except BaseException:
        for opened in listening:
            opened.close()
        raise
    return listening


def this_program() -> list[str]:
    """What begins a command of threadbridge as this one was begun, with the same options of Python's."""
    return [sys.executable, *sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv) + 1]]


def meeting_address(config: Config) -> str:
    """The address by which the parent is found."""
    return config.server.local_url.removeprefix("http://")


def _worker_command() -> list[str]:
    """This command as it was typed, but for the number of workers."""
    given = iter(sys.argv[1:])
    options = []
    for word in given:
        if word == "--workers":
            next(given)
        elif not word.startswith("--workers="):
            options.append(word)
    return [*this_program(), *options]


def _folder() -> str:
    """The current folder by the name that the shell knows: a link to the newest release is followed at each start."""
    name = os.environ.get("PWD", "")
    try:
        return name if os.path.samefile(name, ".") else str(Path.cwd())  # noqa: PTH121 - as short
    except OSError:
        return str(Path.cwd())
