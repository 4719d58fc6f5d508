"""The assistant: a dialog whose steps are the calls of a model and of its tools."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson
import structlog

from bridge import BudgetSpent, Dialog, HandlerError, Message, NoAnswer, Paid, Router, Spending, Text, Turn

from .models import Endpoint, Model, ModelFailed, read_answer
from .money import Limits, Prices
from .tools import Tool, WrongArguments, tool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from pydantic_ai.models import Model as PydanticModel

    from bridge import Outgoing

Fallback: TypeAlias = "Callable[[Turn[Any], str], str | Outgoing | Awaitable[str | Outgoing | None] | None]"
"""What is said, or done to the turn, when there is no answer, and the reason why."""

log: Final = structlog.get_logger("threadbridge")

_HISTORY_SIZE: Final = 24_000
"""Bytes of what was said before: a dialog's journal holds 128 KiB."""
_ANSWER_SIZE: Final = 48_000
"""Bytes of what the model said and tools gave for one answer; nothing is called after that."""
_LONGEST_HISTORY: Final = 1000
_GO_ON: Final = "Go on exactly where you stopped."
_GROUP: Final = "group"
_TIMEOUT: Final = "timeout"


def to_person(text: str = "One moment, somebody will answer you here.") -> Callable[[Turn[Any], str], str]:
    """Say a text, and give the conversation to a person, with the reason as the note."""

    def hand_over(turn: Turn[Any], reason: str) -> str:
        turn.handoff(f"assistant: {reason}")
        return text

    return hand_over


@dataclass(kw_only=True)
class Assistant:
    """Answers messages with a language model. `Assistant(model="...", instructions="...").router` is its router.

    Each call of the model and of a tool is a step of a dialog: what was paid for is not paid again after a crash.

    Args:
        model: The model's name at the endpoint, a model of pydantic-ai, or a function of a chat-completions request.
        instructions: What the model is told first; a text, or a function of the turn.
        base_url: The OpenAI-compatible endpoint, or "env:NAME".
        api_key: Its key, as "env:NAME".
        tools: Functions that the model may call, plain or made by `tool`.
        prices: What the model costs. Wanted where there are limits.
        limits: What may be spent on a contact and at an account.
        overlap: What becomes of messages that come while it works: as for any rule.
        fallback: What is said when there is no answer. The reasons are "budget", "timeout", "rounds", "model".
        name: Tells several assistants of one bot apart.
        history: How many messages of the conversation the model reads.
        max_tokens: The longest answer of one call.
        settings: Other fields of a request, like {"temperature": 0.2}.
        rounds: How often the model may be called for one answer.
        tries: How often one call is tried.
        call_timeout: Seconds for one call.
        timeout: Seconds for an answer, without the time that a contact takes to confirm.
        yes: The title of the button that confirms.
        no: The title of the other one.
        confirm_timeout: How long the contact may take to confirm.
        groups: Whether it answers in groups, too.
    """

    model: str | Model | PydanticModel
    instructions: str | Callable[[Turn[Any]], str] = "You are a helpful assistant."
    base_url: str = "https://api.openai.com/v1"
    api_key: str = "env:OPENAI_API_KEY"
    tools: Sequence[Tool | Callable[..., Any]] = ()
    prices: Prices | None = None
    limits: Limits = field(default_factory=Limits)
    overlap: Any = "merge"
    fallback: Fallback = field(default_factory=to_person)
    name: str = "assistant"
    history: int = 20
    max_tokens: int = 1000
    settings: Mapping[str, Any] = field(default_factory=dict)
    rounds: int = 8
    tries: int = 3
    call_timeout: float = 60.0
    timeout: float = 300.0
    yes: str = "Yes"
    no: str = "No"
    confirm_timeout: str = "1d"
    groups: bool = False

    def __post_init__(self) -> None:
        if not (1 <= self.history <= _LONGEST_HISTORY and min(self.max_tokens, self.rounds, self.tries) >= 1):
            raise HandlerError("history is from 1 to 1000; max_tokens, rounds and tries are from 1 on")
        made = [offered if isinstance(offered, Tool) else tool(offered) for offered in self.tools]
        self.known = {offered.name: offered for offered in made}
        self.offers = [offered.offer for offered in made]
        if len(self.known) < len(made):
            raise HandlerError("two tools of an assistant have one name: tool(function, name=...)")
        if self.prices is None and any(self.limits.budgets("", "")):
            raise HandlerError("limits need the model's prices: Assistant(prices=Prices(input=..., output=...))")
        self.ask = self._asked_by(self.model)

    @cached_property
    def router(self) -> Router:
        """Any message begins an answer; other routers that stand before it come first."""
        router = Router(self.name)
        dialog = self.answer  # one object: functions are known by identity

        async def begin(turn: Turn[Message]) -> None:
            if turn.thread.channel != _GROUP or self.groups:
                await turn.begin(dialog)

        router.message(overlap=self.overlap, timeout=self._turn_seconds)(begin)
        router.dialog(name=f"assistant:{self.name}", changed="handoff", timeout=self._turn_seconds)(dialog)
        return router

    def _asked_by(self, model: str | Model | PydanticModel) -> Model:
        if isinstance(model, str):
            return Endpoint(base_url=self.base_url, api_key=self.api_key)
        if callable(model):
            return model
        from .pydantic_model import FromPydanticAI  # noqa: PLC0415 - an extra: who has its models has it

        return FromPydanticAI(model)

    @property
    def _turn_seconds(self) -> float:
        """An answer's time, and the last call that may begin in it."""
        return self.timeout + self.call_timeout + 60.0

    async def answer(self, d: Dialog) -> None:
        """Answer the messages of a turn."""
        await _Answering(self, d).run()


