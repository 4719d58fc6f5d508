"""WhautoChat's side: nine send endpoints as strict as their schemas, webhook registrations, and the webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import unquote

import orjson
from pydantic import SecretStr

from bridge.messages import Button
from bridge.providers.answers import ERROR
from bridge.providers.port import Hook, Request, Response, Seen
from bridge.units import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bridge.events import StatusValue
    from bridge.providers.port import Dice

_JSON: Final[Mapping[str, str]] = {"content-type": "application/json"}
_REACHES: Final = frozenset({"contact", "recepient"})
_ELEMENTS: Final[Mapping[str, type]] = {"elements": list}
_TEXT: Final[Mapping[str, type]] = {"textMessage": str}
_MEDIA: Final[Mapping[str, type]] = {"mediaUrl": str, "mimeType": str}

_SCHEMAS: Final[Mapping[str, Mapping[str, type]]] = {
    "whatsapp/sendtext": _TEXT,
    "whatsapp/sendmedia": _MEDIA,
    "whatsapp/sendtemplate": {"template": object},
    "messenger/sendtext": _TEXT,
    "messenger/sendmedia": _MEDIA,
    "messenger/sendtemplate": _ELEMENTS,
    "instagram/sendtext": _TEXT,
    "instagram/sendtemplate": _ELEMENTS,
    "telegram/sendtemplate": {"buttons": list, "textMessage": str},
}
"""Each endpoint's content; beside it stand `workspace` and one of `contact` and (whatsapp) `recepient`."""

_SPELLINGS: Final[Mapping[str, str]] = {"whatsapp": "whatsApp"}
"""How `message.channel` is spelled where it differs from the event's type."""

_CHANNELS: Final = ("whatsapp", "instagram", "telegram", "messenger", "website")
_EVENTS: Final = frozenset(
    {f"{way}_{channel}_message" for way in ("incoming", "outgoing") for channel in _CHANNELS}
    | {"contact_created", "contact_tag_added", "contact_tag_removed"}
)


class _Refusal(Exception):
    """An answer with `error` set."""

    def __init__(self, error: str, status: int = 200) -> None:
        super().__init__(error)
        self.status = status


