"""Konnek's side: a send endpoint as strict as the page's table, and the webhooks a contact's doings cause."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import unquote
from uuid import UUID

import orjson
from pydantic import SecretStr

from bridge.messages import Button
from bridge.providers.answers import ERROR
from bridge.providers.konnek import wire
from bridge.providers.port import Hook, Request, Response, Seen
from bridge.units import SECOND, moment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.events import StatusValue
    from bridge.providers.port import Dice

_JAKARTA: Final = timezone(timedelta(hours=7))
_JSON: Final[Mapping[str, str]] = {"content-type": "application/json"}
_SETTINGS: Final[Mapping[str, Any]] = {
    "client_id": "demo-client",
    "channels": ("whatsapp", "telegram", "line", "messenger"),
    "username": SecretStr("konnek-demo-user"),
    "password": SecretStr("konnek-demo-password"),
}
_CODES: Final[Mapping[str, int]] = {"sent": 1, "delivered": 2, "read": 3, "failed": -3}
_KINDS: Final[Mapping[str, str]] = {
    "text": "text",
    "image": "image",
    "video": "video",
    "audio": "audio",
    "voice": "voice",
    "document": "document",
    "location": "location",
    "button": "buttons",
    "list": "menu",
}
"""Each message type of the page, in the engine's words."""

_MIME_TYPES: Final[Mapping[str, str]] = {
    "image": "image/jpeg",
    "video": "video/mp4",
    "audio": "audio/mpeg",
    "voice": "audio/ogg; codecs=opus",
    "document": "application/pdf",
}
_CHOICE: Final = {"key": str, "title": str}
_TABLE: Final[Mapping[str, Any]] = {
    "id": str,
    "reply_id": str,
    "times": int,
    "timestamp": str,
    "timestampt": str,
    "reply_token": str,
    "recipient": str,
    "type": str,
    "body": {
        "text": str,
        "media": {"url": str, "name": str},
        "location": {"latitude": float, "longitude": float},
        "button": [_CHOICE],
        "list": {
            "title": str,
            "sections": [{"title": str, "description": str, "actions": [{**_CHOICE, "description": str}]}],
        },
    },
    "header": {"type": str, "text": str, "media_url": str},
    "footer": {"title": str, "text": str},
}
"""The page's request table: every field it has, with its type. What is mandatory where stands in `_check`."""


class _Refusal(Exception):
    """An answer with `meta.status` false."""

    def __init__(self, code: int, errors: str) -> None:
        super().__init__(errors)
        self.code = code
        self.errors = errors


