"""A message to its request, a token from another, and what the answers mean.

Source: api/message/send (the page whose copy this project began with) and api/auth; see wire.py for the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.errors import NotSent, OutcomeUnknown, Rejected, SendError
from bridge.messages import Raw, Text
from bridge.planning.capabilities import Capabilities
from bridge.providers.answers import (
    NOT_TAKEN,
    SERVER_ERROR,
    SUCCESS,
    UNAUTHORISED,
    UNAVAILABLE,
    json_object,
    retry_after,
)
from bridge.providers.optional import Place
from bridge.providers.places import one_of
from bridge.providers.port import Credential, Request, Sent
from bridge.providers.relationlabs import wire
from bridge.strict_json import json_bytes
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.providers.port import Authenticating, Outbound, Response, Sending

CAPABILITIES: Final = Capabilities(kinds=frozenset({"text", "raw"}), reply_to=True, idempotency_key=True)
"""Text, in groups and with peers. No limit of its length is documented; a public client's bot cuts replies at 499
characters, which seems to be its own choice. What a CARD's content may be is documented for reading
only in part, so cards are said as text; who knows more sends a Raw."""

_RENEW_EARLY: Final = 3600 * SECOND
_FAR: Final = 253_402_300_800
"""The year 10000, in seconds."""


def headers(api_key: str, token: str) -> dict[str, str]:
    """What every call but the one for a token carries [send]; the names are spelt as the document spells them."""
    return {
        wire.API_KEY: api_key,
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": wire.ACCEPT,
    }


def place_of(to: str, channel: str | None) -> Place:
    """The conversation of a channelUuid, which is a group's unless the channel says peer, or with a relation id.

    Raises:
        ValueError: it is neither, or a group without a channelUuid.
    """
    is_uuid = wire.is_channel_uuid(to)
    channel = one_of(channel or (wire.GROUP if is_uuid else wire.PEER), (wire.GROUP, wire.PEER))
    if not is_uuid and (channel == wire.GROUP or to.startswith("+")):
        raise ValueError("want a group's channelUuid, or a person's relation id")
    known = is_uuid and channel == wire.PEER
    names = channel == wire.PEER and not is_uuid
    return Place(
        channel=channel,
        conversation_id=to,
        address={"channelUuid": to} if known else {},
        identities=(("id", to),) if names else (),
    )


def send(outbound: Outbound, own: str | None, named: Mapping[str, str], *, fixed: bool) -> Sending:
    """POST api/v1/message/send, once.

    `own` is our relation id, `named` the headers; `fixed` says that the token cannot be renewed, so that one that is
    refused holds the account and not only the message.

    Raises:
        SendError: see `read_answer`; Rejected also for a kind that is not text.
    """
    try:
        written = json_bytes(body(outbound, own))
    except orjson.JSONEncodeError as error:
        raise Rejected(f"it cannot be written as JSON: {error}") from None
    response = yield Request(method="POST", path=wire.SEND_PATH, headers=named, body=written)
    data = read_answer(response, fixed=fixed)
    return Sent(message_id=wire.identifier(data.get("id")) or None if isinstance(data, dict) else None)


def body(outbound: Outbound, own: str | None) -> dict[str, Any]:
    """The message as api/message/send takes it: channelUuid or toRelationId, and the other null.

    A Raw is its own `type` and `content` (and whatever else it holds), with our address and sendUuid over it.
    `quoteId` is not in the document; a public client sends it with the id of the message quoted.
    """
    channel_uuid, relation_id = destination(
        outbound.thread.channel, outbound.thread.conversation_id, outbound.address.get("channelUuid")
    )
    quoted = {"quoteId": outbound.message.reply_to} if outbound.message.reply_to else {}
    return {
        **quoted,
        **_content(outbound),
        "channelUuid": channel_uuid,
        "toRelationId": relation_id,
        "sendUuid": wire.send_uuid(own, outbound.thread.conversation_id, outbound.created_at // 1000, outbound.key),
    }


def destination(channel: str, conversation_id: str, known_uuid: str | None = None) -> tuple[str | None, str | None]:
    """(channelUuid, toRelationId), one of them None: a group has a channelUuid, a peer may have only a relation id."""
    if channel != wire.PEER or conversation_id == known_uuid or wire.is_channel_uuid(conversation_id):
        return conversation_id, None
    return None, conversation_id


def _content(outbound: Outbound) -> Mapping[str, Any]:
    match outbound.message:
        case Text(text=text):
            return {"type": wire.TEXT, "content": text}
        case Raw(payload=payload):
            if missing := [name for name in ("type", "content") if name not in payload]:
                raise Rejected(f"a raw message for RelationLabs needs {' and '.join(missing)}")
            return payload
        case message:
            raise Rejected(f"RelationLabs carries no {message.kind}, only text")


def authenticate(api_key: str, address_token: str, now: int) -> Authenticating:
    """POST api/v1/auth: the addressAuthToken for a unifiedAuthToken [auth]. There is no other way to renew one.

    The credential is renewed an hour before its `exp` (half-way, when it lives shorter than two hours), and used until
    it is refused when that cannot be read or does not lie ahead.

    Raises:
        NotSent: whatever went wrong, no message was sent. It pauses the account when it is our keys that are refused.
    """
    named = {
        wire.API_KEY: api_key,
        wire.ADDRESS_AUTHORIZATION: f"Bearer {address_token}",
        "Content-Type": "application/json",
        "Accept": wire.ACCEPT,
    }
    response = yield Request(method="POST", path=wire.AUTH_PATH, headers=named, body=b"{}")
    try:
        data = read_answer(response, fixed=False)
    except SendError as error:
        refused = isinstance(error, Rejected) or (isinstance(error, NotSent) and error.unauthorised)
        later = error.retry_after if isinstance(error, NotSent | OutcomeUnknown) else None
        reason = f"no token: {error.reason}"
        raise NotSent(reason, code=error.code, retry_after=later, pause=refused, away=not refused) from None
    token = data.get("token") if isinstance(data, dict) else None
    if not isinstance(token, str) or not token:
        raise NotSent("no token: the answer holds none", code=wire.OK)
    return Credential(token=token, renew_at=_renew_at(token, now))


def _renew_at(token: str, now: int) -> int | None:
    expires = wire.claims(token).get("exp")
    if isinstance(expires, bool) or not isinstance(expires, int | float) or not 0 < expires < _FAR:
        return None
    left = int(expires * SECOND) - now
    return now + left - min(_RENEW_EARLY, left // 2) if left > 0 else None


def read_answer(response: Response, *, fixed: bool) -> Any:  # noqa: ANN401 - `data` differs from call to call
    """The `data` of a successful answer: HTTP 2xx, and in the body `code` "0" beside `desc` and `data`.

    Errors come with HTTP 200 too.

    Raises:
        Rejected: a documented permanent code, a 3xx or 4xx, or an undocumented code: the gateway did answer, and did
            not say yes. It is kept as a dead letter and can be sent again by a person.
        NotSent: the token is refused (10100-10102, HTTP 401), too many requests or too slow ones (10110, HTTP 408, 425,
            429), 10002 which itself asks to try later, or 503 with Retry-After.
        OutcomeUnknown: nothing we understand; 5xx; and -1, which says "error" and not where: the message may be in.
    """
    envelope = json_object(response) or {}
    code = wire.identifier(envelope.get("code"))
    if code == wire.OK and response.status in SUCCESS:
        return envelope.get("data")
    raise _error(response, code, fixed=fixed)


def _error(response: Response, code: str, *, fixed: bool) -> SendError:
    status = response.status
    shown = code if wire.is_code(code) else str(status)  # nothing of an answer gets into a text, but a number
    wait = retry_after(response)
    if code in wire.UNAUTHORISED or status == UNAUTHORISED:
        reason = wire.UNAUTHORISED.get(code, "the token is refused")
        return NotSent(reason, code=shown, unauthorised=True, pause=fixed)
    if code in wire.PERMANENT:
        return Rejected(wire.PERMANENT[code], code=code)
    if code in wire.LATER or status in NOT_TAKEN or (status == UNAVAILABLE and wait is not None):
        away = code == wire.RATE_LIMITED or status not in SUCCESS
        return NotSent(wire.LATER.get(code, "not now"), code=shown, retry_after=wait, away=away)
    if code in {wire.OK, wire.FAILED} or status in SERVER_ERROR or (not code and status in SUCCESS):
        return OutcomeUnknown(f"an answer that says nothing: HTTP {status}", code=shown, retry_after=wait)
    return Rejected(f"refused with a code that is not documented: {shown}", code=shown)
