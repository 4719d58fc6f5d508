"""The templates, and what every one of them can use."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bridge.units import moment
from bridge.web.api.models import ContactOut, ThreadOut
from bridge.web.operator.assets import assets
from bridge.web.operator.texts import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_HERE: Final = Path(__file__).parent
_HTMX: Final = {
    "allowEval": False,
    "allowScriptTags": False,
    "includeIndicatorStyles": False,
    "selfRequestsOnly": True,
    "historyCacheSize": 0,
    "scrollBehavior": "auto",
    "responseHandling": [
        {"code": "204", "swap": False},
        {"code": "[23]..", "swap": True},
        {"code": "[45]..", "swap": True, "error": True},
    ],
}
"""No code but its own runs, and what a refusal says is shown."""


def rendered(template: str, root: str, values: Mapping[str, object]) -> str:
    """A template with values. `root` leads from its page to /console/."""
    return (
        _templates()
        .get_template(template)
        .render(
            root=root,
            languages=LANGUAGES,
            htmx=_json(_HTMX),
            asset=lambda name: f"{root}assets/{name}?v={assets()[name].version}",
            **values,
        )
    )


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _pretty(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode()


def _at(value: int | datetime) -> datetime:
    """A time, which may be of the store."""
    return moment(value) if isinstance(value, int) else value


def _hue(text: str) -> int:
    """A number that stands for a text, for the colour of its avatar."""
    return sum(text.encode("utf-8", "replace")) % 12


def _initial(text: str) -> str:
    return (text.strip()[:1] or "?").upper()


def _called(one: ThreadOut | ContactOut) -> str:
    """What a page calls a conversation or a person."""
    if isinstance(one, ThreadOut):
        return (one.contact.name if one.contact else "") or one.conversation
    return one.name or next((identity.value for identity in one.identities), one.id)


@cache
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "json": _json,
        "pretty": _pretty,
        "at": _at,
        "hue": _hue,
        "initial": _initial,
        "called": _called,
    }
    made.filters |= filters
    return made
