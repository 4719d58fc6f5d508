"""Every error the five gateways document, in their own words, how their emulators come to say it, and what it means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import orjson

from bridge.errors import NotSent, OutcomeUnknown, Rejected, SendError
from bridge.providers.port import Refuses
from bridge.providers.relationlabs.wire import LATER, PERMANENT, UNAUTHORISED

if TYPE_CHECKING:
    from bridge.providers.aelyst.emulator import Emulator as Aelyst
    from bridge.providers.ginalne.emulator import Emulator as Ginalne
    from bridge.providers.port import Emulator, Request, Response
    from bridge.providers.relationlabs.emulator import Emulator as RelationLabs

Reach: TypeAlias = Callable[["Emulator", "Request"], "Response"]
"""The emulator's answer to a good request that was spoilt, or that came at a bad time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """One error: `answer` is what the gateway says, `reach` how its emulator comes to say it.

    `strict`: the emulator found the mistake itself, and was not just told to refuse.
    """

    provider: str
    status: int
    answer: str
    reach: Reach
    outcome: type[SendError]
    pause: bool = False
    at_least: float | None = None
    strict: bool = True

    @property
    def name(self) -> str:
        return f"{self.provider}: {self.status} {self.answer}"


def told(code: str) -> Reach:
    """The error with this code, on demand."""

    def reach(emulator: Emulator, request: Request) -> Response:
        assert isinstance(emulator, Refuses)
        response = emulator.refuse(code)
        emulator.requests.append((request, response))
        return response

    return reach


def bent(**fields: Any) -> Reach:
    """The request with some fields of its body replaced."""
    return lambda emulator, request: emulator.handle(
        replace(request, body=orjson.dumps({**orjson.loads(request.body or b""), **fields}))
    )


def headed(**headers: str) -> Reach:
    """The request with some headers replaced, whatever their case."""

    def reach(emulator: Emulator, request: Request) -> Response:
        others = {name: value for name, value in request.headers.items() if name.lower() not in headers}
        return emulator.handle(replace(request, headers={**others, **headers}))

    return reach


def _no_pro(emulator: Emulator, request: Request) -> Response:
    cast("Ginalne", emulator).pro_active = False
    return emulator.handle(request)


def _too_often(emulator: Emulator, request: Request) -> Response:
    while (response := emulator.handle(request)).status == 200:
        pass
    return response


def _queued(emulator: Emulator, request: Request) -> Response:
    cast("Aelyst", emulator).queue_next()
    return emulator.handle(request)


def _expired(emulator: Emulator, request: Request) -> Response:
    cast("RelationLabs", emulator).expire_tokens()
    return emulator.handle(request)


def _limited(emulator: Emulator, request: Request) -> Response:
    cast("RelationLabs", emulator).rate_limited = 1
    return emulator.handle(request)


def _stranger(emulator: Emulator, request: Request) -> Response:
    body = {"channelUuid": None, "toRelationId": "shy"}
    cast("RelationLabs", emulator).block_strangers.add("shy")
    return bent(**body)(emulator, request)


def _outsider(emulator: Emulator, request: Request) -> Response:
    cast("RelationLabs", emulator).not_member.add("0" * 32)
    return bent(channelUuid="0" * 32)(emulator, request)


_PERSON: Final = {"name": "Dewi", "contact": [{"type": "whatsapp", "name": "Main", "key": "+6281200012345"}]}
_GROUP: Final = {"type": "group", "name": "Team"}


def _ginalne(status: int, answer: str, reach: Reach, outcome: type[SendError] = Rejected) -> Documented:
    return Documented(
        provider="ginalne", status=status, answer=answer, reach=reach, outcome=outcome, pause=status == 401
    )


GINALNE: Final = (
    _ginalne(401, "Unauthorized", headed(authorization="Bearer wrong"), NotSent),
    _ginalne(401, "Pro is not active!", _no_pro, NotSent),
    _ginalne(400, "Persona Topic-type recipients are only allowed one.", bent(recipient=[_PERSON, _PERSON])),
    _ginalne(400, "Group as recipients are only allowed one.", bent(topic=_GROUP, recipient=[_PERSON, _PERSON])),
    _ginalne(
        400,
        "The Recipient index 1 must have at least one contact.",
        bent(topic={"type": "mass", "name": "All"}, recipient=[_PERSON, {"name": "Nobody", "contact": []}]),
    ),
    _ginalne(
        400,
        "Invalid ContactType at recipient index 0 and contact index 1.",
        bent(recipient=[{**_PERSON, "contact": [*_PERSON["contact"], {"type": "pigeon", "name": "P", "key": "1"}]}]),
    ),
    _ginalne(400, "Unknown field no_such_field in the body.", bent(no_such_field=1)),
    _ginalne(404, "User is not found!", bent(username="nobody")),
    _ginalne(404, "Recipients must have at least one.", bent(recipient=[])),
    _ginalne(404, "Topic Type is invalid!", bent(topic={"type": "party", "name": "All"})),
)
"""The page's table; its "dynamic error" is a text that nobody can know beforehand."""

