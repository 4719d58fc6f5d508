"""The file of an auto-responder: its tables and keys."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, RootModel, model_validator

from .hours import Hours

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic.json_schema import JsonSchemaValue

EVERY: Final = ""
"""The language of a text that is the same in all languages."""

Kind = Literal["text", "name", "email", "phone", "date", "number", "choice"]
Spoken = Annotated[str, Field(min_length=1, max_length=4000)]


class Table(BaseModel):
    """A table of the file: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Phrase(RootModel[dict[str, Spoken]]):
    """A text, or a table of texts by language."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _by_language(cls, value: object) -> object:
        if isinstance(value, str):
            return {EVERY: value}
        if not isinstance(value, dict) or not value:
            raise ValueError('want a text in quotes, or texts by language, like {en = "Hello", id = "Halo"}')
        return value

    @classmethod
    def __get_pydantic_json_schema__(cls, *_: object) -> JsonSchemaValue:
        return _either({"type": "string", "minLength": 1})

    def of(self, language: str, default: str) -> str:
        """The text in a language, else in the default one."""
        return self.root.get(language) or self.root.get(EVERY) or self.root[default]


class Words(RootModel[dict[str, tuple[Spoken, ...]]]):
    """Words, or a table of words by language."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _by_language(cls, value: object) -> object:
        if isinstance(value, str | list | tuple):
            value = {EVERY: value}
        if not isinstance(value, dict):
            raise ValueError('want words, like ["price", "cost"], or words by language')  # noqa: TRY004 - for pydantic
        return {language: [words] if isinstance(words, str) else words for language, words in value.items()}

    @classmethod
    def __get_pydantic_json_schema__(cls, *_: object) -> JsonSchemaValue:
        text = {"type": "string", "minLength": 1}
        return _either({"anyOf": [text, {"type": "array", "items": text}]})

    def each(self) -> Iterator[tuple[str, str]]:
        """Every word with its language."""
        return ((language, word) for language, words in self.root.items() for word in words)


def _either(form: dict[str, Any]) -> JsonSchemaValue:
    return {"anyOf": [form, {"type": "object", "minProperties": 1, "additionalProperties": form}]}


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("there is no such time zone; want a name like Asia/Jakarta") from None


Zone = Annotated[str, AfterValidator(_zone)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,39}$")]
FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class Question(Table):
    """One question of `ask`: its answer is checked by `kind`, and kept as the contact's `field`.

    `again` is said after an answer that does not fit. With `once`, a contact whose field is known is not asked.
    """

    field: FieldName
    text: Phrase
    kind: Kind = "text"
    again: Phrase | None = None
    choices: tuple[Phrase, ...] = ()
    min: float | None = None
    max: float | None = None
    must: Literal["future", "past", "open"] | None = None
    once: bool = False


class Reply(Table):
    """What is said (`text`, `buttons`), when (`words`, `like`, `regex`), and what follows (`ask`, `handoff`, `then`).

    `words` are looked for in the message, `like` is compared as a whole and may be misspelt. `closed` is said in place
    of `text` outside of the hours. `done` is said when the last question is answered.
    """

    title: Phrase | None = None
    words: Words = Words({})
    like: Words = Words({})
    regex: str | None = None
    text: Phrase | None = None
    closed: Phrase | None = None
    buttons: tuple[Name, ...] = ()
    faq: bool = False
    ask: tuple[Question, ...] = ()
    done: Phrase | None = None
    handoff: Phrase | None = None
    language: Language | None = None
    then: Name | None = None


class Faq(Table):
    """A question with its answer: the question finds it, also misspelt, and so do `words`. `title` is for lists."""

    question: Phrase
    answer: Phrase
    title: Phrase | None = None
    words: Words = Words({})

    @property
    def name(self) -> str:
        """The name of its reply, the same wherever it stands in the file."""
        question = next(iter(self.question.root.values()))
        return f"faq-{hashlib.sha256(question.encode()).hexdigest()[:8]}"

    @property
    def reply(self) -> Reply:
        """As a reply."""
        like = Words({language: (text,) for language, text in self.question.root.items()})
        return Reply(title=self.title or self.question, like=like, words=self.words, text=self.answer)


class Greeting(Table):
    """Said once to each contact, before the first answer. `then` follows where there is no other answer."""

    text: Phrase
    then: Name | None = None


class Fallback(Table):
    """Said where nothing matches; after `misses` of them in a row, the reply `then` is said in its place."""

    text: Phrase
    misses: Annotated[int, Field(ge=1, le=10)] = 2
    then: Name | None = None


class Asking(Table):
    """How questions are asked: words that `cancel` them, `tries` for each, and the hours until they are forgotten."""

    cancel: Words = Words({EVERY: ("cancel",)})
    tries: Annotated[int, Field(ge=1, le=10)] = 3
    hours: Annotated[float, Field(gt=0, le=24 * 30)] = 24


class Consent(Table):
    """Words by which a contact opts out of messages, and in again; `confirm` is said once."""

    stop: Words
    start: Words = Words({})
    confirm: Phrase | None = None


class Replies(Table):
    """The whole file."""

    languages: Annotated[tuple[Language, ...], Field(min_length=1)] = ("en",)
    timezone: Zone = "UTC"
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    similarity: Annotated[int, Field(ge=50, le=100)] = 85
    hours: Hours | None = None
    values: dict[FieldName, Phrase] = {}
    greeting: Greeting | None = None
    away: Phrase | None = None
    fallback: Fallback | None = None
    asking: Asking = Asking()
    consent: Consent | None = None
    phrases: dict[str, Phrase] = {}
    replies: dict[Name, Reply]
    faq: tuple[Faq, ...] = ()

    @property
    def default(self) -> str:
        """The language of last resort."""
        return self.languages[0]

    @cached_property
    def all(self) -> Mapping[str, Reply]:
        """Every reply by name, those of the questions and answers too."""
        return {**self.replies, **{entry.name: entry.reply for entry in self.faq}}

    @cached_property
    def questions(self) -> Mapping[str, Question]:
        """Every question by its field."""
        return {question.field: question for reply in self.replies.values() for question in reply.ask}


def walk(value: object, path: tuple[int | str, ...] = ()) -> Iterator[tuple[tuple[int | str, ...], object]]:
    """Each model and text of the file, with its place."""
    if isinstance(value, BaseModel):
        yield path, value
    if isinstance(value, Table):
        for name in type(value).model_fields:
            yield from walk(getattr(value, name), (*path, name))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from walk(item, (*path, key))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from walk(item, (*path, index))