class Emulator:
    """One client's Konnek.

    `now` gives microseconds since 1970; `rng` makes ids. With `honours_keys` a repeated `id` gets the first answer
    again and reaches the phone once; without, every request is a new message: which of the two Konnek does is not
    documented.
    """

    name: ClassVar[str] = "konnek"
    sample_settings: ClassVar[Mapping[str, Any]] = _SETTINGS

    def __init__(
        self,
        now: Callable[[], int],
        rng: Dice,
        settings: Mapping[str, Any] | None = None,
        *,
        honours_keys: bool = False,
    ) -> None:
        """Begin with nothing seen."""
        self.seen: list[Seen] = []
        self.requests: list[tuple[Request, Response]] = []
        self.settings = settings or self.sample_settings
        self._now = now
        self._rng = rng
        self.honours_keys = honours_keys
        self.sessions: dict[str, Mapping[str, Any]] = {}
        """What webhooks of a contact tell of its session, like {"bot_status": False, "handover_by": "rina"}."""
        self.identities: dict[str, Mapping[str, str]] = {}
        """What webhooks of a contact name them by beside the username: {"user_id": "ID.1", "phone": "+62..."}."""
        self._answers: dict[str, Response] = {}

    def handle(self, request: Request) -> Response:
        """Answer a send request: 200 with `meta.status` true, or an error with `meta.status` false and its code."""
        try:
            response = self._take(request)
        except _Refusal as refusal:
            response = _answer(refusal.code, errors=str(refusal))
        self.requests.append((request, response))
        return response

    def refuse(self, code: str) -> Response:
        """The error answer with this `meta.code`; on the wire its HTTP status is the same."""
        number = int(code) if code.isascii() and code.isdigit() else 0
        if number not in ERROR:
            raise ValueError(f"Konnek's codes are HTTP statuses from 400 to 599, not {code}")
        return _answer(number, errors="refused by the emulator")

    def says(self, channel: str, contact: str, text: str) -> Hook:
        """The webhook for a text message."""
        return self._message(channel, contact, {"type": "text", "text": text})

    def presses(self, channel: str, contact: str, choice: Button) -> Hook:
        """The webhook for pressing a button or a line of a list: the key comes back."""
        postback = {"type": "button", "key": choice.key, "title": choice.title, "value": choice.key}
        return self._message(channel, contact, {"type": "postback", "text": choice.title, "postback": postback})

    def sends(self, channel: str, contact: str, kind: str, url: str, caption: str = "") -> Hook:
        """The webhook for a medium; `kind` is image, video, audio, voice or document."""
        if kind not in _MIME_TYPES:
            raise ValueError(f"a medium is one of {', '.join(_MIME_TYPES)}, not {kind}")
        media = {
            "animated": False,
            "id": self._uuid(),
            "mime_type": _MIME_TYPES[kind],
            "name": url.rpartition("/")[2],
            "size": self._rng.randrange(1_000, 1_000_000),
            "url": url,
        }
        return self._message(channel, contact, {"type": kind, "text": caption, "media": media})

    def locates(self, channel: str, contact: str, latitude: float, longitude: float) -> Hook:
        """The webhook for a location, in degrees."""
        place = {"address": "", "latitude": latitude, "live_period": 0, "longitude": longitude, "name": ""}
        return self._message(channel, contact, {"type": "location", "text": "", "location": place})

    def status(self, seen: Seen, value: StatusValue) -> Hook | None:
        """The webhook for a message's fate."""
        now = self._now()
        told = {
            "message_id": seen.message_id,
            "provider_message_id": f"emulated.{self._uuid()}",
            "recipient_id": seen.conversation_id,
            "status": _CODES[value],
            "tid": self._uuid(),
            "times": now // SECOND,
            "timestamp": self._stamp(now),
        }
        return Hook(body=orjson.dumps({"status": told}), headers=_JSON, channel=seen.channel)

    def _message(self, channel: str, contact: str, said: Mapping[str, Any]) -> Hook:
        if channel not in self.settings["channels"]:
            raise ValueError(f"a channel is one of {', '.join(self.settings['channels'])}, not {channel}")
        nothing = dict.fromkeys(("media", "location", "postback", "interactive"))
        body: dict[str, Any] = {
            "from": {
                "avatar": "",
                "description": "",
                "name": contact,
                "username": contact,
                **self.identities.get(contact, {}),
            },
            "message": {"id": self._uuid(), **nothing, **said},
        }
        if contact in self.sessions:
            body["session"] = dict(self.sessions[contact])
        if channel == "telegram":  # the page: "Token for Telegram replies only"
            body["reply_token"] = self._uuid()
        return Hook(body=orjson.dumps(body), headers=_JSON, channel=channel)

    def _take(self, request: Request) -> Response:
        channel = _authorise(request, self.settings)
        told = _body(request)
        _check(told)
        key = told["id"]
        if self.honours_keys and key in self._answers:
            return self._answers[key]
        body = told.get("body", {})
        self.seen.append(
            Seen(
                key=key,
                channel=channel,
                conversation_id=told["recipient"],
                kind=_KINDS[told["type"]],
                text=body.get("text", ""),
                choices=_choices(body),
                url=body.get("media", {}).get("url", ""),
                message_id=key,
            )
        )
        self._answers[key] = _answer(200, data={"message_id": key, "status": 0, "tid": self._uuid()})
        return self._answers[key]

    def _uuid(self) -> str:
        return str(UUID(int=self._rng.getrandbits(128), version=4))

    def _stamp(self, now: int) -> str:
        """A time as they write it: nine digits of a second, and Jakarta's zone."""
        local = moment(now).astimezone(_JAKARTA).isoformat(timespec="microseconds")
        return f"{local[:-6]}{self._rng.randrange(1_000):03}{local[-6:]}"


def _answer(code: int, *, errors: str | None = None, data: Mapping[str, Any] | None = None) -> Response:
    meta = {"status": errors is None, "code": code, "message": "failed" if errors else "OK", "errors": errors}
    return Response(status=code, headers=_JSON, body=orjson.dumps({"meta": meta, "data": data}))


