"""What a conversation remembers: JSON under text keys, or a model of the bot author's laid over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson
from pydantic import AliasChoices, AliasPath, BaseModel, ValidationError

from bridge.errors import HandlerError
from bridge.own import lasting_name
from bridge.strict_json import not_json, trimmed

STATE_LIMIT: Final = 64 * 1024
"""Bytes of JSON that a thread's state may have."""

_UNREAD: Final[dict[str, Any]] = {}
"""In place of values that nobody has asked for yet."""
VERSIONS: Final = "$shapes"
"""The key of the versions of the models that wrote a state, by their names; version 1 is not noted."""


Migrate: TypeAlias = Callable[[dict[str, Any], int], Mapping[str, Any]]
"""Makes what an older version stored into what this one reads; called with the whole state and that version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateModel:
    """A model that a router's handlers see the state as. `version` climbs when `migrate` has something to do.

    What was stored before there was a model, or under another one, is version 0.
    """

    model: type[BaseModel]
    version: int = 1
    migrate: Migrate | None = None

    @property
    def name(self) -> str:
        """module:qualname of the model: how timers know it again."""
        return lasting_name(self.model)

    def read(self, values: dict[str, Any]) -> tuple[BaseModel, dict[str, Any]]:
        """The model, and the values that it was read from, migrated.

        Raises:
            HandlerError: they do not fit the model; nothing is lost, the turn fails.
        """
        name = self.model.__name__
        stored = values.get(VERSIONS, {}).get(name, 0 if values and self.migrate else self.version)
        if stored > self.version:
            raise HandlerError(f"the state was written by version {stored} of {name}; this is version {self.version}")
        if stored < self.version and self.migrate is not None:
            versions = values.get(VERSIONS)
            values = self._migrated({key: value for key, value in values.items() if key != VERSIONS}, stored)
            if versions:
                values[VERSIONS] = versions
        return self._validated(values), values

    def check(self, data: bytes) -> None:
        """Refuse what a turn is about to keep, if no later turn could read it. Raises HandlerError as `read`."""
        self._validated(orjson.loads(data))

    def _migrated(self, values: dict[str, Any], stored: int) -> dict[str, Any]:
        try:
            return dict(self.migrate(values, stored) if self.migrate is not None else values)
        except Exception as error:
            what = f"migrate= of {self.model.__name__} failed on what version {stored} stored"
            raise HandlerError(f"{what}: {type(error).__name__}: {error}") from error

    def _validated(self, values: Mapping[str, Any]) -> BaseModel:
        strict = self.model.model_config.get("extra") == "forbid"
        declared = {key for keys in read_keys(self.model).values() for key in keys}
        known = declared if strict else values.keys() - {VERSIONS}
        try:
            return self.model.model_validate({key: value for key, value in values.items() if key in known})
        except ValidationError as error:
            what = "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
            raise HandlerError(f"the state does not fit {self.model.__name__}: {what}") from None

    def write(self, model: BaseModel, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values with the model's laid over them: what others keep beside it stays."""
        try:
            # What was assigned is checked when it is kept; a warning would tell the log what somebody said.
            dumped = model.model_dump(mode="json", by_alias=True, exclude_computed_fields=True, warnings=False)
        except ValueError as error:
            raise HandlerError(f"the state cannot be kept: {self.model.__name__}: {error}") from None
        written = {**values, **dumped}
        if self.migrate is not None:
            written[VERSIONS] = {**values.get(VERSIONS, {}), self.model.__name__: self.version}
        return written


def read_keys(model: type[BaseModel]) -> dict[str, set[str]]:
    """The keys that each field of a model is read from."""
    by_name = model.model_config.get("populate_by_name") or model.model_config.get("validate_by_name")
    keys: dict[str, set[str]] = {}
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
        paths = [choice.path if isinstance(choice, AliasPath) else [choice] for choice in choices if choice is not None]
        keys[name] = {str(path[0]) for path in paths} | ({name} if by_name or not paths else set())
    return keys


