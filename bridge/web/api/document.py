"""The OpenAPI document, made of the table of operations and of their pydantic models."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.messages import MESSAGE_TYPES
from bridge.store.following import TYPES
from bridge.web.api.events import MODELS, described
from bridge.web.api.models import NotHttp, Problem
from bridge.web.api.operations import OPERATIONS, PREFIX
from bridge.web.api.problems import PROBLEM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from bridge.store.following import EventType
    from bridge.web.api.operations import Operation

_REFUSALS: Final = {
    400: "The request is no HTTP that is read here (a line of it is too long, say), or its body is no JSON object",
    401: "The token is missing or wrong",
    403: "The token has not the scope",
    429: "The token asks too often",
    503: "The store takes nothing right now",
}
"""Of every operation."""
_NOT_HTTP: Final = 400
"""Answered before anybody knows what is asked for, as to any other request."""
_OF_INPUT: Final = {422: "The request is not as this document has it"}
_OF_BODY: Final = {
    408: "The body did not come in time",
    413: "The body is too large",
    415: "The body is not JSON in UTF-8",
    **_OF_INPUT,
}
_HEADERS: Final = {
    401: ("WWW-Authenticate", "How to prove who asks", {"type": "string"}),
    429: ("Retry-After", "Seconds", {"type": "integer"}),
    503: ("Retry-After", "Seconds", {"type": "integer"}),
}
_ABOUT: Final = (
    "Every request takes `Authorization: Bearer TOKEN`. A list has `next`, which as `cursor` gives the next page. "
    "Errors are problems as RFC 9457 has them. The webhooks are what systems that follow conversations are told: "
    "see `[events]`."
)
_NAMES: Final = {
    "thread_id": "A conversation, by the number that the list tells",
    "contact_id": "A person, by the number that the list tells",
    "broadcast_id": "A broadcast, by the id that it was answered with",
    "letter_id": "A dead letter, like in-7 or out-12",
    "message_id": "A message, by the id that it was answered with, or a part of one by its idempotency key",
}
_FALLBACK: Final = {
    "type": "array",
    "items": {"type": "object", "required": ["kind"]},
    "description": "Messages of any kind, to send instead where this one cannot go",
}
"""Of every kind of message: told in words, since a kind that holds all kinds is more than generators of code bear."""
_SECONDS: Final = {"type": "number", "description": "Seconds from now"}
_UNSENT: Final = frozenset({"path", "data"})
"""Fields of messages that are for handlers alone: files of the bridge's own machine."""


@cache
def document() -> bytes:
    """The document as JSON: OpenAPI 3.1. openapi-pydantic is loaded when somebody asks for it first."""
    from openapi_pydantic.util import construct_open_api_with_schema_class  # noqa: PLC0415 - see above
    from openapi_pydantic.v3.v3_1 import OpenAPI  # noqa: PLC0415

    described = OpenAPI.model_validate(
        {
            "info": {"title": "threadbridge", "version": "1", "description": _ABOUT},
            "servers": [{"url": "/"}],
            "security": [{"token": []}],
            "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
            "paths": _paths(),
            "webhooks": {kind: {"post": _posted(kind)} for kind in TYPES},
        }
    )
    whole = construct_open_api_with_schema_class(described)
    made: dict[str, Any] = orjson.loads(whole.model_dump_json(by_alias=True, exclude_none=True))
    _finish_messages(made["components"]["schemas"])
    return orjson.dumps(made)


def _paths() -> dict[str, dict[str, Any]]:
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(f"{PREFIX}{operation.path}", {})[operation.method.lower()] = _operation(operation)
    return paths


def _posted(kind: EventType) -> dict[str, Any]:
    return {**described(kind), "requestBody": {"required": True, "content": _content("application/json", MODELS[kind])}}


def _operation(operation: Operation) -> dict[str, Any]:
    parameters = [_in_path(name) for name in re.findall(r"{(\w+)}", operation.path)]
    refusals = {**_REFUSALS, **operation.refusals}
    made: dict[str, Any] = {"operationId": operation.name, "summary": operation.summary}
    if operation.query is not None:
        parameters += _in_query(operation.query)
        refusals |= _OF_INPUT
    if operation.body is not None:
        made["requestBody"] = {"required": True, "content": _content("application/json", operation.body)}
        refusals |= _OF_BODY
    answer = {"description": "Done", "content": _content("application/json", operation.answer)}
    made["description"] = f"It takes the scope `{operation.scope}`."
    made["parameters"] = parameters
    made["responses"] = {
        str(operation.status): answer,
        **{str(status): _refusal(status, why) for status, why in sorted(refusals.items())},
    }
    return made


def _in_path(name: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "description": _NAMES[name], "schema": schema}


def _in_query(model: type[BaseModel]) -> list[dict[str, Any]]:
    properties: Mapping[str, Any] = model.model_json_schema()["properties"]
    return [{"name": name, "in": "query", "schema": _given(schema)} for name, schema in properties.items()]


def _given(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter's schema: one that may be left out is no null when it is there."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    own = {name: value for name, value in schema.items() if name not in {"anyOf", "title"} and value is not None}
    return {**own, **(kinds[0] if kinds else {})}


def _refusal(status: int, why: str) -> dict[str, Any]:
    made: dict[str, Any] = {"description": why, "content": _content(PROBLEM, Problem)}
    if status == _NOT_HTTP:
        made["content"] |= _content("application/json", NotHttp)
    if status in _HEADERS:
        name, about, schema = _HEADERS[status]
        made["headers"] = {name: {"description": about, "required": True, "schema": schema}}
    return made


def _content(media_type: str, model: type[BaseModel]) -> dict[str, Any]:
    from openapi_pydantic.util import PydanticSchema  # noqa: PLC0415 - as above

    return {media_type: {"schema": PydanticSchema.model_validate({"schema_class": model})}}


def _finish_messages(schemas: dict[str, Any]) -> None:
    """Messages tell their kind, which their classes do not hold as a field; and are no files of this machine."""
    for kind, cls in MESSAGE_TYPES.items():
        schema = schemas[cls.__name__]
        fields = {name: field for name, field in schema["properties"].items() if name not in _UNSENT}
        fields["expires"] = {**fields["expires"], "anyOf": [*fields["expires"]["anyOf"], _SECONDS]}
        schema["properties"] = {"kind": {"type": "string", "const": kind}, **fields, "fallback": _FALLBACK}
        schema["required"] = ["kind", *schema.get("required", ())]
        schema["additionalProperties"] = False
