"""`threadbridge explain`: the plan of a message on each channel."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, fields
from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
import typer
from rich.columns import Columns
from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text as Styled

from bridge.cli.message_files import read_message
from bridge.cli.output import AsJson, clean, exits
from bridge.clock import SystemClock
from bridge.messages import choices_of, encode_message
from bridge.planning.plan import Plan, plan
from bridge.providers.registry import provider_names, provider_type
from bridge.units import SECOND

if TYPE_CHECKING:
    from bridge.messages import Outgoing

_ALL: Final = "all"
_HOUR: Final = 3600
_WIDTH: Final = 39
"""Columns of a box: two fit side by side on 80 columns."""
_OF_PLAN: Final = frozenset({"tag", "at", "expires", "fallback"})
"""Fields that every part repeats from its message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Explained:
    """The plan of a message on one channel."""

    provider: str
    channel: str
    plan: Plan

    @property
    def name(self) -> str:
        return f"{self.provider}:{self.channel}"


def explain(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A message as JSON; - reads standard input.")],
    on: Annotated[
        str, typer.Option("--on", metavar="PROVIDER[:CHANNEL]", help="One provider, one of its channels, or `all`.")
    ] = _ALL,
    *,
    heard: Annotated[
        float, typer.Option("--heard", min=0, metavar="HOURS", help="Hours since the contact last wrote.")
    ] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Show what a message becomes on each channel, without sending it.

    Shows the parts, the choices, and what the channel cannot carry. FILE holds one message as JSON: the fields of its
    class, and the class as `kind`. No configuration is needed. On a terminal, channels with equal plans share a box.
    Elsewhere each channel has a line.

    Example: `threadbridge explain message.json --on konnek:whatsapp`
    """
    channels = _channels(on)
    with exits():
        message = read_message(file)
    plans = _plans(message, channels, heard)
    if as_json:
        typer.echo(json.dumps([_as_json(explained) for explained in plans], indent=2, ensure_ascii=False))
    elif sys.stdout.isatty():
        Console().print(Columns(_boxes(plans), equal=False, expand=False))
    else:
        for explained in plans:
            typer.echo("\t".join((explained.provider, explained.channel, _line(explained.plan))))


def plan_rows(message: Outgoing, on: str = _ALL, heard: float = 0.0) -> list[dict[str, object]]:
    """What a message becomes on each channel. Raises typer.BadParameter for a name after `--on`."""
    return [_as_json(explained) for explained in _plans(message, _channels(on), heard)]


def _plans(message: Outgoing, channels: list[tuple[str, str, Any]], heard: float) -> list[_Explained]:
    now = SystemClock().now()
    last_heard = now - round(heard * _HOUR * SECOND)
    return [
        _Explained(provider=provider, channel=channel, plan=plan(message, carries, now=now, last_heard=last_heard))
        for provider, channel, carries in channels
    ]


def _channels(on: str) -> list[tuple[str, str, Any]]:
    """Provider, channel and capabilities that `--on` names."""
    wanted, _, only = on.partition(":")
    channels = []
    for name in provider_names() if on == _ALL else (wanted,):
        try:
            relays = provider_type(name).relays
        except LookupError as error:
            raise typer.BadParameter(f"{name}: {error}", param_hint="--on") from None
        channels += [(name, channel, carries) for channel, carries in relays.items() if channel == (only or channel)]
        if not channels:
            raise typer.BadParameter(f"{name} relays {', '.join(relays)}, not {only}", param_hint="--on")
    return channels


def _as_json(explained: _Explained) -> dict[str, object]:
    made = explained.plan
    return {
        "provider": explained.provider,
        "channel": explained.channel,
        "parts": [orjson.loads(encode_message(part)) for part in made.parts],
        "choices": [{"number": choice.number, "key": choice.key, "title": choice.title} for choice in made.choices],
        "given_up": list(made.given_up),
        "dropped": made.dropped,
    }


def _line(made: Plan) -> str:
    """The whole plan on one line."""
    if made.dropped is not None:
        return clean(f"dropped: {made.dropped}")
    parts = [" ".join(filter(None, (f"{part.kind}:", *_texts(part), _buttons(part)))) for part in made.parts]
    numbered = [f"{choice.number}={choice.key}" for choice in made.choices if choice.number is not None]
    typed = (f"typed: {', '.join(numbered)}",) if numbered else ()
    given_up = (f"given up: {'; '.join(made.given_up)}",) if made.given_up else ()
    return "\t".join(map(clean, (" + ".join(parts), *typed, *given_up)))


def _texts(part: Outgoing) -> list[str]:
    """The texts and links of a part, without its choices."""
    if part.kind in {"cards", "raw", "template", "location"}:
        values = orjson.loads(encode_message(part))
        own = {name: values[name] for name in values if name not in {"kind", *_OF_PLAN}}
        return [json.dumps(own, ensure_ascii=False)]
    members = [getattr(part, member.name) for member in fields(part) if member.name not in _OF_PLAN]
    texts = [member for member in members if isinstance(member, str)]
    links = [member.url for member in members if hasattr(member, "url")]
    return [*links, *(text for text in texts if text)]


def _buttons(part: Outgoing) -> str:
    if part.kind == "cards":
        return ""
    return " ".join(f"[{choice.title}]" for choice in choices_of(part))


def _boxes(plans: list[_Explained]) -> list[Panel]:
    """A box for each different plan, titled by the channels that share it."""
    equal: dict[str, list[_Explained]] = {}
    for explained in plans:
        equal.setdefault(repr(explained.plan), []).append(explained)
    return [_box([explained.name for explained in group], group[0].plan) for group in equal.values()]


def _box(names: list[str], made: Plan) -> Panel:
    body = Styled()
    for part in made.parts:
        body.append(f"{part.kind}\n", "bold")
        for text in _texts(part):
            body.append("\n".join(map(clean, text.splitlines())) + "\n")
        for button in choices_of(part):
            body.append(f" {clean(button.title)} ", "reverse").append(f" {clean(button.key)}\n", "dim")
    for choice in made.choices:
        if choice.number is not None:
            body.append(f"{choice.number} = {clean(choice.key)}\n", "dim")
    for note in made.given_up:
        body.append(f"- {clean(note)}\n", "yellow")
    if made.dropped is not None:
        body.append(f"dropped: {clean(made.dropped)}\n", "red")
    body.rstrip()
    head = Styled("\n".join(names), "bold cyan")
    return Panel(Group(head, body), width=_WIDTH)
