"""The pages that are made from the code: `python -m tests.docs.generated` writes them anew."""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING, Any, Final

from bridge.config.json_schema import file_schema
from bridge.messages import MESSAGE_TYPES
from bridge.providers.registry import BUILT_IN, emulator_type, provider_type
from handlers.autoresponder import Replies
from tests.docs import rooms, states, unicode_classes
from tests.docs.pages import DOCS
from tests.release import licences
from tests.support.command_tree import command_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from bridge.planning.capabilities import Capabilities

_MADE: Final = "<!-- Made from the code by `python -m tests.docs.generated`: change the code, then run that. -->\n"

_CLI: Final = """# The command line

`threadbridge` and `python -m bridge` are the same command.
A command that needs a configuration reads `threadbridge.toml` in the current folder, or the file after `-c`.
On a terminal a list is a table, or one paragraph an item where the terminal is too narrow.
Elsewhere a list has one line an item, with tabs between the columns; `--json` prints JSON.
Reading commands take no lock and work while the bridge runs.
Commands that change something ask the running bridge over a socket beside its database.
When no bridge runs, they open the store themselves.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | an item does not exist or was refused; `dialogs check`: a dialog cannot continue |
| 2 | the command line is wrong |
| 69 | the provider refused or failed |
| 70 | the store is broken: the disk or the database file failed |
| 71 | the address to listen on cannot be had: the port is taken, or the host does not resolve |
| 73 | another process owns the store |
| 74 | standard output cannot be written: a full disk |
| 78 | the configuration cannot be used, or a later version wrote the store |
| 141 | the reader of standard output is gone, like `head` after its last line |
"""

_MATRIX: Final = """# What each gateway carries

The planner follows this page.
A form that a channel lacks is degraded to [the next best one](../how-to/messages-that-fit-every-channel.md).
Each provider's page separates documented facts from inferred ones.

A number is a limit, ∞ means that no limit is known, and - means not at all.
Lengths are in characters, the window in hours since the contact last wrote.
`marks` names how [markdown](../how-to/format-text.md) is shown.
A row named `any other` stands for channels that are not listed.
"""