class Emulator:
    """One workspace; `now` gives microseconds since 1970, `rng` makes ids.

    A message that is not as its schema says is answered as the pages document errors: HTTP 200, `error` set. What is
    wrong with the call itself (key, path, method) is answered with its HTTP status and the same body.
    """

    name: ClassVar[str] = "whautochat"
    sample_settings: ClassVar[Mapping[str, Any]] = {
        "api_key": SecretStr("whauto-demo-key"),
        "workspace_id": "ws_demo",
    }

    def __init__(self, now: Callable[[], int], rng: Dice, settings: Mapping[str, Any] | None = None) -> None:
        """Begin with nothing seen and nothing registered."""
        self.seen: list[Seen] = []
        self.requests: list[tuple[Request, Response]] = []
        self.settings = settings or self.sample_settings
        self.webhooks: dict[str, dict[str, Any]] = {}
        self.identities: dict[str, Mapping[str, str]] = {}
        self._now = now
        self._rng = rng

    def handle(self, request: Request) -> Response:
        """Answer a send request or one of /v1/webhooks."""
        try:
            response = self._route(request)
        except _Refusal as refusal:
            response = _answer(refusal.status, {"id": "", "status": "failed", "error": str(refusal)})
        self.requests.append((request, response))
        return response

    def refuse(self, code: str) -> Response:
        """The error answer with this HTTP status."""
        number = int(code) if code.isascii() and code.isdigit() else 0
        if number not in ERROR:
            raise ValueError(f"WhautoChat's codes are HTTP statuses from 400 to 599, not {code}")
        return _answer(number, {"id": "", "status": "failed", "error": "refused by the emulator"})

    def says(self, channel: str, contact: str, text: str) -> Hook:
        """The webhook for a text message."""
        return self._incoming(channel, contact, {"type": "text", "text": text})

    def presses(self, channel: str, contact: str, choice: Button) -> Hook:
        """A text with the title, in reply to the last message with that choice: a press has no event of its own."""
        pressed = [
            seen.message_id
            for seen in self.seen
            if seen.conversation_id == contact and any(each.title == choice.title for each in seen.choices)
        ]
        reply = {"id": pressed[-1]} if pressed else {}
        return self._incoming(channel, contact, {"type": "text", "text": choice.title, "replyToMessage": reply})

    def sends(self, channel: str, contact: str, kind: str, url: str, caption: str = "") -> Hook:
        """The webhook for a medium; `kind` is image, video, audio, voice or document."""
        return self._incoming(channel, contact, {"type": kind, "mediaUrl": url, "caption": caption})

    def locates(self, channel: str, contact: str, latitude: float, longitude: float) -> Hook:
        """The webhook for a location, in degrees; how it comes is not documented, so this is inferred."""
        place = {"latitude": latitude, "longitude": longitude, "name": "", "address": ""}
        return self._incoming(channel, contact, {"type": "location", "location": place})

    def status(self, seen: Seen, value: StatusValue) -> Hook | None:
        """The outgoing event that tells a message's fate."""
        said = {
            "id": seen.message_id,
            "isIncoming": "false",
            "type": "text",
            "text": seen.text,
            "status": value,
            "errorMessage": "Message undeliverable" if value == "failed" else "",
        }
        return self._hook("outgoing", seen.channel, seen.conversation_id, said)

    def echo(self, channel: str, contact: str, text: str, sent_by: str = "") -> Hook:
        """The outgoing event of a message that was not sent over the API: a human agent's, if `sent_by` names one."""
        said = {"isIncoming": "false", "type": "text", "text": text, "sentBy": sent_by}
        return self._hook("outgoing", channel, contact, said)

    def own_echo(self, seen: Seen, sent_by: str = "") -> Hook:
        """The outgoing event of a message that was sent over the API, before it has a fate."""
        said = {"id": seen.message_id, "isIncoming": "false", "type": "text", "text": seen.text, "sentBy": sent_by}
        return self._hook("outgoing", seen.channel, seen.conversation_id, said)

    def agent_says(self, channel: str, contact: str, text: str) -> Hook:
        """The outgoing event of a text that a person typed in WhautoChat's inbox."""
        return self.echo(channel, contact, text, sent_by="Bob")

    def _incoming(self, channel: str, contact: str, said: Mapping[str, Any]) -> Hook:
        return self._hook("incoming", channel, contact, {"isIncoming": "true", "from": contact, **said})

    def _hook(self, way: str, channel: str, contact: str, said: Mapping[str, Any]) -> Hook:
        if channel not in _CHANNELS:
            raise ValueError(f"a channel of WhautoChat is one of {', '.join(_CHANNELS)}, not {channel}")
        stamp, phone = self._stamp(), self.identities.get(contact, {}).get("phone", contact)
        message = {
            "id": self._id("msg"),
            "contact": {"id": contact, "channel": channel, "phoneNumber": phone.lstrip("+")},
            "channel": _SPELLINGS.get(channel, channel),
            "replyToMessage": {},
            **dict.fromkeys(("from", "sentBy", "status", "errorMessage", "headerText", "mediaUrl"), ""),
            **dict.fromkeys(("caption", "text", "footerText", "options"), ""),
            **dict.fromkeys(("timestamp", "createdAt", "updatedAt"), stamp),
            **said,
        }
        event = {
            "id": self._id("evt"),
            "type": f"{way}_{channel}_message",
            "timeStamp": stamp,
            "key": message["id"],
        }
        return Hook(body=orjson.dumps({"event": event, "message": message}), headers=_JSON)

    def _route(self, request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if headers.get("x-api-key") != self.settings["api_key"].get_secret_value():
            raise _Refusal("Invalid API key", 401)
        if request.path == "/v1/webhooks" or request.path.startswith("/v1/webhooks/"):
            return self._manage(request)
        endpoint = request.path.removeprefix("/v1/messages/")
        if endpoint not in _SCHEMAS or endpoint == request.path:
            raise _Refusal("Not found", 404)
        if request.method != "POST":
            raise _Refusal("Method not allowed", 405)
        told = _object(request)
        conversation_id = _check(endpoint, told, self.settings["workspace_id"])
        message_id = self._id("msg")
        self.seen.append(_seen(endpoint, conversation_id, message_id, told))
        return _answer(200, {"id": message_id, "status": "sent", "error": ""})

    def _manage(self, request: Request) -> Response:
        """/v1/webhooks; a registration has exactly name, serverUrl, active and events."""
        name = unquote(request.path.removeprefix("/v1/webhooks").removeprefix("/"))
        match request.method, bool(name):
            case "GET", False:
                return _answer(200, {"data": self._page(request.query)})
            case "POST", False:
                name = self._id("whk")
                self.webhooks[name] = {"id": name, **_registration(_object(request)), "createdAt": self._stamp()}
            case "PUT", True if name in self.webhooks:
                self.webhooks[name] |= _registration(_object(request))
            case "DELETE", True if name in self.webhooks:
                return _answer(200, self.webhooks.pop(name))
            case "PUT" | "DELETE", True:
                raise _Refusal("Webhook not found", 404)
            case _:
                raise _Refusal("Method not allowed", 405)
        self.webhooks[name]["updatedAt"] = self._stamp()
        return _answer(200, self.webhooks[name])

    def _page(self, query: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        limit, page = (query.get(name, "1") for name in ("limit", "page"))
        if not (limit.isdecimal() and page.isdecimal() and int(limit) and int(page)):
            raise _Refusal("limit and page are numbers from 1", 400)
        start = (int(page) - 1) * int(limit)
        return list(self.webhooks.values())[start : start + int(limit)]

    def _id(self, kind: str) -> str:
        return f"{kind}_{self._rng.getrandbits(64):016x}"

    def _stamp(self) -> str:
        return moment(self._now()).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _check(endpoint: str, told: Mapping[str, Any], workspace: str) -> str:
    """The contact id or phone number, once everything is as the endpoint's schema says."""
    channel, _, action = endpoint.partition("/")
    to = told.keys() & _REACHES
    if len(to) != 1:
        raise _Refusal("Provide either contact or recepient, not both")
    if channel != "whatsapp" and to != {"contact"}:
        raise _Refusal("recepient is for WhatsApp only")
    schema = _SCHEMAS[endpoint]
    known = {*schema, "workspace", *to, *(() if action == "sendtemplate" else ("scheduleDateTime",))}
    # The newer revision's parameters stand beside a template that is an object, under names of their own.
    loose = "template" in schema and isinstance(told.get("template"), dict)
    if (unknown := told.keys() - known) and not loose:
        raise _Refusal(f"{min(unknown)} is not allowed")
    if _only(told.get("workspace"), "id", "workspace") != workspace:
        raise _Refusal("Workspace not found")
    for name, kind in schema.items():
        if name not in told or not isinstance(told[name], kind) or told[name] == "":
            raise _Refusal(f"{name} is required")
    _check_parts(told)
    if "contact" in to:
        return _only(told["contact"], "id", "contact")
    return _only(told["recepient"], "phoneNumber", "recepient")


def _check_parts(told: Mapping[str, Any]) -> None:
    """What stands inside a content, where it is there."""
    if "template" in told and not isinstance(told["template"], str):
        template = told["template"]
        if not isinstance(template, dict) or not isinstance(template.get("name"), str):
            raise _Refusal("template is required")
    if "scheduleDateTime" in told and not _is_time(told["scheduleDateTime"]):
        raise _Refusal("scheduleDateTime must be a date and time")
    elements = told.get("elements", [{"title": "-", "buttons": told.get("buttons", [])}])
    if not elements:
        raise _Refusal("elements must not be empty")
    for each in elements:
        if not isinstance(each, dict) or each.keys() != {"title", "buttons"} or not isinstance(each["title"], str):
            raise _Refusal("an element has a title and buttons")
        if not isinstance(each["buttons"], list) or not all(_is_button(button) for button in each["buttons"]):
            raise _Refusal("buttons are invalid")


def _is_button(button: object) -> bool:
    """As the provider's folder sends them: the pages say nothing about a button."""
    return isinstance(button, dict) and all(isinstance(button.get(name), str) for name in ("title", "payload"))


def _is_time(found: object) -> bool:
    try:
        return isinstance(found, str) and datetime.fromisoformat(found).tzinfo is not None
    except ValueError:
        return False


def _only(found: object, name: str, where: str) -> str:
    """The one field of an object that has no other."""
    value = found.get(name) if isinstance(found, dict) and found.keys() == {name} else None
    if not isinstance(value, str) or not value:
        raise _Refusal(f"{where}.{name} is required")
    return value


def _registration(told: Mapping[str, Any]) -> Mapping[str, Any]:
    types: Mapping[str, type] = {"name": str, "serverUrl": str, "active": bool, "events": list}
    if told.keys() != types.keys() or not all(isinstance(told[name], kind) for name, kind in types.items()):
        raise _Refusal("a webhook has name, serverUrl, active and events", 400)
    if not told["events"] or not all(isinstance(each, str) and each in _EVENTS for each in told["events"]):
        raise _Refusal("unknown event", 400)
    return told


def _seen(endpoint: str, conversation_id: str, message_id: str, told: Mapping[str, Any]) -> Seen:
    """A message that was taken, in the engine's words."""
    channel = endpoint.partition("/")[0]
    elements = told.get("elements", [])
    template = told.get("template", "")
    texts = [told.get("textMessage", ""), template if isinstance(template, str) else template["name"]]
    buttons = [each for element in elements for each in element["buttons"]] or told.get("buttons", [])
    return Seen(
        key="",
        channel=channel,
        conversation_id=conversation_id,
        kind=_kind(told, has_buttons=bool(buttons)),
        text="\n".join(filter(None, (*texts, *(element["title"] for element in elements)))),
        choices=tuple(Button(each["payload"], each["title"]) for each in buttons),
        url=told.get("mediaUrl", ""),
        message_id=message_id,
    )


def _kind(told: Mapping[str, Any], *, has_buttons: bool) -> str:
    if "mimeType" in told:
        major = told["mimeType"].partition("/")[0]
        kinds = {"image": "image", "video": "video", "audio": "audio"}
        return "voice" if told["mimeType"] == "audio/ogg" else kinds.get(major, "document")
    if "template" in told:
        return "template"
    if len(told.get("elements", ())) > 1:
        return "cards"
    return "buttons" if has_buttons or "elements" in told else "text"


def _object(request: Request) -> dict[str, Any]:
    try:
        found = orjson.loads(request.body or b"")
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise _Refusal("The body must be a JSON object", 400)
    return found


def _answer(status: int, body: Mapping[str, Any]) -> Response:
    return Response(status=status, headers=_JSON, body=orjson.dumps(body))
