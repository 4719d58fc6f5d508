"""The types configuration is written in: secrets, durations, sizes, rates, URLs."""

from __future__ import annotations

import os
import re
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from bridge.providers.secret_texts import text_of_file, without_wrapping
from bridge.units import PerPeriod, is_loopback, read_seconds

_SIZES: Final = {"B": 1, "kB": 1000, "KB": 1000, "KiB": 1024, "MB": 1000**2, "MiB": 1024**2}
_PERIODS: Final = {"s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def read_secret(value: Any) -> Any:  # noqa: ANN401 - whatever stood in the file
    """`env:NAME` or `file:PATH` to what is behind it; a secret written out is refused."""
    if isinstance(value, SecretStr):
        return value
    kind, _, where = value.partition(":") if isinstance(value, str) else ("", "", "")
    if kind == "env" and where:
        value = os.environ.get(where)
        if value is None:
            message = f"the environment variable {where} is not set"
            raise ValueError(message)
        return SecretStr(without_wrapping(value, f"the environment variable {where}"))
    if kind == "file" and where:
        return SecretStr(text_of_file(where))
    if kind in {"env", "file"}:
        message = f"names no {'environment variable' if kind == 'env' else 'file'} after the colon"
        raise ValueError(message)
    message = 'a secret is never written here; use "env:NAME" or "file:PATH"'
    raise ValueError(message)


def read_size(value: Any) -> Any:  # noqa: ANN401 - whatever stood in the file
    """`"256KiB"`, `"1MiB"`, `"500kB"` or a number of bytes."""
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+)\s*(B|kB|KB|KiB|MB|MiB)?", value.strip())
        value = int(match[1]) * _SIZES[match[2] or "B"] if match else None
    if isinstance(value, bool) or not isinstance(value, int):
        message = f"a size is a whole number with one of {', '.join(_SIZES)}, like 256KiB"
        raise ValueError(message)  # noqa: TRY004 - pydantic collects ValueErrors
    return value


def read_rate(value: Any) -> Any:  # noqa: ANN401 - whatever stood in the file
    """`"100/min"`: so many in a second, minute, hour or day."""
    if isinstance(value, PerPeriod):
        return value
    match = re.fullmatch(r"(\d+)\s*/\s*(s|sec|min|h|d)", value.strip()) if isinstance(value, str) else None
    if not match or not int(match[1]):
        message = "a rate is written like 100/min (s, min, h or d)"
        raise ValueError(message)
    return PerPeriod(int(match[1]), _PERIODS[match[2]])


def read_base_url(value: Any) -> Any:  # noqa: ANN401 - whatever stood in the file
    """An https URL (http on a loopback address), without credentials or query, without its last slash."""
    if not isinstance(value, str):
        return value
    try:
        parts = urlsplit(value.strip())
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if parts.scheme not in {"http", "https"} or not host:
        message = "not a URL; it looks like https://host/path"
        raise ValueError(message)
    if parts.username or parts.password or parts.query or parts.fragment:
        message = "a base URL has no credentials, query or fragment"
        raise ValueError(message)
    if parts.scheme == "http" and not is_loopback(host):
        message = "http is only for loopback addresses; use https"
        raise ValueError(message)
    return value.strip().rstrip("/")


def for_a_header(secret: SecretStr) -> SecretStr:
    """The secret, if it can stand in a header's value; a file with more than one line is the usual mistake."""
    if not secret.get_secret_value().isprintable():
        message = "it goes into a header and holds a control character"
        raise ValueError(message)
    return secret


_Reference = Annotated[str, Field(pattern=r"^(env|file):.")]
_Duration = Annotated[str, Field(pattern=r"^\s*[0-9]+(\.[0-9]+)?\s*(ms|s|min|h|d)?\s*$")]
_Bytes = Annotated[str, Field(pattern=r"^\s*[0-9]+\s*(B|kB|KB|KiB|MB|MiB)?\s*$")]
_Frequency = Annotated[str, Field(pattern=r"^\s*[0-9]+\s*/\s*(s|sec|min|h|d)\s*$")]
# `json_schema_input_type` is how it is written, for editors: the JSON Schema of threadbridge.toml.
Secret = Annotated[SecretStr, BeforeValidator(read_secret, json_schema_input_type=_Reference)]
HeaderSecret = Annotated[Secret, AfterValidator(for_a_header)]
Seconds = Annotated[float, BeforeValidator(read_seconds, json_schema_input_type=float | _Duration)]
Size = Annotated[int, BeforeValidator(read_size, json_schema_input_type=int | _Bytes)]
Rate = Annotated[PerPeriod, BeforeValidator(read_rate, json_schema_input_type=_Frequency)]
BaseUrl = Annotated[str, BeforeValidator(read_base_url)]
