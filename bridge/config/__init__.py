"""The configuration: threadbridge.toml and the environment, checked as a whole, one line per problem."""

from __future__ import annotations

from bridge.config.accounts import Account
from bridge.config.load import DEFAULT_FILE, Config, as_config, load_config, read_file
from bridge.config.schema import Delivery, Guard, Handlers, Limits, Log, Server, Storage

__all__ = [
    "DEFAULT_FILE",
    "Account",
    "Config",
    "Delivery",
    "Guard",
    "Handlers",
    "Limits",
    "Log",
    "Server",
    "Storage",
    "as_config",
    "load_config",
    "read_file",
]