class State(MutableMapping[str, Any]):
    """A thread's state in one turn: a plain mapping until the turn is over, read-only from then on."""

    __slots__ = ("_model", "_name", "_over", "_read", "_state_model", "_stored")

    def __init__(self, stored: bytes | dict[str, Any], *, name: str = "state") -> None:
        """Begin with what a thread stores (JSON), read at the first use; or with values, which are not copied.

        Errors call it by its `name`.
        """
        self._name = name
        self._stored: bytes | None
        self._read: dict[str, Any]
        self._stored, self._read = (stored, _UNREAD) if isinstance(stored, bytes) else (None, stored)
        self._state_model: StateModel | None = None
        self._model: BaseModel | None = None
        self._over = False

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - whatever the handler kept
        """What is kept under a key."""
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:  # noqa: ANN401 - the same
        """Keep something."""
        self._want_open()
        if key == VERSIONS:
            raise HandlerError(f"the key {VERSIONS} is taken: it says which versions of models wrote a state")
        self._values[key] = value

    def __delitem__(self, key: str) -> None:
        """Forget something."""
        self._want_open()
        del self._values[key]

    def __iter__(self) -> Iterator[str]:
        """The keys."""
        return iter(self._values)

    def __len__(self) -> int:
        """How many keys there are."""
        return len(self._values)

    def __repr__(self) -> str:
        """As the mapping it is."""
        return repr(self._values)

    @property
    def _values(self) -> dict[str, Any]:
        if self._stored is not None:
            self._read, self._stored = orjson.loads(self._stored), None
        return self._read

    @_values.setter
    def _values(self, values: dict[str, Any]) -> None:
        self._read, self._stored = values, None

    @property
    def seen(self) -> Any:  # noqa: ANN401 - a mapping, or the author's model
        """What a handler sees: the model, if there is one, else this mapping."""
        return self if self._model is None else self._model

    @property
    def model(self) -> str | None:
        """The name of the model that a handler sees, as `StateModel.name`; None: it sees this mapping."""
        return None if self._state_model is None else self._state_model.name

    def show_as(self, state_model: StateModel | None) -> None:
        """Show the state as a model from now on; None: as the mapping. Raises HandlerError as `StateModel.read`."""
        if state_model is self._state_model:
            return
        self._values = self.values_now()
        self._state_model, self._model = state_model, None
        if state_model is not None:
            self._model, self._values = state_model.read(self._values)

    def values_now(self) -> dict[str, Any]:
        """The values as they stand, the model's among them."""
        if self._state_model is None or self._model is None:
            return self._values
        return self._state_model.write(self._model, self._values)

    def become(self, values: dict[str, Any]) -> None:
        """Hold other values. A model stays the same object: every holder sees the new values."""
        if self._state_model is not None and self._model is not None:
            fresh, values = self._state_model.read(values)
            vars(self._model).update(vars(fresh))
            for slot in ("__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__"):
                object.__setattr__(self._model, slot, getattr(fresh, slot))
        self._values = values

    def encode(self) -> bytes:
        """As JSON; the values are looked at one by one, because orjson takes more than JSON gives back.

        Raises:
            HandlerError: it is not JSON or would come back as something else (the text names the key), does not fit
                its model, or is larger than 64 KiB.
        """
        if self._stored is not None:  # nobody looked: most turns of most bots
            return self._stored
        values = self.values_now()
        if problem := not_json(values, self._name, exact=True):
            raise HandlerError(problem)
        data = orjson.dumps(values)
        if len(data) > STATE_LIMIT:
            raise HandlerError(f"{self._name}: {len(data)} bytes of JSON, where {STATE_LIMIT} may be kept")
        if self._state_model is not None and self._model is not None:
            self._state_model.check(data)
        return trimmed(data)

    def close(self) -> None:
        """No more writes."""
        self._over = True

    def _want_open(self) -> None:
        if self._over:
            raise over()


def over() -> HandlerError:
    """The error for everything after the end of a turn."""
    return HandlerError("the turn is over: what is said or kept now would be lost; handlers finish before they return")
