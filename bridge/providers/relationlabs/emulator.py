"""RelationLabs' side, strict against its document: it takes messages, issues tokens, lists what was said."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping  # noqa: TC003 - part of the port's ClassVar
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from pydantic import SecretStr

from bridge.providers.answers import ERROR
from bridge.providers.port import Hook, Request, Response, Seen
from bridge.providers.relationlabs import wire
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.events import StatusValue
    from bridge.messages import Button
    from bridge.providers.port import Dice

_OWN: Final = "bridg-eaaaa-aaaaj-qbota-cai"
_NEEDED: Final = frozenset({"type", "content", "sendUuid"})
_TEXTS: Final = frozenset({"type", "content", "sendUuid", "channelUuid", "toRelationId", "quoteId"})
_EXTRA: Final = frozenset({"mentionedUser"})
"""A field that only clients show, like quoteId: let in, and not looked at."""
_LIFETIME: Final = 604_800
_MOST_LISTED: Final = 1000
_PARAMETER_ERROR: Final = "10112"
_DESCRIPTIONS: Final[Mapping[str, str]] = {
    wire.FAILED: "error",
    **wire.UNAUTHORISED,
    **wire.LATER,
    **wire.PERMANENT,
    wire.OK: "success",
    _PARAMETER_ERROR: "parameter error",
    "13108": "Not the member of this channel",
    "13301": "block stranger messages",
}
"""`desc` by return code: the document's own words where it has some."""


