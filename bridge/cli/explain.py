"""`threadbridge explain`: what a message becomes on each channel, without sending it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
import typer
from rich.columns import Columns
from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text as Styled

from bridge.cli.output import AsJson, clean, exits
from bridge.clock import SystemClock
from bridge.errors import ConfigError, Problem
from bridge.messages import choices_of, decode_message, encode_message
from bridge.planning.plan import Plan, plan
from bridge.providers.registry import provider_names, provider_type
from bridge.units import SECOND

if TYPE_CHECKING:
    from bridge.messages import Outgoing

_ALL: Final = "all"
_HOUR: Final = 3600
_PIPE: Final = Path("-")
_WIDTH: Final = 39
"""Columns of a box: two stand side by side on the narrowest terminal."""
_OF_PLAN: Final = frozenset({"tag", "at", "expires", "fallback"})
"""What every part repeats of its message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Explained:
    """What a message becomes on one channel."""

    provider: str
    channel: str
    plan: Plan

    @property
    def name(self) -> str:
        return f"{self.provider}:{self.channel}"


def explain(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A message as JSON; - reads a pipe.")],
    on: Annotated[
        str, typer.Option("--on", metavar="PROVIDER[:CHANNEL]", help="One provider, one of its channels, or `all`.")
    ] = _ALL,
    *,
    heard: Annotated[
        float, typer.Option("--heard", min=0, metavar="HOURS", help="How long ago the contact last wrote.")
    ] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Show what a message becomes on each channel, without sending it.

    FILE holds one message as handlers say it, its class as `kind`. Nothing is sent, and no configuration is needed.
    Channels on which the message becomes the same share a box on a terminal; elsewhere each has a line.

    Example: `threadbridge explain message.json --on konnek:whatsapp`
    """
    channels = _channels(on)
    with exits():
        message = _message(file)
    now = SystemClock().now()
    found = [
        _Explained(
            provider=provider,
            channel=channel,
            plan=plan(message, carries, now=now, last_heard=now - round(heard * _HOUR * SECOND)),
        )
        for provider, channel, carries in channels
    ]
    if as_json:
        typer.echo(json.dumps([_as_json(each) for each in found], indent=2, ensure_ascii=False))
    elif sys.stdout.isatty():
        Console().print(Columns(_boxes(found), equal=False, expand=False))
    else:
        for each in found:
            typer.echo("\t".join((each.provider, each.channel, _line(each.plan))))


def _channels(on: str) -> list[tuple[str, str, Any]]:
    """Provider, channel and capabilities of what `--on` names."""
    wanted, _, only = on.partition(":")
    found = []
    for name in provider_names() if on == _ALL else (wanted,):
        try:
            relays = provider_type(name).relays
        except LookupError as error:
            raise typer.BadParameter(f"{name}: {error}", param_hint="--on") from None
        found += [(name, channel, carries) for channel, carries in relays.items() if channel == (only or channel)]
        if not found:
            raise typer.BadParameter(f"{name} relays {', '.join(relays)}, and no {only}", param_hint="--on")
    return found


def _message(file: Path) -> Outgoing:
    try:
        return decode_message(sys.stdin.buffer.read() if file == _PIPE else file.read_bytes())
    except ValueError as error:
        raise ConfigError([Problem("standard input" if file == _PIPE else str(file), "", str(error))]) from None


def _as_json(explained: _Explained) -> dict[str, object]:
    made = explained.plan
    return {
        "provider": explained.provider,
        "channel": explained.channel,
        "parts": [orjson.loads(encode_message(part)) for part in made.parts],
        "choices": [{"number": each.number, "key": each.key, "title": each.title} for each in made.choices],
        "given_up": list(made.given_up),
        "dropped": made.dropped,
    }


def _line(made: Plan) -> str:
    """A plan on one line, whole."""
    if made.dropped is not None:
        return clean(f"dropped: {made.dropped}")
    parts = [" ".join(filter(None, (f"{part.kind}:", *_said(part), _pressed(part)))) for part in made.parts]
    numbered = [f"{each.number}={each.key}" for each in made.choices if each.number is not None]
    typed = (f"typed: {', '.join(numbered)}",) if numbered else ()
    given_up = (f"given up: {'; '.join(made.given_up)}",) if made.given_up else ()
    return "\t".join(map(clean, (" + ".join(parts), *typed, *given_up)))


def _said(part: Outgoing) -> list[str]:
    """What a part says besides its choices, as texts."""
    if part.kind in {"cards", "raw", "template", "location"}:
        shown = orjson.loads(encode_message(part))
        return [
            json.dumps({name: shown[name] for name in shown if name not in {"kind", *_OF_PLAN}}, ensure_ascii=False)
        ]
    values = [getattr(part, each.name) for each in fields(part) if each.name not in _OF_PLAN]
    texts = [value for value in values if isinstance(value, str)]
    links = [value.url for value in values if hasattr(value, "url")]
    return [*links, *(text for text in texts if text)]


def _pressed(part: Outgoing) -> str:
    if part.kind == "cards":
        return ""
    return " ".join(f"[{each.title}]" for each in choices_of(part))


def _boxes(found: list[_Explained]) -> list[Panel]:
    """A box for each different plan, named by the channels that share it."""
    alike: dict[str, list[_Explained]] = {}
    for each in found:
        alike.setdefault(repr(each.plan), []).append(each)
    return [_box([each.name for each in same], same[0].plan) for same in alike.values()]


def _box(names: list[str], made: Plan) -> Panel:
    told = Styled()
    for part in made.parts:
        told.append(f"{part.kind}\n", "bold")
        for text in _said(part):
            told.append("\n".join(map(clean, text.splitlines())) + "\n")
        for each in choices_of(part):
            told.append(f" {clean(each.title)} ", "reverse").append(f" {clean(each.key)}\n", "dim")
    for choice in made.choices:
        if choice.number is not None:
            told.append(f"{choice.number} = {clean(choice.key)}\n", "dim")
    for note in made.given_up:
        told.append(f"- {clean(note)}\n", "yellow")
    if made.dropped is not None:
        told.append(f"dropped: {clean(made.dropped)}\n", "red")
    told.rstrip()
    head = Styled("\n".join(names), "bold cyan")
    return Panel(Group(head, told), width=_WIDTH)
