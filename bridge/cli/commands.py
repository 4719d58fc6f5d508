"""How each command shows its own help: an argument by its name alone, a flag without a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperArgument, TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Iterable


class Command(TyperCommand):
    """One command."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - click's own, which typer may carry inside
        """Its arguments and options, `--help` among them."""
        return _plain(super().get_params(ctx))


class Group(TyperGroup):
    """Commands below one name."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - as above
        """Its options, `--help` among them."""
        return _plain(super().get_params(ctx))


def _plain(params: Iterable[Any]) -> list[Any]:
    """Without the types of Python: `--json <bool>` reads as if a value had to follow, `FILE <path>` says it twice."""
    found = [*params]
    for each in found:
        if isinstance(each, TyperArgument):
            vars(each)["display_type_rich"] = _no_type
        elif each.is_flag:
            each.metavar = ""
    return found


def _no_type(*_: object, **__: object) -> None:
    """What is shown beside an argument's name."""
