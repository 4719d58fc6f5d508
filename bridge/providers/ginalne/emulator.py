"""Raven's side: `message:send` as strict as its page, and the webhooks of our own convention."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, Final

import orjson
from pydantic import SecretStr

from bridge.providers.answers import ERROR
from bridge.providers.port import Hook, Request, Response, Seen
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.events import StatusValue
    from bridge.messages import Button
    from bridge.providers.port import Dice

_JSON: Final[Mapping[str, str]] = {"content-type": "application/json"}
_PHONE: Final = re.compile(r"\+?[0-9]{5,15}|[A-Z]{2}\.(?:ENT\.)?[0-9A-Za-z]{1,128}")
"""A number, or a user id of WhatsApp."""
_TYPES: Final[Mapping[str, type]] = {"username": str, "topic": dict, "recipient": list, "message": str}
_ONE_RECIPIENT: Final[Mapping[str, str]] = {
    "persona": "Persona Topic-type recipients are only allowed one.",
    "group": "Group as recipients are only allowed one.",
}
_CONTACT_TYPES: Final = frozenset({"whatsapp", "telegram", "instagram", "messenger", "line", "email"})
"""Of these the page shows only whatsapp; the others are a guess, so that a wrong one can be told from a right one."""


class _Refusal(Exception):
    """An answer with one of the page's errors."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Emulator:
    """One user's Raven; `now` gives microseconds since 1970, `rng` makes the first chat id.

    While `pro_active` is false every call is refused, as for a subscription that ended. The shape of an error's body
    is not documented: the text stands where a success has its own, in `notification`.
    """

    name: ClassVar[str] = "ginalne"
    base_path: ClassVar[str] = "/raven/xapi/v1"
    sample_settings: ClassVar[Mapping[str, Any]] = {
        "token": SecretStr("raven-demo-token"),
        "username": "demo_bot",
    }

    def __init__(self, now: Callable[[], int], rng: Dice, settings: Mapping[str, Any] | None = None) -> None:
        """Begin with nothing seen."""
        self.seen: list[Seen] = []
        self.requests: list[tuple[Request, Response]] = []
        self.settings = settings or self.sample_settings
        self.pro_active = True
        self.identities: dict[str, Mapping[str, str]] = {}
        self._now = now
        self._chat_id = rng.randrange(10_000, 90_000)

    def handle(self, request: Request) -> Response:
        """Answer a send request: 200 with the chat's id in `data`, or 400, 401, 404 with the page's text."""
        try:
            response = self._take(request)
        except _Refusal as refusal:
            response = _answer(refusal.status, {"notification": str(refusal)})
        self.requests.append((request, response))
        return response

    def refuse(self, code: str) -> Response:
        """The error answer with this HTTP status."""
        number = int(code) if code.isascii() and code.isdigit() else 0
        if number not in ERROR:
            raise ValueError(f"Raven's codes are HTTP statuses from 400 to 599, not {code}")
        return _answer(number, {"notification": "refused by the emulator"})

    def says(self, channel: str, contact: str, text: str) -> Hook:
        """The webhook for a text message: `channel` is a contact type, or "group" and then `contact` its name."""
        chat_id = self._next_chat()
        in_group = channel == "group"
        key = "+6281200012345" if in_group else contact
        body = {
            "event": "message.created",
            "event_id": f"rvn-evt-{chat_id}",
            "username": self.settings["username"],
            "topic": {"type": "group", "name": contact} if in_group else {"type": "persona", "name": "Demo topic"},
            "sender": {
                "name": "A member" if in_group else contact,
                "contact": [
                    {"type": "whatsapp" if in_group else channel, "name": "Main Contact", "key": key},
                    *(
                        {"type": kind if kind in _CONTACT_TYPES else "whatsapp", "name": "Other Contact", "key": other}
                        for kind, other in self.identities.get(contact, {}).items()
                    ),
                ],
            },
            "message": text,
            "chat_id": chat_id,
            "timestamp": self._now() // SECOND,
        }
        return Hook(body=orjson.dumps(body), headers=_JSON)

    def presses(self, channel: str, contact: str, choice: Button) -> Hook:
        """A text with the title: there are no buttons here, so it is typed."""
        return self.says(channel, contact, choice.title)

    def sends(self, channel: str, contact: str, kind: str, url: str, caption: str = "") -> Hook:  # noqa: ARG002 - port
        """A text with caption and URL: the convention has no media."""
        return self.says(channel, contact, "\n".join(filter(None, (caption, url))))

    def locates(self, channel: str, contact: str, latitude: float, longitude: float) -> Hook:
        """A text with the degrees: the convention has no locations."""
        return self.says(channel, contact, f"{latitude}, {longitude}")

    def status(self, seen: Seen, value: StatusValue) -> Hook | None:  # noqa: ARG002 - the port's signature
        """None: nothing tells what became of a message."""
        return None

    def _take(self, request: Request) -> Response:
        self._authorise(request)
        told = _object(request)
        _check(told, self.settings["username"])
        chat_id = str(self._next_chat())
        topic = told["topic"]
        for recipient in told["recipient"]:
            contact = recipient["contact"][0]
            # A mass topic's recipient that bears the topic's name is its audience as a whole.
            shared = topic["type"] == "group" or (topic["type"] == "mass" and recipient["name"] == topic["name"])
            self.seen.append(
                Seen(
                    key="",
                    channel=topic["type"] if shared else contact["type"],
                    conversation_id=topic["name"] if shared else contact["key"],
                    kind="text",
                    text=told["message"],
                    message_id=chat_id,
                )
            )
        return _answer(200, {"data": int(chat_id), "notification": "Chat Sent Successfully"})

    def _authorise(self, request: Request) -> None:
        if request.path != "/message:send":
            raise _Refusal(404, "Not found")
        if request.method != "POST":
            raise _Refusal(405, "Method not allowed")
        headers = {name.lower(): value for name, value in request.headers.items()}
        if headers.get("authorization") != f"Bearer {self.settings['token'].get_secret_value()}":
            raise _Refusal(401, "Unauthorized")
        if not self.pro_active:
            raise _Refusal(401, "Pro is not active!")
        if headers.get("content-type") != "application/json":
            raise _Refusal(400, "Content-Type must be application/json.")

    def _next_chat(self) -> int:
        self._chat_id += 1
        return self._chat_id


