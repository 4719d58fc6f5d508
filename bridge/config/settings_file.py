"""A settings file of a handler: TOML or YAML, checked against a pydantic model, its mistakes with their lines."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from pydantic import BaseModel, ValidationError

from bridge.config.files import not_toml, read_text
from bridge.config.problems import key_path, problems_of
from bridge.config.toml_lines import toml_lines
from bridge.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from bridge.config.problems import KeyPath

M = TypeVar("M", bound=BaseModel)

YAML: Final = frozenset({".yaml", ".yml"})
SUFFIXES: Final = frozenset({".toml", *YAML})


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile:
    """The values of a file. `read` one, `load` it as a model, and `refuse` what only its handler can judge."""

    path: Path
    values: Mapping[str, Any]
    _lines: Mapping[KeyPath, int] = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The values of a TOML or YAML file, by the end of its name.

        Raises:
            ConfigError: it cannot be read, or is neither.
        """
        text = read_text(path, missing="there is no such file")
        values, lines = _yaml(path, text) if path.suffix in YAML else _toml(path, text)
        if not isinstance(values, dict):
            raise ConfigError([Problem(str(path), "", "want keys with values, like name: value")])
        return cls(path=path, values=values, _lines=lines)

    def load(self, model: type[M]) -> M:
        """The values as a model. Raises ConfigError: with every mistake."""
        try:
            return model.model_validate(dict(self.values))
        except ValidationError as error:
            raise ConfigError(
                [self._problem(path, reason) for path, reason in problems_of(error, model, shown=True)]
            ) from None

    def refuse(self, mistakes: Iterable[tuple[KeyPath, str]]) -> None:
        """Nothing where there are no mistakes (path of the key, reason). Raises ConfigError: with each."""
        if problems := [self._problem(path, reason) for path, reason in mistakes]:
            raise ConfigError(problems)

    def _problem(self, path: KeyPath, reason: str) -> Problem:
        known = next((path[:end] for end in range(len(path), -1, -1) if path[:end] in self._lines), ())
        return Problem(f"{self.path}:{self._lines.get(known, 1)}", key_path(path), reason)


def _toml(path: Path, text: str) -> tuple[object, dict[KeyPath, int]]:
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise not_toml(path, error) from None
    return values, toml_lines(text)


def _yaml(path: Path, text: str) -> tuple[object, dict[KeyPath, int]]:
    """YAML 1.2, in which `no` is a word."""
    from ruamel.yaml import YAML as READER  # noqa: PLC0415 - few bots have a file of it
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415

    reader = READER(typ="safe", pure=True)
    try:
        root = reader.compose(text)
        values = {} if root is None else reader.constructor.construct_document(root)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        raise ConfigError([Problem(f"{path}:{line}", "", f"not YAML: {error.problem}")]) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise ConfigError([Problem(str(path), "", f"not YAML: {error}")]) from None
    lines: dict[KeyPath, int] = {}
    _note(root, (), lines, set())
    return values, lines


def _note(node: Any, path: KeyPath, lines: dict[KeyPath, int], seen: set[int]) -> None:  # noqa: ANN401 - a node of YAML
    """The lines below a node; what an alias repeats has them once."""
    if node is None or isinstance(node.value, str) or id(node) in seen:
        return
    seen.add(id(node))
    for index, item in enumerate(node.value):
        key, value = item if isinstance(item, tuple) else (None, item)
        place = (*path, index if key is None else str(key.value))
        lines[place] = (value if key is None else key).start_mark.line + 1
        _note(value, place, lines, seen)