class Emulator:
    """The gateway, with every conversation in memory. Errors come with HTTP 200, as documented.

    Knobs: `honours_keys` (a repeated sendUuid is answered the same and said once), `block_strangers` (relation ids
    that refuse us with 13301), `not_member` (channelUuids we are not in: 13108), `rate_limited` (so many next requests
    get 10110), `expire_tokens()`. With `peers_have_channels` off, what a peer says carries no channelUuid.
    """

    name: ClassVar[str] = "relationlabs"
    sample_settings: ClassVar[Mapping[str, Any]] = {
        "api_key": SecretStr("emulated-api-key"),
        "token": SecretStr("emulated-unified-auth-token"),
        "relation_id": _OWN,
    }
    address_settings: ClassVar[Mapping[str, Any]] = {
        "api_key": SecretStr("emulated-api-key"),
        "address_token": SecretStr("emulated-address-auth-token"),
        "relation_id": _OWN,
    }
    """The same account with a token that has to be obtained first."""

    def __init__(self, now: Callable[[], int], rng: Dice, settings: Mapping[str, Any] | None = None) -> None:
        """`now` gives microseconds; `rng` is where ids and the signing key come from."""
        self.seen: list[Seen] = []
        self.requests: list[tuple[Request, Response]] = []
        self.settings = settings or {**self.address_settings, **self.sample_settings}
        fixed = self._secret("token")
        self.honours_keys = False
        self.block_strangers: set[str] = set()
        self.not_member: set[str] = set()
        self.rate_limited = 0
        self.peers_have_channels = True
        self._now = now
        self._rng = rng
        self._tokens: dict[str, int | None] = {fixed: None} if fixed else {}
        self._own = self.settings.get("relation_id") or wire.subject(fixed) or _OWN
        self._said: list[dict[str, Any]] = []
        self._answers: dict[str, Response] = {}
        self._channels: dict[str, str] = {}
        self._last_id = 0

    def handle(self, request: Request) -> Response:
        """Answer message/send, message/list or auth; anything else is 404 or 405."""
        routes = {
            wire.SEND_PATH: ("POST", self._send),
            wire.LIST_PATH: ("GET", self._list),
            wire.AUTH_PATH: ("POST", self._auth),
        }
        method, route = routes.get(request.path, ("", None))
        if route is None:
            response = Response(status=404)
        elif request.method != method:
            response = Response(status=405, headers={"allow": method})
        elif self.rate_limited:
            self.rate_limited -= 1
            response = _answer(wire.RATE_LIMITED)
        else:
            response = route(request)
        self.requests.append((request, response))
        return response

    def refuse(self, code: str) -> Response:
        """The error with this return code, or a bare answer with this HTTP status from 400 to 599.

        Raises:
            ValueError: it is neither.
        """
        if code in _DESCRIPTIONS and code != wire.OK:
            return _answer(code)
        if code.isascii() and code.isdigit() and int(code) in ERROR:
            return Response(status=int(code))
        known = ", ".join(sorted(_DESCRIPTIONS.keys() - {wire.OK}))
        raise ValueError(f"{code} is no HTTP status from 400 to 599 and none of RelationLabs' codes {known}")

    def expire_tokens(self) -> None:
        """From now on every token that was taken so far is answered with 10100."""
        self._tokens = dict.fromkeys(self._tokens, 0)

    def says(self, channel: str, contact: str, text: str) -> Hook:
        """A relayed TEXT of a contact, who is alone in a group of his own, or a peer."""
        return self._hook(self._say(contact, wire.TEXT, text, channel=channel))

    def quotes(self, channel: str, contact: str, text: str, quoted: str) -> Hook:
        """A TEXT that quotes the message with the id `quoted`."""
        found = next((info for info in self._said if info["id"] == quoted), {"id": quoted})
        return self._hook(self._say(contact, wire.TEXT, text, channel=channel, quoted=found))

    def presses(self, channel: str, contact: str, choice: Button) -> Hook:
        """A TEXT with the title: there are no buttons here."""
        return self.says(channel, contact, choice.title)

    def sends(self, channel: str, contact: str, kind: str, url: str, caption: str = "") -> Hook:
        """An IMAGE, whose content has no place for a caption; another medium can only be a TEXT with its link."""
        if kind != "image":
            return self.says(channel, contact, "\n".join(filter(None, (caption, url))))
        encoded = quote(url, safe="")
        return self._hook(
            self._say(
                contact, "IMAGE", f"type:image;action:localImage;p1(Text):{encoded},p2(Text):key", channel=channel
            )
        )

    def locates(self, channel: str, contact: str, latitude: float, longitude: float) -> Hook:
        """A TEXT with the degrees: there are no locations here."""
        return self.says(channel, contact, f"{latitude}, {longitude}")

    def status(self, seen: Seen, value: StatusValue) -> Hook | None:  # noqa: ARG002 - the port's signature
        """None: RelationLabs reports no fate of a message."""
        return None

    def echo(self, seen: Seen) -> Hook:
        """Our own message coming back, as it does to everybody in the conversation."""
        return self._hook(next(info for info in self._said if info["id"] == seen.message_id))

    def agent_says(self, channel: str, contact: str, text: str) -> Hook:
        """A TEXT that a person typed in the app, under our own account."""
        uuid = self._channel_of(channel, contact)
        return self._hook(
            {**self._say(self._own, wire.TEXT, text, channel=channel, uuid=uuid), "toRelationId": contact}
        )

    def _send(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        said = _object(request.body)
        if said is None or not _is_documented(said):
            return _answer(_PARAMETER_ERROR)
        uuid, peer = said.get("channelUuid"), said.get("toRelationId")
        if peer in self.block_strangers or self._channels.get(uuid or "") in self.block_strangers:
            return _answer("13301")
        if uuid in self.not_member:
            return _answer("13108")
        if self.honours_keys and said["sendUuid"] in self._answers:
            return self._answers[said["sendUuid"]]
        channel = wire.PEER if uuid is None or uuid in self._channels else wire.GROUP
        uuid = uuid or self._channel_of(wire.PEER, said["toRelationId"])
        info = self._say(
            self._own, said["type"], said["content"], channel=channel, uuid=uuid, send_uuid=said["sendUuid"]
        )
        self._see(said, info["id"], channel)
        self._answers[said["sendUuid"]] = response = _answer(wire.OK, {"channelUuid": uuid, "id": info["id"]})
        return response

    def _see(self, said: Mapping[str, Any], message_id: str, channel: str) -> None:
        """Keep what the contact now has on the screen, in the engine's words."""
        self.seen.append(
            Seen(
                key=wire.key_of(said["sendUuid"]) or said["sendUuid"],
                channel=channel,
                conversation_id=said.get("channelUuid") or said["toRelationId"],
                kind="text" if said["type"].upper() == wire.TEXT else "raw",
                text=said["content"],
                message_id=message_id,
            )
        )

    def _list(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        query = request.query
        peer = query.get("toRelationId")
        uuid = query.get("channelUuid") or (self._channel_of(wire.PEER, peer) if peer else None)
        latest, limit = (query.get(name, "") for name in ("maxCreateAt", "limit"))
        if not (uuid and latest.isdigit() and limit.isdigit() and 0 < int(limit) <= _MOST_LISTED):
            return _answer(_PARAMETER_ERROR)
        if uuid in self.not_member:
            return _answer("13108")
        found = [
            {name: value for name, value in info.items() if name not in {"mute", "channelType"}}
            for info in reversed(self._said)
            if info["channelUuid"] == uuid and int(info["createAt"]) <= int(latest)
        ]
        return _answer(wire.OK, found[: int(limit)])

    def _auth(self, request: Request) -> Response:
        given = {name.lower(): value for name, value in request.headers.items()}
        wanted = self._secret("address_token")
        shown = _bearer(given.get("i-authorization", ""))
        if given.get("apikey") != self._secret("api_key") or not wanted or shown != wanted:
            return _answer("10101")
        if _object(request.body or b"{}") is None:
            return _answer(_PARAMETER_ERROR)
        now = self._now()
        token = self._token(now // SECOND)
        self._tokens[token] = now + _LIFETIME * SECOND
        return _answer(wire.OK, {"token": token})

    def _refused(self, request: Request) -> Response | None:
        given = {name.lower(): value for name, value in request.headers.items()}
        token = _bearer(given.get("authorization", ""))
        if given.get("apikey") != self._secret("api_key") or token not in self._tokens:
            return _answer("10101")
        expires = self._tokens[token]
        return None if expires is None or self._now() < expires else _answer("10100")

    def _token(self, seconds: int) -> str:
        """A unifiedAuthToken as documented: ES256, no typ, no kid, valid for seven days."""
        stated = {
            "jti": f"{self._rng.getrandbits(128):032x}",
            "iss": "relationlabs.ai",
            "iat": seconds,
            "sub": self._own,
            "exp": seconds + _LIFETIME,
        }
        signed = b".".join(_base64(orjson.dumps(part)) for part in ({"alg": "ES256"}, stated))
        r, s = decode_dss_signature(self.signing_key.sign(signed, ec.ECDSA(SHA256())))
        return b".".join((signed, _base64(r.to_bytes(32, "big") + s.to_bytes(32, "big")))).decode()

    def _secret(self, name: str) -> str:
        """One of the account's credentials; "" for the token it does not have."""
        value: SecretStr | None = self.settings.get(name)
        return value.get_secret_value() if value else ""

    @cached_property
    def signing_key(self) -> ec.EllipticCurvePrivateKey:
        """What tokens are signed with; its public half verifies a relay that shows one (auth = "es256")."""
        return ec.derive_private_key(self._rng.getrandbits(255) + 1, ec.SECP256R1())

    def _say(
        self,
        sender: str,
        kind: str,
        content: str,
        *,
        channel: str,
        uuid: str | None = None,
        send_uuid: str | None = None,
        quoted: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Put a MessageInfo into a conversation."""
        if channel not in wire.CHANNEL_TYPES.values():
            raise ValueError(f"a channel of RelationLabs is {wire.GROUP} or {wire.PEER}, not {channel}")
        millis = self._now() // 1000
        uuid = uuid or self._channel_of(channel, sender)
        # Ids grow with time, so that an emulator that was started again does not repeat those of its last life.
        self._last_id = max(self._last_id + 1, millis * 1_000_000 + self._rng.randrange(1000))
        info = {
            "id": f"{self._last_id:019d}",
            "sendUuid": send_uuid or f"{sender}-{uuid}-{millis}-{self._rng.randrange(10**17)}",
            "channelUuid": uuid,
            "channelType": "P" if channel == wire.PEER else "G",
            "createAt": str(millis),
            "type": kind,
            "from": sender,
            "fromName": sender,
            "fromAvatar": None,
            "content": content,
            "quote": quoted,
            "mute": False,
        }
        self._said.append(info)
        return info

    def _hook(self, info: Mapping[str, Any]) -> Hook:
        hidden = info["channelType"] == "P" and not self.peers_have_channels and info["from"] != self._own
        shown = {**info, "channelUuid": None} if hidden else info
        return Hook(body=orjson.dumps({wire.ENVELOPE: shown}), headers={"content-type": "application/json"})

    def _channel_of(self, channel: str, contact: str) -> str:
        """The channelUuid of a contact's own group, or of the conversation with a peer: always the same."""
        uuid = uuid5(NAMESPACE_URL, f"{channel}:{contact}").hex
        if channel == wire.PEER:
            self._channels[uuid] = contact
        return uuid


def _answer(code: str, data: object = None) -> Response:
    """What every call is answered with, errors too: HTTP 200 and a return code."""
    body = orjson.dumps({"code": code, "desc": _DESCRIPTIONS[code], "data": data})
    return Response(status=200, headers={"content-type": "application/json"}, body=body)


def _is_documented(said: Mapping[str, Any]) -> bool:
    """The table of api/message/send: strings, and at least one of the two addresses not null."""
    texts = {name: value for name, value in said.items() if name in _TEXTS and value is not None}
    return (
        said.keys() <= _TEXTS | _EXTRA
        and texts.keys() >= _NEEDED
        and bool(texts.keys() & {"channelUuid", "toRelationId"})
        and all(isinstance(value, str) and value for value in texts.values())
    )


def _object(body: bytes | None) -> dict[str, Any] | None:
    try:
        found = orjson.loads(body or b"")
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _bearer(header: str) -> str:
    scheme, _, token = header.partition(" ")
    return token if scheme.lower() == "bearer" else ""


def _base64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
