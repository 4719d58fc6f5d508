"""The commands of a shell line, held against our command line and the Makefile."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any, Final

from tests.docs.pages import ROOT
from tests.support.command_tree import command_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_OURS: Final = {
    "curl",
    "sudo",
    "install",
    "mkdir",
    "systemctl",
    "git",
    "cd",
    "nano",
    "head",
    "pg_dump",
    "printf",
    "export",
    "python3",
    "grep",
    "sh",
    "ssh",
    "cloudflared",
    "docker",
    "kubectl",
    "ngrok",
    "pip",
}


def commands_of(line: str) -> Iterator[list[str]]:
    """The commands of a shell line, without assignments and redirections."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if set(word) <= set("|&;<>"):
            if words:
                yield words
            words = []
        elif words or not re.fullmatch(r"[A-Z_]+=.*", word):
            words.append(word)
    if words:
        yield words


def check_command(words: list[str], where: str) -> None:
    """Fail unless our command line takes these words, or they are another program's."""
    if words[:3] == ["sudo", "-u", "threadbridge"]:
        words = words[3:]
    program = words[0].rpartition("/")[2]
    if program == "make":
        targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        assert set(re.findall(r"^[a-z]+$", "\n".join(words[1:]), re.MULTILINE)) <= set(targets), where
        return
    if program != "threadbridge":
        assert program in NOT_OURS or "." in program, f"{where}: what is {program}?"
        return
    command: Any = command_tree()
    rest = words[1:]
    while getattr(command, "commands", None) and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, f"{where}: no command {rest[0]}"
        command, rest = command.commands[rest[0]], rest[1:]
    if rest[:1] not in (["--help"], ["--version"], ["--install-completion"]):
        command.make_context(program, list(rest))
