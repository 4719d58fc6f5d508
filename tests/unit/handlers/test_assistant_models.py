"""Models behind HTTP: our own client, and pydantic-ai's, at a server that goes wrong in every way."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
from aiohttp.test_utils import TestServer

from bridge import HandlerError
from handlers.assistant import Endpoint, ModelFailed, Recorded
from handlers.assistant.models import read_answer
from tests.support.assistants import answered, shop
from tests.support.free_ports import free_port
from tests.support.priced_model import Fault, PricedModel, calls, model_app, said

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from handlers.assistant import Model

ASKED = [{"role": "system", "content": "Sell tea."}, {"role": "user", "content": "hello"}]


def request(*messages: dict[str, Any]) -> dict[str, Any]:
    offers = shop().offers
    return {"model": "stub-1", "messages": [*ASKED, *messages], "max_tokens": 1000, "tools": offers}


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[PricedModel], Any]]:
    servers: list[TestServer] = []

    async def served(model: PricedModel) -> str:
        server = TestServer(model_app(model))
        await server.start_server()
        servers.append(server)
        return str(server.make_url("/v1"))

    yield served
    for server in servers:
        await server.close()


def own(base_url: str) -> Model:
    return Endpoint(base_url=base_url, api_key="sk-test")


@pytest.fixture(params=["own", "pydantic-ai"])
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[str], Model]]:
    """Makes a model of a base URL."""
    if request.param == "own":
        yield own
        return
    from openai import AsyncOpenAI  # noqa: PLC0415 - these take a second, which only this worker is to spend
    from pydantic_ai.models.openai import OpenAIChatModel  # noqa: PLC0415 - the same
    from pydantic_ai.providers.openai import OpenAIProvider  # noqa: PLC0415 - the same

    from handlers.assistant.pydantic_model import FromPydanticAI  # noqa: PLC0415 - the same

    async with AsyncExitStack() as clients:

        def theirs(base_url: str) -> Model:
            made = AsyncOpenAI(base_url=base_url, api_key="sk-test", max_retries=0)
            clients.push_async_callback(made.close)
            return FromPydanticAI(OpenAIChatModel("stub-1", provider=OpenAIProvider(openai_client=made)))

        yield theirs


def quick(rule: Callable[[list[dict[str, Any]]], dict[str, Any]]) -> PricedModel:
    return PricedModel(rule, seconds=0.0)


@pytest.mark.slow
async def test_a_model_answers_with_words_and_tokens(client: Callable[[str], Model], serve: Any) -> None:
    model = quick(answered)
    answer = read_answer(await client(await serve(model))(request()))
    assert (answer.text, answer.calls, answer.is_cut) == ("You said: hello", [], False)
    assert answer.tokens is not None
    assert min(answer.tokens) > 0
    (sent,) = model.requests
    assert [(message["role"], message["content"]) for message in sent["messages"]] == [
        (message["role"], message["content"]) for message in ASKED
    ]
    assert [offer["function"]["name"] for offer in sent["tools"]] == [
        "order_status",
        "refund",
        "whose",
        "misprogrammed",
    ]
    assert sent["tools"][0]["function"]["parameters"]["properties"]["no"]["type"] == "integer"


async def test_a_model_calls_a_tool_and_reads_its_result(client: Callable[[str], Model], serve: Any) -> None:
    model = quick(lambda messages: said("Fine.") if len(messages) > 2 else calls(("order_status", '{"no":7}')))
    ask = client(await serve(model))
    (call,) = read_answer(await ask(request())).calls
    assert call == {"id": "c0", "name": "order_status", "arguments": '{"no":7}'}
    function = {"name": call["name"], "arguments": call["arguments"]}
    called = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "c0", "type": "function", "function": function}],
    }
    result = {"role": "tool", "tool_call_id": "c0", "content": "on its way"}
    assert read_answer(await ask(request(called, result))).text == "Fine."
    *_, sent_call, sent_result = model.requests[-1]["messages"]
    assert sent_call["tool_calls"][0]["function"] == function
    assert (sent_result["tool_call_id"], sent_result["content"]) == ("c0", "on its way")


async def test_other_settings_go_along(client: Callable[[str], Model], serve: Any) -> None:
    model = quick(answered)
    await client(await serve(model))({**request(), "temperature": 0.2})
    assert model.requests[0]["temperature"] == 0.2


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("https://api.openai.com/v1", "max_completion_tokens"),
        ("https://shop.openai.azure.com/openai/v1", "max_completion_tokens"),
        ("http://127.0.0.1:11434/v1", "max_tokens"),
        ("https://openai.example/v1", "max_tokens"),
    ],
)
async def test_the_bound_of_an_answer_has_the_name_that_its_host_takes(
    host: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []

    def post(_session: object, _url: str, *, data: bytes, **_: Any) -> Any:
        sent.append(orjson.loads(data))
        raise aiohttp.ServerDisconnectedError

    monkeypatch.setattr(aiohttp.ClientSession, "post", post)
    asked = request()
    with pytest.raises(ModelFailed):
        await own(host)(asked)
    assert {key: value for key, value in sent[0].items() if "max" in key} == {name: 1000}
    assert asked == request()


async def test_a_cut_answer_is_known(client: Callable[[str], Model], serve: Any) -> None:
    model = quick(lambda _: said("The end is", finish="length"))
    assert read_answer(await client(await serve(model))(request())).is_cut


@pytest.mark.parametrize(
    ("fault", "again", "billed"),
    [(429, True, False), (500, True, False), (503, True, False), (400, False, False), ("cut", True, True)],
)
@pytest.mark.slow
async def test_what_a_failure_means_for_another_try_and_for_the_bill(
    client: Callable[[str], Model],
    serve: Any,
    fault: int | str,
    again: bool,  # noqa: FBT001 - a column of the table
    billed: bool,  # noqa: FBT001 - the same
) -> None:
    def fails(_messages: object) -> dict[str, Any]:
        raise Fault(fault)

    with pytest.raises(ModelFailed) as failed:
        await client(await serve(quick(fails)))(request())
    assert (failed.value.again, failed.value.billed) == (again, billed)
    assert "hello" not in str(failed.value)


async def test_garbage_is_a_failure_that_may_have_been_billed(serve: Any) -> None:
    def garbage(_messages: object) -> dict[str, Any]:
        raise Fault("garbage")

    with pytest.raises(ModelFailed, match="malformed") as failed:
        await own(await serve(quick(garbage)))(request())
    assert failed.value.billed


async def test_a_server_that_hangs_can_be_left(serve: Any) -> None:
    def hangs(_messages: object) -> dict[str, Any]:
        raise Fault("hang")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await own(await serve(quick(hangs)))(request())


async def test_where_nothing_listens_there_is_no_connection(client: Callable[[str], Model]) -> None:
    with pytest.raises(ModelFailed, match=r"^no ") as failed:
        await client(f"http://127.0.0.1:{free_port()}/v1")(request())
    assert failed.value.again


async def test_key_and_url_come_from_the_environment(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_URL", await serve(quick(answered)))
    model = Endpoint(base_url="env:LLM_URL", api_key="env:LLM_KEY")
    with pytest.raises(ModelFailed, match="the environment variable LLM_KEY is not set"):
        await model(request())
    monkeypatch.setenv("LLM_KEY", "sk-wrong")
    with pytest.raises(ModelFailed, match="status 401"):
        await model(request())
    monkeypatch.setenv("LLM_KEY", "sk-test")
    assert read_answer(await model(request())).text == "You said: hello"


async def test_what_pydantic_ai_refuses_by_itself_is_not_tried_again() -> None:
    from pydantic_ai.exceptions import UserError  # noqa: PLC0415 - as above

    from handlers.assistant.pydantic_model import FromPydanticAI  # noqa: PLC0415 - as above

    class Refusing:
        async def request(self, *_: object) -> None:
            raise UserError("hello")

    with pytest.raises(ModelFailed, match=r"^pydantic-ai refuses: UserError$") as failed:
        await FromPydanticAI(Refusing())(request())  # type: ignore[arg-type] # all of it that is used
    assert not failed.value.again


@pytest.mark.parametrize("body", [None, [], {}, {"choices": []}, {"choices": [{}]}, {"choices": [{"message": {}}]}])
def test_an_answer_without_a_message_is_malformed_or_blank(body: object) -> None:
    with pytest.raises(ModelFailed, match=r"malformed|blank"):
        read_answer(body)


async def test_answers_are_recorded_once_and_then_need_no_model(tmp_path: Path) -> None:
    model = quick(answered)
    recording = Recorded(tmp_path / "answers.json", model)
    first = await recording(request())
    assert await recording(request()) == first
    assert len(model.requests) == 1
    assert await Recorded(tmp_path / "answers.json")(request()) == first
    with pytest.raises(HandlerError, match=r"answers\.json has no answer .*record it"):
        await Recorded(tmp_path / "answers.json")(request({"role": "user", "content": "more"}))
