"""The types of a bot author's functions, by what they are for: only type checkers look at them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar

from bridge.events import Echo, Message, Postback, Status, Unrecognised
from bridge.keys import Key
from bridge.middleware import CallNext
from bridge.turn import Reply, Turn

Said: TypeAlias = "Reply | Turn | None"
Answer: TypeAlias = "Said | Awaitable[Said]"
"""What a handler returns."""

OnMessage = TypeVar("OnMessage", bound=Callable[Concatenate[Turn[Message], ...], Answer])
OnPostback = TypeVar("OnPostback", bound=Callable[Concatenate[Turn[Postback], ...], Answer])
OnStatus = TypeVar("OnStatus", bound=Callable[Concatenate[Turn[Status], ...], Answer])
OnEcho = TypeVar("OnEcho", bound=Callable[Concatenate[Turn[Echo], ...], Answer])
OnUnrecognised = TypeVar("OnUnrecognised", bound=Callable[Concatenate[Turn[Unrecognised], ...], Answer])
OnAnything = TypeVar("OnAnything", bound=Callable[Concatenate[Turn[Message | Postback], ...], Answer])
Around = TypeVar("Around", bound=Callable[Concatenate[Turn, CallNext, ...], Awaitable[Said]])

K_co = TypeVar("K_co", bound=Key, covariant=True)
X_co = TypeVar("X_co", bound=Exception, covariant=True)
R = TypeVar("R", bound=Answer)
P = ParamSpec("P")


class OnKey(Protocol[K_co]):
    """Takes a handler whose second parameter is a key; what it hands back may stand under other rules as well."""

    def __call__(self, function: Callable[Concatenate[Turn[Postback], K_co, P], R], /) -> Callable[..., R]:
        """The same function."""
        ...


class OnError(Protocol[X_co]):
    """Takes a handler of errors of one class."""

    def __call__(self, function: Callable[Concatenate[Turn, X_co, P], R], /) -> Callable[..., R]:
        """The same function."""
        ...
