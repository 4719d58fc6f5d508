"""The pure half of asking for the fate of a message, which no webhook tells.

`GET /contact/{identifier}/message/{messageId}` [docs] (wire.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from bridge.errors import Rejected
from bridge.events import Contact, Status
from bridge.providers import answers
from bridge.providers.aelyst import wire
from bridge.providers.aelyst.inbound import at
from bridge.providers.aelyst.outbound import error_of
from bridge.providers.port import Inbound, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.events import ThreadRef
    from bridge.providers.port import Response


def status_request(thread: ThreadRef, message_id: str, headers: Mapping[str, str]) -> Request:
    """The question after one message we sent; `headers` hold the token.

    Raises:
        Rejected: the thread is none of Aelyst's.
    """
    to = wire.conversation(thread.conversation_id)
    if to is None:
        raise Rejected("no conversation at Aelyst")
    return Request(method="GET", path=f"{to.path}/message/{quote(message_id, safe='')}", headers=headers)


def read_status(response: Response, thread: ThreadRef, message_id: str, received_at: int) -> list[Inbound]:
    """What has become of it so far, as the events a webhook would have brought; each has the same key in every answer.

    `status` is a list of {value, timestamp, message} [docs]; `pending` is no fate yet, and a value that is not
    documented none either. `received_at` is in microseconds.

    Raises:
        SendError: the answer is none about this message; what it is tells whether to ask again.
    """
    answer = answers.json_object(response)
    if response.status not in answers.SUCCESS or not answer or wire.identifier(answer.get("messageId")) != message_id:
        raise error_of(response)
    listed = answer.get("status")
    found: dict[str, Inbound] = {}
    for each in listed if isinstance(listed, list) else []:
        told = wire.struct(each)
        value = wire.FATES.get(wire.text_of(told, "value"))
        if value is None:
            continue
        key = f"{message_id}:{value}"
        event = Status(
            id=key,
            contact=Contact(id=thread.conversation_id.rpartition(":")[2]),
            at=at(told.get("timestamp"), received_at),
            raw=answer,
            message_id=message_id,
            value=value,
            error=wire.text_of(told, "message") if value == "failed" else "",
        )
        found.setdefault(
            key, Inbound(key=key, channel=thread.channel, conversation_id=thread.conversation_id, event=event)
        )
    return list(found.values())
