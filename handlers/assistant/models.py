"""The model: a function of a chat-completions request, and the one that asks an OpenAI-compatible endpoint."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import aiohttp
import orjson
from pydantic import BaseModel, ValidationError

Model: TypeAlias = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Takes the body of a chat-completions request, and returns that of its answer. Raises ModelFailed."""

_LARGEST: Final = 4 << 20
"""Bytes of an answer."""
_LONGEST: Final = 32_000
"""Bytes of its text and arguments: a dialog's journal holds 128 KiB."""
_RENAMED: Final = ("api.openai.com", ".openai.azure.com")
"""Hosts whose newer models refuse `max_tokens` under its old name, which all others know."""
_PATIENCE: Final = aiohttp.ClientTimeout(total=None)
"""The assistant has a limit of its own, `call_timeout`."""
_OK: Final = 200
_PASSING: Final = frozenset({408, 409, 425, 429})
_SERVER: Final = 500
_LONGEST_WAIT: Final = 30.0


class ModelFailed(Exception):
    """A call of a model without an answer. `reason` has no word of the conversation.

    `again`: another try may work, after `wait` seconds. `billed`: the provider may charge for it all the same.
    """

    def __init__(self, reason: str, *, again: bool = False, billed: bool = False, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.again = again
        self.billed = billed
        self.wait = wait


class _Function(BaseModel):
    name: str
    arguments: str = "{}"


class _Call(BaseModel):
    id: str = ""
    function: _Function


class _Message(BaseModel):
    content: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Answer(BaseModel):
    choices: list[_Choice]
    usage: _Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model said, and the tokens that it counted; None: it did not count."""

    text: str
    calls: list[dict[str, str]]
    is_cut: bool
    tokens: tuple[int, int] | None


def read_answer(body: object) -> Answer:
    """The first choice of an answer. Raises ModelFailed: it is malformed."""
    try:
        answer = _Answer.model_validate(body)
        choice = answer.choices[0]
    except (ValidationError, IndexError):
        raise ModelFailed("malformed answer", again=True, billed=True) from None
    if not choice.message.tool_calls and not (choice.message.content or "").strip():
        raise ModelFailed("blank answer", again=True, billed=True)
    if sum(map(len, _texts(choice.message))) > _LONGEST:
        raise ModelFailed("answer too long", billed=True)
    usage = answer.usage
    return Answer(
        text=choice.message.content or "",
        calls=[
            {"id": call.id or f"call-{number}", "name": call.function.name, "arguments": call.function.arguments}
            for number, call in enumerate(choice.message.tool_calls or ())
        ],
        is_cut=choice.finish_reason == "length",
        tokens=None if usage is None else (max(0, usage.prompt_tokens), max(0, usage.completion_tokens)),
    )


def _texts(message: _Message) -> Iterator[bytes]:
    yield (message.content or "").encode()
    for call in message.tool_calls or ():
        yield call.function.arguments.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An OpenAI-compatible endpoint. `base_url` and `api_key` may be "env:NAME"; they are looked up at each call."""

    base_url: str
    api_key: str

    async def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask once. Raises ModelFailed."""
        url = f"{_looked_up(self.base_url).rstrip('/')}/chat/completions"
        if (urlsplit(url).hostname or "").endswith(_RENAMED):
            request = {**request, "max_completion_tokens": request["max_tokens"]}
            del request["max_tokens"]
        headers = {"Authorization": f"Bearer {_looked_up(self.api_key)}", "Content-Type": "application/json"}
        try:
            async with (
                aiohttp.ClientSession(timeout=_PATIENCE) as session,
                session.post(url, data=orjson.dumps(request), headers=headers, allow_redirects=False) as response,
            ):
                _check(response)
                body = await response.content.read(_LARGEST)
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            raise ModelFailed(f"no connection: {type(error).__name__}", again=True) from None
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            raise ModelFailed(f"no answer: {type(error).__name__}", again=True, billed=True) from None
        try:
            answer: dict[str, Any] = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise ModelFailed("malformed answer", again=True, billed=True) from None
        return answer


def _check(response: aiohttp.ClientResponse) -> None:
    status = response.status
    if status == _OK:
        return
    wait = response.headers.get("Retry-After", "")
    raise ModelFailed(
        f"status {status}",
        again=fails_for_now(status),
        wait=min(float(wait), _LONGEST_WAIT) if wait.isdecimal() else 0.0,
    )


def fails_for_now(status: int) -> bool:
    """Whether another try may work after an answer of that status."""
    return status in _PASSING or status >= _SERVER


def _looked_up(value: str) -> str:
    """A value, or that of the environment variable it names. Raises ModelFailed: it is not set."""
    if not value.startswith("env:"):
        return value
    name = value.removeprefix("env:")
    if not (found := os.environ.get(name, "")):
        raise ModelFailed(f"the environment variable {name} is not set")
    return found
