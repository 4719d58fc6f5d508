"""[api]: the tokens of programs that use the REST API, and how often each may ask."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from bridge.providers.fields import HeaderSecret, Rate, Secret
from bridge.units import PerPeriod

Scope = Literal["read", "send", "operate"]
SCOPES: Final = frozenset(get_args(Scope))
STRONG: Final = 24
"""Bytes of a token that is not weak."""


def listed(value: object) -> object:
    """A list in the environment may be `one, two` as well as JSON."""
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


class Token(BaseModel):
    """A token: `secret` alone, or a table. Its `name` is in the audit, and is that of its variable or file.

    `scopes` are what it may do, and `accounts` whose conversations it may see: by default all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: HeaderSecret
    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z._ -]+$")] = "token"
    scopes: Annotated[frozenset[Scope], BeforeValidator(listed), Field(min_length=1)] = SCOPES
    accounts: Annotated[frozenset[str], BeforeValidator(listed), Field(min_length=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:  # noqa: ANN401 - whatever stood in the file
        """A text is a secret, and a secret without a name has that of where it is."""
        table = {"secret": value} if isinstance(value, str | SecretStr) else value
        if not isinstance(table, dict) or "name" in table or not isinstance(secret := table.get("secret"), str):
            return table
        kind, _, where = secret.partition(":")
        return {**table, "name": PurePath(where).name if kind == "file" else where or kind}

    @property
    def is_weak(self) -> bool:
        """Whether it may be guessed."""
        return len(self.secret.get_secret_value().encode()) < STRONG


class Api(BaseModel):
    """[api]: without `tokens` there is no REST API. Each may ask so often as `rate` says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: Annotated[
        tuple[Token, ...], BeforeValidator(listed, json_schema_input_type=tuple[Secret | Token, ...])
    ] = ()
    rate: Rate = PerPeriod(600, 60.0)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len({token.name for token in self.tokens}) < len(self.tokens):
            raise ValueError("two tokens have the same name, and the audit could not tell them apart")
        if len({token.secret.get_secret_value() for token in self.tokens}) < len(self.tokens):
            raise ValueError("two tokens have the same secret")
        return self
