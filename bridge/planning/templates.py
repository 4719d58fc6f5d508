"""Templates: their parameters in order, and in a form that gateways take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bridge.planning.plain import Degraded
from bridge.text.equal_text import is_blank

if TYPE_CHECKING:
    from bridge.messages import Template
    from bridge.planning.capabilities import Capabilities


def degrade_template(template: Template, capabilities: Capabilities) -> Degraded:
    """The template with its parameters sorted and clean, unless the channel or a parameter stands against it.

    Gateways put the n-th parameter into the n-th place, and refuse line breaks, tabs, rows of spaces and blanks.
    """
    params = {name: _clean(template.params[name]) for name in _in_order(template.params)}
    obstacle = _channels(template, capabilities) or _numbers(params) or _blanks(params)
    if obstacle:
        return Degraded(dropped=f"template: {obstacle}")
    changed = [name for name, value in params.items() if value != template.params[name]]
    notes = (f"template: line breaks, tabs and rows of spaces in {', '.join(changed)} are spaces",) if changed else ()
    return Degraded(parts=(replace(template, params=params),), notes=notes)


def _in_order(params: Mapping[str, Any]) -> list[str]:
    """Params that all have a number by that; names keep the order in which they are written."""
    return sorted(params, key=int) if all(map(_is_number, params)) else [*params]


def _channels(template: Template, capabilities: Capabilities) -> str:
    """The channel's reason against the template, if it has one."""
    if template.kind not in capabilities.kinds:
        return "not carried here"
    if template.params and not capabilities.template_params:
        return "its params are not carried here"
    return "its language is needed here" if template.language is None and capabilities.template_language else ""


def _numbers(params: Mapping[str, Any]) -> str:
    """The first number of numbered params that is missing or doubled: it would move the others."""
    if not all(map(_is_number, params)):
        return ""
    wrong = next((name for place, name in enumerate(params, 1) if int(name) != place), None)
    return "" if wrong is None else f"param {wrong} does not follow the one before"


def _blanks(params: Mapping[str, Any]) -> str:
    blank = next((name for name, value in params.items() if value is None or _has_blank(value)), None)
    return "" if blank is None else f"param {blank} is blank"


def _is_number(name: object) -> bool:
    return str(name).isascii() and str(name).isdigit()


def _clean(value: Any) -> Any:  # noqa: ANN401 - a param is any JSON
    """A value whose texts have no white space but single spaces; in an object, what is under `text`."""
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, Mapping):
        return {
            name: _clean(part) if name == "text" or not isinstance(part, str) else part for name, part in value.items()
        }
    return [_clean(part) for part in value] if isinstance(value, list) else value


def _has_blank(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(_has_blank(part) for name, part in value.items() if name == "text" or not isinstance(part, str))
    if isinstance(value, list):
        return any(map(_has_blank, value))
    return isinstance(value, str) and is_blank(value)
