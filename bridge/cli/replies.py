"""`threadbridge test-replies`: conversations written as plain text, held with the bot."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from bridge.cli.output import DEFAULT, ConfigFile, complain, exits, leave, say
from bridge.config.files import read_text
from bridge.config.load import Config, read_file
from bridge.errors import ConfigError, Problem
from bridge.providers.registry import provider_type
from bridge.routing.loading import load_routers
from bridge.routing.router import combine

if TYPE_CHECKING:
    from bridge.routing.router import Router
    from bridge.testing.conversations import Conversation, Transcript

_ALL: Final = "all"
_FIRST: Final = "konnek"
_PROVIDERS: Final = ("aelyst", "ginalne", "konnek", "relationlabs", "whautochat")
_GROUP: Final = "group"
_IN_A_WORLD: Final = frozenset({"handlers", "consent", "guard", "media"})
"""Sections that a world takes from the configuration; accounts and the store are its own."""
_DIFFERS: Final = 1


def hold_conversations(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Conversations as plain text.")],
    on: Annotated[
        str, typer.Option("--on", metavar="PROVIDER[:CHANNEL]", help="One provider, one of its channels, or `all`.")
    ] = _FIRST,
    *,
    auto: Annotated[
        Path | None, typer.Option("--auto", metavar="FILE", help="Talk to this auto-responder instead.")
    ] = None,
    config: ConfigFile = DEFAULT,
) -> None:
    """Hold conversations written as plain text with the bot, and show what differs.

    A line is `ann: words` or `ann: [Title]` for a contact, and `bot: words` for each answer that should come.
    `bot: ~part` wants a part of it, `bot: words [Title] [Title]` its buttons too. `= title` begins the
    next conversation. Other lines are `at: 2026-11-30 09:00 Asia/Jakarta`, `wait: 2h`, `restart:`, `handoff: note`
    and `return:`.

    The bot is that of the configuration, in a bridge in memory with emulated gateways and a clock of its own. The exit
    code is 1 where an answer differs.

    Example: `threadbridge test-replies replies.txt --auto replies.toml --on all`
    """
    with exits():
        router, settings, folder = _bot(auto, config)
        conversations = [(file, _conversations(file)) for file in files]
        places = _places(on)
        os.chdir(folder)  # a world looks for texts here
        failed = total = 0
        for file, found in conversations:
            for conversation in found:
                for account, channel in places:
                    total += 1
                    transcript = asyncio.run(_hold(conversation, router, settings, account, channel))
                    if transcript.differs:
                        failed += 1
                        _show(transcript, f"{file}:{conversation.number}: {conversation.title} ({account} {channel})")
    if failed:
        complain(f"{failed} of {total} conversations differ")
        leave(_DIFFERS)
    say(f"ok: {total} conversations" if total != 1 else "ok: 1 conversation")


def _bot(auto: Path | None, file: Path) -> tuple[Router, dict[str, Any], Path]:
    """The handlers, the sections that a world takes, and the folder of the configuration."""
    if auto is not None:
        return combine(load_routers([f"auto:{auto.absolute()}"], Path.cwd())), {}, Path.cwd()
    read = read_file(file)
    values = {name: table for name, table in read.items() if name in _IN_A_WORLD}
    if "migrations" in (storage := read.get("storage", {})):
        values["storage"] = {"migrations": storage["migrations"]}
    folder = file.absolute().parent
    config = Config.from_dict(values, folder, file=str(file))
    return combine(load_routers(config.handlers_to_load(), folder, file=str(file))), values, folder


def _conversations(file: Path) -> list[Conversation]:
    from bridge.testing.conversations import read_conversations  # noqa: PLC0415 - a world is heavy

    try:
        found = read_conversations(read_text(file, missing="there is no such file"))
    except ValueError as error:
        raise ConfigError([Problem(str(file), "", str(error))]) from None
    if not found:
        raise ConfigError([Problem(str(file), "", "holds no conversation: write one like ann: hello")])
    return found


def _places(on: str) -> list[tuple[str, str]]:
    """Account and channel of each place that `--on` names."""
    name, _, only = on.partition(":")
    places: list[tuple[str, str]] = []
    for provider in _PROVIDERS if on == _ALL else (name,):
        if provider not in _PROVIDERS:
            raise typer.BadParameter(f"there is no {provider}; there are {', '.join(_PROVIDERS)}", param_hint="--on")
        channels = [channel for channel in provider_type(provider).relays if channel != _GROUP]
        if only and only not in provider_type(provider).relays:
            raise typer.BadParameter(f"{provider} relays {', '.join(channels)}, not {only}", param_hint="--on")
        places.append((provider, only or channels[0]))
    return places


async def _hold(
    conversation: Conversation, router: Router, settings: dict[str, Any], account: str, channel: str
) -> Transcript:
    from bridge.testing.conversations import hold  # noqa: PLC0415 - a world is heavy
    from bridge.testing.world import World  # noqa: PLC0415

    with World(router, settings=settings, at=conversation.at, counts=False) as world:
        return await hold(conversation, world, account, channel)


def _show(transcript: Transcript, title: str) -> None:
    colours = {"-": typer.colors.RED, "+": typer.colors.GREEN}
    typer.secho(title, bold=True)
    for line in str(transcript).splitlines():
        typer.secho(line, fg=colours.get(line[:1]))
    typer.echo("")
