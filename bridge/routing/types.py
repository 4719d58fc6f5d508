"""Types of a bot author's functions, for type checkers only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar

from bridge.conversation.turn import Reply, Turn
from bridge.events import Echo, Event, Job, Message, Postback, Status, Unrecognised
from bridge.keys import Key
from bridge.routing.middleware import CallNext

if TYPE_CHECKING:
    from bridge.conversation.dialog import Dialog

Result: TypeAlias = "Reply | Turn[Any, Any] | None"
Answer: TypeAlias = "Result | Awaitable[Result]"
"""The return value of a handler, sync or async."""

OnMessage = TypeVar("OnMessage", bound=Callable[Concatenate[Turn[Message, Any], ...], Answer])
OnPostback = TypeVar("OnPostback", bound=Callable[Concatenate[Turn[Postback, Any], ...], Answer])
OnStatus = TypeVar("OnStatus", bound=Callable[Concatenate[Turn[Status, Any], ...], Answer])
OnEcho = TypeVar("OnEcho", bound=Callable[Concatenate[Turn[Echo, Any], ...], Answer])
OnUnrecognised = TypeVar("OnUnrecognised", bound=Callable[Concatenate[Turn[Unrecognised, Any], ...], Answer])
OnAnything = TypeVar("OnAnything", bound=Callable[Concatenate[Turn[Message | Postback, Any], ...], Answer])
OnJob = TypeVar("OnJob", bound=Callable[Concatenate[Turn[Job, Any], ...], Answer])
OnDialog = TypeVar("OnDialog", bound="Callable[Concatenate[Dialog, ...], Awaitable[Result]]")
Around = TypeVar("Around", bound=Callable[Concatenate[Turn[Event, Any], CallNext, ...], Awaitable[Result]])

E_co = TypeVar("E_co", bound=Event, covariant=True)
K_co = TypeVar("K_co", bound=Key, covariant=True)
X_co = TypeVar("X_co", bound=Exception, covariant=True)
R = TypeVar("R", bound=Answer)
P = ParamSpec("P")


class OnEvent(Protocol[E_co]):
    """Takes a handler of events of one class. The result can have other rules as well."""

    def __call__(self, function: Callable[Concatenate[Turn[E_co, Any], P], R], /) -> Callable[..., R]:
        """The same function."""
        ...


class OnKey(Protocol[K_co]):
    """Takes a handler with a key as second parameter. The result can have other rules as well."""

    def __call__(self, function: Callable[Concatenate[Turn[Postback, Any], K_co, P], R], /) -> Callable[..., R]:
        """The same function."""
        ...


class OnError(Protocol[X_co]):
    """Takes a handler of errors of one class."""

    def __call__(self, function: Callable[Concatenate[Turn[Event, Any], X_co, P], R], /) -> Callable[..., R]:
        """The same function."""
        ...