def _authorise(request: Request, settings: Mapping[str, Any]) -> str:
    """The channel in the path, once the caller may use it."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    for name, setting in ((wire.AUTH_USERNAME, "username"), (wire.AUTH_PASSWORD, "password")):
        if headers.get(name.lower()) != settings[setting].get_secret_value():
            raise _Refusal(401, f"{name} is missing or wrong")
    match [unquote(part) for part in request.path.split("/")]:
        case ["", channel, "send", client] if channel in settings["channels"] and client == settings["client_id"]:
            pass
        case _:
            raise _Refusal(404, "no such channel or client")
    if request.method != "POST":
        raise _Refusal(405, "only POST")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise _Refusal(415, "Content-Type is not application/json")
    return channel


def _body(request: Request) -> dict[str, Any]:
    try:
        told = orjson.loads(request.body or b"")
    except orjson.JSONDecodeError:
        raise _Refusal(400, "the body is no JSON") from None
    if not isinstance(told, dict):
        raise _Refusal(400, "the body is no object")
    return told


def _check(told: Mapping[str, Any]) -> None:
    """Types first, then what is mandatory for the type of message."""
    _check_types(told, _TABLE, "")
    _want(told, "", "id", "recipient", "type")
    if told.get("times", 0) <= 0:
        raise _Refusal(400, "times is missing or not positive")
    stamps = [told[name] for name in ("timestamp", "timestampt") if name in told]
    if not stamps or not all(map(_is_time, stamps)):
        raise _Refusal(400, "timestamp is missing or no date and time with a zone")
    kind, body = told["type"], told.get("body", {})
    if kind not in _KINDS:
        raise _Refusal(400, f"type is none of {', '.join(_KINDS)}")
    _check_choices(body)
    match kind:
        case "text":
            _want(body, "body.", "text")
        case "location":
            if not {"latitude", "longitude"} <= set(body.get("location", ())):
                raise _Refusal(400, "body.location needs latitude and longitude")
        case "button" | "list":
            _want(body, "body.", kind)
            if not _choices(body):
                raise _Refusal(400, "there is nothing to choose")
        case _:
            _want(body.get("media", {}), "body.media.", "url")
    _check_around(told)


def _check_choices(body: Mapping[str, Any]) -> None:
    for button in body.get("button", ()):
        _want(button, "body.button.", "key", "title")
    for section in body.get("list", {}).get("sections", ()):
        if missing := {"title", "description", "actions"} - set(section):
            raise _Refusal(400, f"body.list.sections.{min(missing)} is missing")
        for action in section["actions"]:
            _want(action, "body.list.sections.actions.", "key", "title")
            if "description" not in action:
                raise _Refusal(400, "body.list.sections.actions.description is missing")


def _check_around(told: Mapping[str, Any]) -> None:
    """Header and footer: `special type button/list`."""
    if told["type"] not in {"button", "list"} and ("header" in told or "footer" in told):
        raise _Refusal(400, "header and footer are for button and list")
    if "header" in told:
        kind = told["header"].get("type")
        if kind not in {"text", "image", "video", "document"}:
            raise _Refusal(400, "header.type is none of text, image, video, document")
        _want(told["header"], "header.", "text" if kind == "text" else "media_url")
    if "footer" in told and set(told["footer"]) != {"title", "text"}:
        raise _Refusal(400, "footer needs title and text")


def _check_types(value: object, wanted: object, path: str) -> None:
    match wanted:
        case dict():
            if not isinstance(value, dict):
                raise _Refusal(400, f"{path} is no object")
            for name, each in value.items():
                if name not in wanted:
                    raise _Refusal(400, f"{path}{'.' if path else ''}{name} is no field")
                _check_types(each, wanted[name], f"{path}.{name}" if path else name)
        case list():
            if not isinstance(value, list):
                raise _Refusal(400, f"{path} is no array")
            for each in value:
                _check_types(each, wanted[0], path)
        case type():
            allowed = (int, float) if wanted is float else (wanted,)
            if isinstance(value, bool) or not isinstance(value, allowed):
                raise _Refusal(400, f"{path} is no {wanted.__name__}")


def _want(values: Mapping[str, Any], path: str, *names: str) -> None:
    for name in names:
        if not values.get(name):
            raise _Refusal(400, f"{path}{name} is missing or empty")


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _choices(body: Mapping[str, Any]) -> tuple[Button, ...]:
    rows = [action for section in body.get("list", {}).get("sections", ()) for action in section.get("actions", ())]
    return tuple(Button(each["key"], each["title"]) for each in [*body.get("button", ()), *rows])