class GaveUp(Exception):
    """There is no answer, for a reason."""


class _Answering:
    """One answer under way."""

    def __init__(self, assistant: Assistant, dialog: Dialog) -> None:
        self._own = assistant
        self._dialog = dialog
        self._asked = [event.id for event in dialog.turn.events]
        """A turn that is begun again with more messages takes other steps."""
        self._messages: list[dict[str, Any]] = []
        self._seconds = 0.0
        self._calls = 0
        self._room = _ANSWER_SIZE
        self._told = False
        self._added: list[str] = []
        """What the contact wrote meanwhile."""

    async def run(self) -> None:
        """Answer, or say what stands for an answer."""
        try:
            text = await self._answer()
        except (GaveUp, BudgetSpent) as error:
            await self._give_up("budget" if isinstance(error, BudgetSpent) else str(error))
        else:
            await self._dialog.say(Text(text, format="markdown"))

    async def _answer(self) -> str:
        self._messages = await self._dialog.step(self._history, self._asked)
        parts: list[str] = []
        for _ in range(self._own.rounds):
            said = await self._ask()
            self._take_room(said["text"], *(call["arguments"] for call in said["calls"]))
            spoken = {"role": "assistant", "content": said["text"]}
            if said["calls"]:
                parts.clear()
                self._messages.append({**spoken, "tool_calls": [_as_call(call) for call in said["calls"]]})
                for call in said["calls"]:
                    result = await self._use(call["name"], call["arguments"])
                    self._messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
                self._messages += [{"role": "user", "content": words} for words in self._added]
                self._added.clear()
                continue
            parts.append(said["text"])
            if not said["cut"]:
                return "".join(parts)
            self._messages += [spoken, {"role": "user", "content": _GO_ON}]
        raise GaveUp("rounds")

    async def _history(self, asked: list[str]) -> list[dict[str, str]]:
        """What was said, from the newest back as far as there is room."""
        del asked
        kept: list[dict[str, str]] = []
        room = _HISTORY_SIZE
        for said in reversed(await self._dialog.turn.transcript(self._own.history)):
            words = said["content"]
            if not kept:
                words = words.encode()[-room:].decode(errors="ignore")
            room -= len(words.encode())
            if room < 0:
                break
            kept.insert(0, {"role": said["role"], "content": words})
        return kept

    async def _ask(self) -> dict[str, Any]:
        """What the model says. Raises GaveUp, BudgetSpent."""
        wait, reason = 0.0, ""
        for _ in range(self._own.tries):
            if self._seconds >= self._own.timeout:
                raise GaveUp(_TIMEOUT)
            self._calls += 1
            said = await self._called(self._request(), wait)
            self._seconds += said["seconds"]
            if "failed" not in said:
                return said
            reason = said["failed"]
            if not said["again"]:
                break
            wait = said["wait"] or min(2.0**self._calls / 2, 8.0)
        raise GaveUp(_TIMEOUT if reason == _TIMEOUT else f"model, {reason}")

    async def _called(self, request: dict[str, Any], wait: float) -> dict[str, Any]:
        """The step that calls the model. What it is told first may change with a deploy, and is no part of the step."""
        prices = self._own.prices
        most = 0 if prices is None else prices.of(len(orjson.dumps(request)), self._own.max_tokens)

        async def call(_number: int, _asked: list[str], wait: float) -> Paid[dict[str, Any]]:
            await asyncio.sleep(wait)
            loop = asyncio.get_running_loop()
            begun = loop.time()
            said, cost = await self._said(request, most)
            return Paid({**said, "seconds": round(loop.time() - begun + wait, 3)}, cost)

        return await self._dialog.step(call, self._calls, self._asked, wait, spending=self._spending(most))

    async def _said(self, request: dict[str, Any], most: int) -> tuple[dict[str, Any], int]:
        """What the model says, or why not, and what that cost."""
        try:
            async with asyncio.timeout(self._own.call_timeout):
                answer = read_answer(await self._own.ask(request))
        except TimeoutError:
            return {"failed": _TIMEOUT, "again": True, "wait": 0.0}, most
        except ModelFailed as failed:
            said = {"failed": failed.reason, "again": failed.again, "wait": failed.wait}
            return said, most if failed.billed else 0
        except HandlerError:
            raise
        except Exception as error:  # noqa: BLE001 - a model is anybody's code, and the contact waits
            return {"failed": type(error).__name__, "again": True, "wait": 0.0}, most
        prices = self._own.prices
        cost = most if prices is None or answer.tokens is None else prices.of(*answer.tokens)
        return {"text": answer.text, "calls": answer.calls, "cut": answer.is_cut}, cost

    def _request(self) -> dict[str, Any]:
        own = self._own
        told = own.instructions if isinstance(own.instructions, str) else own.instructions(self._dialog.turn)
        request: dict[str, Any] = {
            **own.settings,
            "model": own.model if isinstance(own.model, str) else own.name,
            "messages": [{"role": "system", "content": told}, *self._messages],
            "max_tokens": own.max_tokens,
        }
        return {**request, "tools": own.offers} if own.offers else request

    def _spending(self, most: int) -> Spending | None:
        turn = self._dialog.turn
        person = turn.contact.person
        whom = f"contact {person}" if person is not None else f"thread {_digest(repr(turn.thread))}"
        budgets = [*self._own.limits.budgets(self._own.name, whom)]
        return Spending(most=most, budgets=budgets) if budgets and most else None

    async def _use(self, name: str, arguments: str) -> str:
        """What a tool gives, or what the model has to know instead."""
        used = self._own.known.get(name)
        if used is None:
            return f"There is no tool {name}. There is: {', '.join(self._own.known) or 'none'}."
        try:
            values = used.read(arguments)
        except WrongArguments as wrong:
            return str(wrong)
        if used.confirm and (refusal := await self._refusal(used, values)) is not None:
            return refusal
        if used.progress is not None and not self._told:
            await self._tell(used.progress)
        return await self._result(used, values)

    async def _result(self, used: Tool, values: dict[str, Any]) -> str:
        turn = self._dialog.turn
        key = used.key_of((turn.thread, self._asked[0]), values)
        function = partial(used.function, **values, **({"turn": turn} if used.takes_turn else {}))
        try:
            result = await self._dialog.step(function, key=key, once=used.once, spending=self._spending(used.price))
        except HandlerError:
            raise
        except TimeoutError:
            return "It took too long, and may have happened all the same."
        except ValueError as error:
            return str(error) or "It failed."
        except Exception as error:  # noqa: BLE001 - the model answers all the same
            log.warning("assistant_tool_failed", handler=used.name, kind=type(error).__name__)
            return "It failed."
        self._take_room(result)
        return str(result)

    def _take_room(self, *texts: str) -> None:
        """Note what the dialog has to remember. Raises GaveUp when there is no room for more."""
        self._room -= sum(len(text.encode()) for text in texts)
        if self._room < 0:
            raise GaveUp("rounds")

    async def _refusal(self, used: Tool, values: dict[str, Any]) -> str | None:
        """Ask the contact; None: they confirm. NoAnswer ends the dialog."""
        own = self._own
        said = await self._dialog.ask(
            used.question(values), choices=[own.yes, own.no], parse=str, timeout=own.confirm_timeout
        )
        self._seconds = 0.0
        if said == own.yes:
            return None
        return "The contact refuses." if said == own.no else f"The contact did not confirm, and wrote: {said}"

    async def _tell(self, progress: str) -> None:
        """Say something that leaves at once; words that come before the work goes on are part of the question."""
        self._told = True
        try:
            said = await self._dialog.ask(progress, parse=str, timeout=0)
        except NoAnswer:
            return
        self._added.append(said)

    async def _give_up(self, reason: str) -> None:
        turn = self._dialog.turn
        log.warning("assistant_gave_up", account=turn.thread.account, reason=reason)
        reply = self._own.fallback(turn, reason)
        reply = await reply if inspect.isawaitable(reply) else reply
        if reply is not None:
            await self._dialog.say(reply)


def _as_call(call: dict[str, str]) -> dict[str, Any]:
    return {
        "id": call["id"],
        "type": "function",
        "function": {"name": call["name"], "arguments": call["arguments"]},
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
