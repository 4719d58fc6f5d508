"""Files that people write, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.errors import ConfigError, Problem

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST: Final = 1024 * 1024


def read_text(path: Path, *, missing: str) -> str:
    """The text of a file; `missing` is the reason where there is none. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise ConfigError([Problem(str(path), "", "larger than 1 MiB: this is no configuration")])
        return data.decode("utf-8-sig")
    except FileNotFoundError:
        reason = missing
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        reason = f"not UTF-8 text (byte {error.start})"
    raise ConfigError([Problem(str(path), "", reason)])


def not_toml(path: Path, error: Exception) -> ConfigError:
    """Why a text could not be read as TOML."""
    reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    return ConfigError([Problem(str(path), "", f"not TOML: {reason}")])
