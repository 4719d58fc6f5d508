"""Any model of pydantic-ai as a Model: one request of it is one call, so that the assistant keeps it as a step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pydantic_ai.exceptions import ModelAPIError, ModelHTTPError, UserError
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.tools import ToolDefinition

from .models import ModelFailed, fails_for_now

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic_ai.models import Model as PydanticModel
    from pydantic_ai.settings import ModelSettings


class FromPydanticAI:
    """Implements Model by one of pydantic-ai."""

    def __init__(self, model: PydanticModel) -> None:
        self._model = model

    async def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask once. Raises ModelFailed."""
        tools = [_definition(offer["function"]) for offer in request.get("tools", ())]
        others = {name: value for name, value in request.items() if name not in {"model", "messages", "tools"}}
        settings = cast("ModelSettings", others)
        try:
            response = await self._model.request(
                [*_messages(request["messages"])], settings, ModelRequestParameters(function_tools=tools)
            )
        except ModelHTTPError as error:
            raise ModelFailed(f"status {error.status_code}", again=fails_for_now(error.status_code)) from None
        except ModelAPIError as error:
            raise ModelFailed(f"no answer: {type(error).__name__}", again=True, billed=True) from None
        except UserError as error:
            raise ModelFailed(f"pydantic-ai refuses: {type(error).__name__}") from None
        return _body(response)


def _definition(function: Mapping[str, Any]) -> ToolDefinition:
    return ToolDefinition(
        name=function["name"], description=function["description"], parameters_json_schema=function["parameters"]
    )


def _messages(messages: Iterable[Mapping[str, Any]]) -> list[ModelMessage]:
    """Messages of a chat-completions request, those of one side joined."""
    made: list[ModelMessage] = []
    parts: list[ModelRequestPart] = []
    names: dict[str, str] = {}
    for message in messages:
        content = message["content"] or ""
        match message["role"]:
            case "system":
                parts.append(SystemPromptPart(content))
            case "user":
                parts.append(UserPromptPart(content))
            case "tool":
                called = message["tool_call_id"]
                parts.append(ToolReturnPart(names[called], content, called))
            case _:
                if parts:
                    made.append(ModelRequest(parts))
                    parts = []
                calls = [(call["id"], call["function"]) for call in message.get("tool_calls", ())]
                names.update({call_id: function["name"] for call_id, function in calls})
                said: list[ModelResponsePart] = [TextPart(content)] if content else []
                said += [ToolCallPart(function["name"], function["arguments"], call_id) for call_id, function in calls]
                made.append(ModelResponse(said))
    if parts:
        made.append(ModelRequest(parts))
    return made


def _body(response: ModelResponse) -> dict[str, Any]:
    """A response as a chat completion."""
    calls = [
        {"id": part.tool_call_id, "function": {"name": part.tool_name, "arguments": part.args_as_json_str()}}
        for part in response.parts
        if isinstance(part, ToolCallPart)
    ]
    text = "".join(part.content for part in response.parts if isinstance(part, TextPart))
    usage = response.usage
    counted = {"prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens}
    return {
        "choices": [{"message": {"content": text, "tool_calls": calls}, "finish_reason": response.finish_reason}],
        "usage": counted if usage.has_values() else None,
    }
