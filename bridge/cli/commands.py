"""Command classes: help without Python types, and import at the first call."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Iterable


class Command(TyperCommand):
    """A command. Its help shows an argument by name alone, and a flag without a value."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - click's own, which typer may carry inside
        """Arguments and options, including `--help`."""
        return _plain(super().get_params(ctx))


class Group(TyperGroup):
    """Commands below one name."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - as above
        """Options, including `--help`."""
        return _plain(super().get_params(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:  # noqa: ANN401 - as above
        """Import the command that the arguments name."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Listed) else command, rest


class Entry(NamedTuple):
    """A command as `threadbridge --help` lists it; `target` is `module:attribute` below bridge.cli."""

    name: str
    target: str
    help: str


class Listed(Command):
    """A command that is listed, and imported by `load`."""

    def __init__(self, entry: Entry, panel: str) -> None:
        """Imports nothing."""
        super().__init__(entry.name, help=entry.help, rich_help_panel=panel)
        self._entry = entry

    def load(self) -> Any:  # noqa: ANN401 - as above
        """Import the command, or the group of commands."""
        from bridge.footprint import import_slim  # noqa: PLC0415 - `--help` has no logs

        import_slim()
        module, _, attribute = self._entry.target.partition(":")
        written = getattr(import_module(f"bridge.cli.{module}"), attribute)
        holder = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)
        if isinstance(written, typer.Typer):
            holder.add_typer(written, name=self._entry.name)
            return typer.main.get_group(holder).commands[self._entry.name]
        holder.command(self._entry.name, cls=Command)(written)
        return typer.main.get_command(holder)


def _plain(params: Iterable[Any]) -> list[Any]:
    """Hide the Python types: `--json <bool>` seems to want a value, and `FILE <path>` repeats itself."""
    shown = [*params]
    for param in shown:
        if isinstance(param, TyperArgument):
            vars(param)["display_type_rich"] = _no_type
        elif param.is_flag:
            param.metavar = ""
    return shown


def _no_type(*_: object, **__: object) -> None:
    """Show nothing beside an argument's name."""
