"""The words of RelationLabs' wire: paths, headers, message types, return codes, the sendUuid, contents and tokens.

Sources, named in brackets: [send], [auth], [list], [codes], [parse-message] are pages of the provider's own
document (relationlabs.gitbook.io/relation-one-api: api/message/send, api/auth, api/message/list,
appendix/error-code, js-sdk/im-js-sdk/parse-message); [client] is what a public client does
(Portkey-Wallet/portkey-wallet and portkey-im): evidence and no promise; [ours] is a convention of this project.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote
from uuid import UUID

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

SEND_PATH: Final = "/api/v1/message/send"
LIST_PATH: Final = "/api/v1/message/list"
AUTH_PATH: Final = "/api/v1/auth"

API_KEY: Final = "ApiKey"
ADDRESS_AUTHORIZATION: Final = "I-Authorization"
"""Carries the addressAuthToken, and only to AUTH_PATH [auth]."""
ACCEPT: Final = "application/json, text/plain, */*"
"""What the gateway's own clients accept; narrower ones were answered badly [client]."""

ENVELOPE: Final = "im-message"
"""The key of the socket event that holds the MessageInfo, and so of the webhook a relay makes of it [client]."""

GROUP: Final = "group"
PEER: Final = "peer"
CHANNEL_TYPES: Final[Mapping[str, str]] = MappingProxyType({"G": GROUP, "P": PEER})
"""channelType of a socket event [client]."""

TEXT: Final = "TEXT"
STRUCTURED: Final = frozenset({"IMAGE", "CARD"})
"""Types whose content is a structured string [parse-message]."""
NOTICES: Final = frozenset({"SYS", "ANNOUNCEMENT", "PIN-SYS"})
"""Types the gateway writes into a conversation itself [parse-message; PIN-SYS: client]: no person said them."""

# Return codes: [send] 0 10112 13301 13108; [codes] 10100 10101 10102 10110; the others [client].
OK: Final = "0"
RATE_LIMITED: Final = "10110"
FAILED: Final = "-1"
UNAUTHORISED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "10100": "the token has expired",
        "10101": "the token is wrong",
        "10102": "the token is of another issuer",
    }
)
LATER: Final[Mapping[str, str]] = MappingProxyType(
    {
        "10002": "it failed and asks to try later",
        RATE_LIMITED: "too many requests",
    }
)
PERMANENT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "10111": "the daily limit is reached",
        "10112": "a parameter is wrong or missing",
        "10120": "permission denied",
        "11201": "the address cannot be bound",
        "11202": "the address cannot be bound",
        "11203": "the address cannot be bound",
        "11601": "a field is not supported",
        "11602": "there is no such user",
        "13108": "we are not a member of this group",
        "13301": "the receiver takes no messages from strangers",
    }
)

NOBODY: Final = "threadbridge"
"""Stands in a sendUuid for our relation id while we do not know it [ours]."""

_CODE: Final = re.compile(r"-?[0-9]{1,9}")
_OUR_END: Final = re.compile(r"-\d+-([0-9a-f]{32})\Z")
_CHANNEL_UUID: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PIECE: Final = re.compile(r"(?:^|[;,])\s*(type|action|p\d+\([a-z]+\))\s*:", re.IGNORECASE)


def is_code(text: str) -> bool:
    """Whether a text looks like a return code: all that are known are numbers."""
    return _CODE.fullmatch(text) is not None


def send_uuid(sender: str | None, receiver: str, millis: int, key: str) -> str:
    """`{relationId}-{channelUuid}-{ms}-{random}` [send's example]; for a peer his relation id [client].

    The random part is our idempotency key without its dashes, so that the same message always has the same sendUuid
    and an echo tells which message it is.
    """
    return f"{sender or NOBODY}-{receiver}-{millis}-{key.replace('-', '')}"


def key_of(uuid: str) -> str | None:
    """The idempotency key inside a sendUuid of ours; None when another client made it."""
    found = _OUR_END.search(uuid)
    return str(UUID(found[1])) if found else None


def is_channel_uuid(text: str) -> bool:
    """Whether an id has the shape of a channelUuid (a UUID in hex) and not of a relation id (abcde-fghij-...-cai)."""
    return _CHANNEL_UUID.fullmatch(text) is not None


def pieces(content: str) -> dict[str, str]:
    """A structured content as a mapping, names in lower case: `type:image;action:...;p1(Text):...` [parse-message].

    Clients separate the parameters by commas too and percent-encode a URL in them [client]; one that stands there
    plainly, with its own commas and semicolons, is read as well.
    """
    marks = list(_PIECE.finditer(content))
    ends = [mark.start() for mark in marks[1:]] + [len(content)]
    return {
        mark[1].lower(): _decoded(content[mark.end() : end].strip()) for mark, end in zip(marks, ends, strict=False)
    }


def _decoded(value: str) -> str:
    return value if "://" in value else unquote(value)


def claims(token: str) -> Mapping[str, Any]:
    """The claims of a JWT, unverified: only good for knowing our own name and when to renew. {} for anything else."""
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, payload, signature
        return {}
    try:
        found = orjson.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def subject(token: str) -> str | None:
    """The relation id a unifiedAuthToken belongs to (its `sub` [auth]), if that can be read."""
    found = claims(token).get("sub")
    return found if isinstance(found, str) and found else None


def identifier(value: object) -> str:
    """An id as text: they are strings of 19 digits, and a relay may have made numbers of them. "" for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""
