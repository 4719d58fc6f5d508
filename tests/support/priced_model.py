"""A language model that is a table: it answers by rule, keeps count of what it is paid, and goes wrong on demand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from handlers.assistant import ModelFailed, Prices

if TYPE_CHECKING:
    from collections.abc import Callable

PRICES: Final = Prices("1", "2")
"""Millionths of a euro for a token."""


def said(text: str, *, finish: str = "stop") -> dict[str, Any]:
    """A message of the model."""
    return {"message": {"role": "assistant", "content": text}, "finish_reason": finish}


def calls(*wanted: tuple[str, str]) -> dict[str, Any]:
    """A message that calls tools: the name of each, and its arguments as JSON."""
    made = [
        {"id": f"c{number}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for number, (name, arguments) in enumerate(wanted)
    ]
    message = {"role": "assistant", "content": None, "tool_calls": made}
    return {"message": message, "finish_reason": "tool_calls"}


@dataclass(slots=True)
class PricedModel:
    """Implements Model. `rule` makes a choice of the messages, or raises a fault; `seconds` is how long that takes."""

    rule: Callable[[list[dict[str, Any]]], dict[str, Any]]
    seconds: float = 0.5
    paid: int = 0
    """Millionths: what the provider would bill."""
    dearest: int = 0
    """The most that one call cost."""
    requests: list[dict[str, Any]] = field(default_factory=list)

    def empty(self) -> None:
        """As it was before the first call: it is outside of the world, so worlds share it."""
        self.paid = self.dearest = 0
        self.requests.clear()

    async def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        self.requests.append(request)
        choice = self.rule(request["messages"])
        tokens_in, tokens_out = len(orjson.dumps(request)) // 4, len(orjson.dumps(choice)) // 4
        assert tokens_out <= int(request.get("max_tokens") or request["max_completion_tokens"])
        cost = PRICES.of(tokens_in, tokens_out)
        self.paid += cost
        self.dearest = max(self.dearest, cost)
        await asyncio.sleep(self.seconds)
        usage = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}
        head = {"id": "1", "object": "chat.completion", "created": 0, "model": request["model"]}
        return {**head, "choices": [{"index": 0, **choice}], "usage": usage}


class Fault(Exception):
    """What the server does in the place of an answer: a status, or "cut", "hang", "garbage"."""

    def __init__(self, what: int | str) -> None:
        super().__init__(what)
        self.what = what


def model_app(model: PricedModel) -> web.Application:
    """The same behind the HTTP of an OpenAI-compatible endpoint."""

    async def complete(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != "Bearer sk-test":
            return web.json_response({"error": {"message": "no such key"}}, status=401)
        try:
            return web.json_response(await model(await request.json()))
        except ModelFailed:
            raise
        except Fault as fault:
            match fault.what:
                case int(status):
                    return web.json_response({"error": {"message": "?"}}, status=status, headers={"Retry-After": "0"})
                case "garbage":
                    return web.Response(body=b'{"choices": [', content_type="application/json")
                case "hang":
                    await asyncio.sleep(3600)
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"choices"')
        assert request.transport is not None
        request.transport.abort()
        return response

    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    return app
