"""The routes of the REST API: who asks, what is read of the request, and the answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from bridge.config.problems import key_path, problems_of
from bridge.strict_json import read_object
from bridge.web.api.calls import Call
from bridge.web.api.document import document
from bridge.web.api.operations import OPERATIONS, PREFIX
from bridge.web.api.problems import HEADERS, Refusal, as_problems
from bridge.web.api.tokens import Tokens
from bridge.web.limits import check_head, read_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from bridge.clock import Clock
    from bridge.config.api import Api, Token
    from bridge.web.api.backend import Backends
    from bridge.web.api.operations import Operation
    from bridge.web.refusals import Handler

M = TypeVar("M", bound=BaseModel)

_TOKEN: Final[web.RequestKey[Any]] = web.RequestKey("token", object)
"""Whose request it is."""
_MOST_ERRORS: Final = 20
"""Places and reasons that a refusal tells."""
_JSON: Final = "application/json"


def add_api(
    app: web.Application,
    settings: Api,
    backends: Backends,
    clock: Clock,
    *,
    limit: int,
    peer_of: Callable[[web.BaseRequest], str | None],
) -> None:
    """Serve the API below /api/v1; bodies have at most `limit` bytes."""
    tokens = Tokens(settings, clock)

    @web.middleware
    async def admitted(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Whoever has no token learns nothing, not even which paths there are."""
        request[_TOKEN] = tokens.admit(request)
        return await handler(request)

    api = web.Application(middlewares=[as_problems(peer_of), admitted])
    api.router.add_get("/openapi.json", _document, allow_head=False)
    for operation in OPERATIONS:
        api.router.add_route(operation.method, operation.path, _route(operation, backends, clock, limit))
    app.add_subapp(PREFIX, api)


async def _document(_: web.Request) -> web.Response:
    body = await asyncio.to_thread(document)  # the first one takes a second
    return web.Response(body=body, content_type=_JSON, headers=HEADERS)


def _route(
    operation: Operation, backends: Backends, clock: Clock, limit: int
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        token: Token = request[_TOKEN]
        if operation.scope not in token.scopes:
            raise Refusal(403, f"this takes the scope {operation.scope}, which the token {token.name} has not")
        call = Call(
            token=token,
            backends=backends(),
            clock=clock,
            path=request.match_info,
            query=_query(operation.query, request) if operation.query else None,
            body=await _body(operation.body, request, limit) if operation.body else None,
        )
        done = await operation.act(call)
        body = done.model_dump_json().encode()
        return web.Response(status=operation.status, body=body, content_type=_JSON, headers=HEADERS)

    return answer


def _query(model: type[M], request: web.Request) -> M:
    values: Mapping[str, str] = request.query
    if len({*request.query.keys()}) < len(request.query):
        raise Refusal(422, "a parameter stands twice in the query")
    return _valid(model, lambda: model.model_validate(dict(values)))


async def _body(model: type[M], request: web.Request, limit: int) -> M:
    """The body as JSON. Raises WebhookError, Refusal."""
    check_head(request, limit)
    data = await read_body(request, limit)
    read_object(data)
    return _valid(model, lambda: model.model_validate_json(data, strict=True))


def _valid(model: type[M], validate: Callable[[], M]) -> M:
    try:
        return validate()
    except ValidationError as error:
        found = problems_of(error, model)[:_MOST_ERRORS]
        errors = [{"at": key_path(path), "reason": reason} for path, reason in found]
        raise Refusal(422, "the request is not as the OpenAPI document has it", errors=errors) from None