AELYST: Final = (
    Documented(provider="aelyst", status=400, answer="Validation error.", reach=bent(channelId="x"), outcome=Rejected),
    Documented(
        provider="aelyst",
        status=401,
        answer="UN_AUTHORIZED",
        reach=headed(authorization="Bearer wrong"),
        outcome=NotSent,
        pause=True,
    ),
    Documented(
        provider="aelyst", status=429, answer="Too Many Requests", reach=_too_often, outcome=NotSent, at_least=1
    ),
    Documented(
        provider="aelyst",
        status=449,
        answer="Your request cannot be processed at the moment as it is currently in queue.",
        reach=_queued,
        outcome=OutcomeUnknown,
        at_least=60,
    ),
    Documented(
        provider="aelyst",
        status=500,
        answer="Unexpected error occurred",
        reach=told("500"),
        outcome=OutcomeUnknown,
        strict=False,
    ),
)

_DOINGS: Final[dict[str, Reach]] = {
    "10100": _expired,
    "10101": headed(authorization="Bearer wrong"),
    "10110": _limited,
    "10112": bent(channelUuid=None, toRelationId=None),
    "13108": _outsider,
    "13301": _stranger,
}


def _relationlabs(code: str, outcome: type[SendError]) -> Documented:
    return Documented(
        provider="relationlabs",
        status=200,
        answer=code,
        reach=_DOINGS.get(code) or told(code),
        outcome=outcome,
        pause=code in UNAUTHORISED,
        strict=code in _DOINGS,
    )


RELATIONLABS: Final = (
    *(_relationlabs(code, NotSent) for code in (*UNAUTHORISED, *LATER)),
    *(_relationlabs(code, Rejected) for code in PERMANENT),
    _relationlabs("-1", OutcomeUnknown),
)
"""The appendix's codes and those its public clients know; all of them come with HTTP 200."""


def _whautochat(status: int, answer: str, reach: Reach, outcome: type[SendError], *, pause: bool = False) -> Documented:
    return Documented(provider="whautochat", status=status, answer=answer, reach=reach, outcome=outcome, pause=pause)


WHAUTOCHAT: Final = (
    _whautochat(
        200, "Provide either contact or recepient", bent(recepient={"phoneNumber": "+1"}, contact={"id": "a"}), Rejected
    ),
    _whautochat(200, "Workspace not found", bent(workspace={"id": "another"}), Rejected),
    _whautochat(401, "Invalid API key", headed(**{"x-api-key": "wrong"}), NotSent, pause=True),
    Documented(provider="whautochat", status=429, answer="", reach=told("429"), outcome=NotSent, strict=False),
)
"""Its pages have one error, `error` set in a MessageResponse, and a limit of requests without its answer."""


def _konnek(code: int, reach: Reach, outcome: type[SendError], *, strict: bool = True) -> Documented:
    return Documented(
        provider="konnek",
        status=code,
        answer=f'"status":false,"code":{code}',
        reach=reach,
        outcome=outcome,
        pause=code == 401,
        strict=strict,
    )


KONNEK: Final = (
    _konnek(400, bent(recipient=""), Rejected),
    _konnek(401, headed(**{"auth-password": "wrong"}), NotSent),
    _konnek(404, lambda emulator, request: emulator.handle(replace(request, path="/pigeon/send/x")), Rejected),
    _konnek(429, told("429"), NotSent, strict=False),
    _konnek(500, told("500"), NotSent, strict=False),
    _konnek(503, told("503"), NotSent, strict=False),
    _konnek(504, told("504"), OutcomeUnknown, strict=False),
)
"""`meta.status` false, `meta.code` an HTTP status: the page lists no codes, so these are the ones that differ."""

DOCUMENTED: Final = (*AELYST, *GINALNE, *KONNEK, *RELATIONLABS, *WHAUTOCHAT)
