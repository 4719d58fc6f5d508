"""What a contact of an emulated gateway does: each action is the JSON of a request, and becomes a webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast, get_args

import orjson

from bridge.events import StatusValue
from bridge.messages import Button

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bridge.providers.port import Emulator, Hook


class BadAction(ValueError):
    """The request for an action is wrong; the text says how."""


def webhook_of(emulator: Emulator, action: str, body: bytes) -> Hook:
    """The webhook that an action causes; `action` is one of ACTIONS, `body` its fields as a JSON object.

    Raises:
        ValueError: a field is wrong, or the emulator knows no such kind of medium.
    """
    return ACTIONS[action](emulator, _object(body))


def _says(emulator: Emulator, fields: Mapping[str, Any]) -> Hook:
    channel, contact, text = _texts(fields, "channel", "contact", "text")
    return emulator.says(channel, contact, text)


def _presses(emulator: Emulator, fields: Mapping[str, Any]) -> Hook:
    channel, contact, key, title = _texts(fields, "channel", "contact", "key", "title")
    return emulator.presses(channel, contact, Button(key, title))


def _sends(emulator: Emulator, fields: Mapping[str, Any]) -> Hook:
    fields = {"caption": "", **fields}
    channel, contact, kind, url, caption = _texts(
        fields, "channel", "contact", "kind", "url", "caption", blank=("caption",)
    )
    return emulator.sends(channel, contact, kind, url, caption)


def _locates(emulator: Emulator, fields: Mapping[str, Any]) -> Hook:
    fields = dict(fields)
    latitude, longitude = (_degrees(fields.pop(name, None), name) for name in ("latitude", "longitude"))
    channel, contact = _texts(fields, "channel", "contact")
    return emulator.locates(channel, contact, latitude, longitude)


def _status(emulator: Emulator, fields: Mapping[str, Any]) -> Hook:
    by = "key" if "key" in fields else "message_id"
    sought, value = _texts(fields, by, "value")
    if value not in get_args(StatusValue):
        raise BadAction(f"value: one of {', '.join(get_args(StatusValue))}")
    messages = [seen for seen in emulator.seen if sought == (seen.key if by == "key" else seen.message_id)]
    if not messages:
        raise BadAction(f"{by}: no such message was seen")
    hook = emulator.status(messages[-1], cast("StatusValue", value))
    if hook is None:
        raise BadAction(f"{emulator.name} has no webhook for this status")
    return hook


ACTIONS: Final[Mapping[str, Callable[[Emulator, Mapping[str, Any]], Hook]]] = {
    "says": _says,
    "presses": _presses,
    "sends": _sends,
    "locates": _locates,
    "status": _status,
}


def _degrees(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadAction(f"{name}: a number of degrees is needed")
    return value


def _texts(fields: Mapping[str, Any], *names: str, blank: Sequence[str] = ()) -> list[str]:
    """The values of exactly these fields, all texts, none empty but those that may be `blank`."""
    if unknown := sorted(set(fields) - set(names)):
        raise BadAction(f"{unknown[0]}: no such field; there are {', '.join(names)}")
    for name in names:
        if not isinstance(fields.get(name), str) or not (fields[name] or name in blank):
            raise BadAction(f"{name}: a text is needed")
    return [fields[name] for name in names]


def _object(body: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadAction(f"the body is no JSON: {error}") from None
    if not isinstance(fields, dict):
        raise BadAction("the body is no JSON object")
    return fields