def commands(command: Any = None, name: str = "threadbridge") -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its full name."""
    command = command or command_tree()
    children = getattr(command, "commands", None)
    if children is None:
        yield name, command
        return
    for child, inner in children.items():
        yield from commands(inner, f"{name} {child}")


def cli_page() -> str:
    """docs/reference/cli.md."""
    return "\n".join([_MADE, _CLI, *(_command(name, command) for name, command in commands())])


def _command(name: str, command: Any) -> str:
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option"]
    usage = " ".join([name, *(f"{argument.metavar}{_more(argument)}" for argument in arguments)])
    lines = [f"## {name}\n", f"    {usage} [OPTIONS]\n", _prose(command.help), ""]
    if rows := [_row(param) for param in (*arguments, *options) if "--help" not in param.opts]:
        lines += ["| option | meaning | default |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _prose(text: str) -> str:
    """A docstring with one sentence a line, its example as a block."""
    paragraphs = [" ".join(paragraph.split()) for paragraph in textwrap.dedent(text).strip().split("\n\n")]
    prose = []
    for paragraph in paragraphs:
        example = re.fullmatch(r"(?P<what>.*): `(?P<line>threadbridge [^`]*)`", paragraph)
        if example:
            prose.append(f"{example['what']}:\n\n```sh\n{example['line']}\n```")
        else:
            prose.append(re.sub(r"(?<=[.!?]) (?=[A-Z\"`])", "\n", paragraph))
    return "\n\n".join(prose)


def _row(param: Any) -> str:
    name = (
        f"`{param.metavar}{_more(param)}`"
        if param.param_type_name == "argument"
        else ", ".join(f"`{option}`" for option in param.opts) + (f" {_wanted(param)}" if _wanted(param) else "")
    )
    default = "required" if param.required else _default(param)
    return f"| {name} | {(param.help or '').replace('|', '&#124;')} | {default} |"


def _more(param: Any) -> str:
    """Behind what may be given several times."""
    return "..." if param.nargs == -1 else ""


def _wanted(param: Any) -> str:
    return "" if param.is_flag else param.metavar or "N"


def _default(param: Any) -> str:
    value = param.default
    return "" if value in (None, False, ()) or callable(value) else f"`{value}`"


def matrix_page() -> str:
    """docs/providers/matrix.md."""
    rows = [(name, channel, carried) for name in sorted(BUILT_IN) for channel, carried in _channels(name).items()]
    kinds = list(MESSAGE_TYPES)
    return "\n".join(
        [
            _MADE,
            _MATRIX,
            "## Kinds of messages\n",
            "Natively, as the gateway's own form of it:\n",
            _table(
                ["provider", "channel", *kinds],
                [
                    [name, channel, *("yes" if kind in carried.kinds else "-" for kind in kinds)]
                    for name, channel, carried in rows
                ],
            ),
            "## Limits and features\n",
            _table(
                ["provider", "channel", *_FEATURES],
                [[name, channel, *(show(carried) for show in _FEATURES.values())] for name, channel, carried in rows],
            ),
        ]
    )


def _limit(value: float | None) -> str:
    return "∞" if value is None else "-" if not value else f"{value:,}"


def _yes(value: object) -> str:
    return "yes" if value else "-"


_FEATURES: Final[Mapping[str, Callable[[Capabilities], str]]] = {
    "text": lambda carried: _limit(carried.text) if "text" in carried.kinds else "-",
    "buttons": lambda carried: _limit(carried.buttons),
    "button title": lambda carried: _limit(carried.button_title) if carried.buttons else "-",
    "button key": lambda carried: _limit(carried.button_key) if carried.buttons else "-",
    "rows": lambda carried: _limit(carried.rows),
    "row title": lambda carried: _limit(carried.row_title) if carried.rows else "-",
    "header": lambda carried: ", ".join(sorted(carried.header)) or "-",
    "footer": lambda carried: _yes(carried.footer),
    "caption": lambda carried: _yes(carried.caption),
    "reply_to": lambda carried: _yes(carried.reply_to),
    "schedule": lambda carried: _yes(carried.schedule),
    "statuses": lambda carried: _yes(carried.statuses),
    "key": lambda carried: _yes(carried.idempotency_key),
    "window": lambda carried: "-" if carried.window is None else f"{carried.window / 3600:g}",
    "tags": lambda carried: ", ".join(sorted(carried.tags)) or "-",
    "marks": lambda carried: carried.dialect.name,
}


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _channels(name: str) -> dict[str, Capabilities]:
    """The channels a provider is known to relay, and what it is taken to carry on any other."""
    kind = provider_type(name)
    settings: dict[str, Any] = {"provider": name, **emulator_type(name).sample_settings}
    if "base_url" in kind.Settings.model_fields:
        settings["base_url"] = "https://gateway.example"
    other = kind("sample", kind.Settings.model_validate(settings)).capabilities("a channel nobody knows")
    more = {} if len(kind.relays) == 1 else {"any other": other}
    return {**kind.relays, **more}


SCHEMA: Final = DOCS / "reference" / "autoresponder.schema.json"
OF_CONFIGURATION: Final = DOCS / "reference" / "threadbridge.schema.json"


def schema_page() -> str:
    """docs/reference/autoresponder.schema.json, for editors."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Replies.model_json_schema()}
    return f"{json.dumps(schema, indent=1, ensure_ascii=False)}\n"


def configuration_schema() -> str:
    """docs/reference/threadbridge.schema.json, with the providers of this project."""
    return f"{json.dumps(file_schema(BUILT_IN), indent=1, ensure_ascii=False)}\n"


GENERATED: Final[Mapping[Path, Callable[[], str]]] = {
    DOCS / "reference" / "cli.md": cli_page,
    DOCS / "reference" / "licences.md": lambda: f"{_MADE}\n{licences.page()}",
    DOCS / "providers" / "matrix.md": matrix_page,
    SCHEMA: schema_page,
    OF_CONFIGURATION: configuration_schema,
    rooms.PAGE: rooms.design_page,
    states.PAGE: lambda: f"{_MADE}\n{states.states_page()}",
    unicode_classes.SOURCE: unicode_classes.source,
}


def main() -> None:
    """Write every generated page."""
    for page, make in GENERATED.items():
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(make(), "utf-8")


if __name__ == "__main__":
    main()