def _check(told: Mapping[str, Any], username: str) -> None:
    """The page's table of errors, in an order that names the first field that is wrong."""
    _fields(told, _TYPES, "the body")
    if told["username"] != username:
        raise _Refusal(404, "User is not found!")
    _fields(told["topic"], {"type": str, "name": str}, "topic")
    topic_type, recipients = told["topic"]["type"], told["recipient"]
    if topic_type not in {"persona", "group", "mass"}:
        raise _Refusal(404, "Topic Type is invalid!")
    if not recipients:
        raise _Refusal(404, "Recipients must have at least one.")
    if topic_type in _ONE_RECIPIENT and len(recipients) > 1:
        raise _Refusal(400, _ONE_RECIPIENT[topic_type])
    _length(told["topic"]["name"], 255, "topic.name")
    _length(told["message"], 4096, "message")
    for index, recipient in enumerate(recipients):
        _recipient(recipient, index, topic_type)


def _recipient(recipient: object, index: int, topic_type: str) -> None:
    where = f"recipient index {index}"
    if not isinstance(recipient, dict) or not isinstance(recipient.get("contact"), list) or not recipient["contact"]:
        raise _Refusal(400, f"The Recipient index {index} must have at least one contact.")
    _fields(recipient, {"name": str, "contact": list}, where)
    _length(recipient["name"], 255, f"name of {where}")
    for at, contact in enumerate(recipient["contact"]):
        if not isinstance(contact, dict) or str(contact.get("type")) not in _CONTACT_TYPES:
            raise _Refusal(400, f"Invalid ContactType at recipient index {index} and contact index {at}.")
        _fields(contact, {"type": str, "name": str, "key": str}, f"{where} and contact index {at}")
        _length(contact["name"], 255, f"contact name of {where}")
        phone = topic_type == "persona" and contact["type"] == "whatsapp"
        if not contact["key"] or (phone and not _PHONE.fullmatch(contact["key"])):
            raise _Refusal(400, f"Invalid key at recipient index {index} and contact index {at}.")


def _fields(values: Mapping[str, Any], types: Mapping[str, type], where: str) -> None:
    """Exactly these fields, of these types: the page's "dynamic error"."""
    if unknown := values.keys() - types.keys():
        raise _Refusal(400, f"Unknown field {min(unknown)} in {where}.")
    for name, kind in types.items():
        if not isinstance(values.get(name), kind):
            raise _Refusal(400, f"Field {name} in {where} is missing or invalid.")


def _length(text: str, most: int, where: str) -> None:
    if not 0 < len(text) <= most:
        raise _Refusal(400, f"{where} must have 1 to {most} characters.")


def _object(request: Request) -> dict[str, Any]:
    try:
        found = orjson.loads(request.body or b"")
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise _Refusal(400, "The body must be a JSON object.")
    return found


def _answer(status: int, body: Mapping[str, Any]) -> Response:
    return Response(status=status, headers=_JSON, body=orjson.dumps(body))
