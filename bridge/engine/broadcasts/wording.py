"""What a broadcast says: a message with the names of columns in its texts, or one for each gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from bridge.conversation.catalogue import Phrase
from bridge.messages import decode_message
from bridge.providers.registry import provider_names
from bridge.strict_json import has_nul, not_json
from bridge.text.equal_text import is_blank

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from bridge.messages import Outgoing

DEFAULT: Final = "default"
"""The message of gateways without one of their own."""
_KIND: Final = "kind"


@dataclass(frozen=True, slots=True)
class Wording:
    """The messages of a broadcast, as JSON, by `PROVIDER:CHANNEL`, `PROVIDER` or DEFAULT."""

    messages: Mapping[str, Any]

    @classmethod
    def read(cls, content: object) -> Wording:
        """One message as JSON, or an object of several.

        Raises:
            ValueError: it is neither; the text says where and why.
        """
        if not isinstance(content, Mapping) or not content:
            raise ValueError("want a message as JSON, or an object with one for each gateway")
        if problem := not_json(content, "it") or ("it holds a NUL character" if has_nul(content) else ""):
            raise ValueError(problem)
        wording = cls({DEFAULT: content} if _KIND in content else {**content})
        for place, message in wording.messages.items():
            if place != DEFAULT and place.partition(":")[0] not in provider_names():
                names = ", ".join((DEFAULT, *provider_names()))
                raise ValueError(f"{place}: want one of {names}, or PROVIDER:CHANNEL")
            try:
                _filled(message, dict.fromkeys(_names(message), "x"))
            except ValueError as error:
                raise ValueError(str(error) if _KIND in content else f"{place}: {error}") from None
        return wording

    def check(self, columns: Collection[str]) -> None:
        """Raises ValueError: a message needs a column that is not among these."""
        for name in sorted({*_names(self.messages)} - {*columns}):
            raise ValueError(_missing(name, columns))

    def message(self, provider: str, channel: str, columns: Mapping[str, str]) -> Outgoing:
        """The message for one recipient.

        Raises:
            ValueError: no message is for the channel, a column is missing or blank, or it becomes none with these.
        """
        message = self._of(provider, channel)
        for name in sorted({*_names(message)}):
            if name not in columns:
                raise ValueError(_missing(name, columns))
            if is_blank(columns[name]):
                raise ValueError(f"the column {name} is blank, and the message needs it")
        return _filled(message, columns)

    def _of(self, provider: str, channel: str) -> object:
        for place in (f"{provider}:{channel}", provider, DEFAULT):
            if place in self.messages:
                return self.messages[place]
        raise ValueError(f"no message is for {provider}:{channel}, and none is the {DEFAULT}")


@lru_cache(maxsize=256)
def _phrase(text: str) -> Phrase:
    return Phrase.read(text)


def _missing(name: str, columns: Collection[str]) -> str:
    having = f"the columns are {', '.join(sorted(columns))}" if columns else "there are no columns"
    return f"the message needs the column {name}, and {having}"


def _names(message: object) -> Iterator[str]:
    match message:
        case str():
            yield from _phrase(message).names
        case Mapping():
            for value in message.values():
                yield from _names(value)
        case list() | tuple():
            for value in message:
                yield from _names(value)


def _filled(message: object, columns: Mapping[str, str]) -> Outgoing:
    return decode_message(_mapped(message, lambda text: _phrase(text).filled(columns)))


def _mapped(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401 - whatever JSON holds
    match value:
        case str():
            return change(value)
        case Mapping():
            return {key: _mapped(inner, change) for key, inner in value.items()}
        case list() | tuple():
            return [_mapped(inner, change) for inner in value]
        case _:
            return value
