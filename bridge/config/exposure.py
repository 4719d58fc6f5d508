"""What a configuration exposes: doors for everybody, secrets that others can read, addresses that are no gateway's."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from bridge.config.accounts import keeps_secret, models_of
from bridge.providers.registry import PLAYGROUND
from bridge.units import Reach, is_loopback, reach_of

if TYPE_CHECKING:
    from bridge.config.accounts import Account
    from bridge.config.problems import KeyPath, Report
    from bridge.config.schema import FileSchema

_NAMES: Final = frozenset({"username"})
"""Keys of the type of secrets that two accounts may well have in common."""
_PUBLIC: Final = "whpk_"
LINK_LOCAL: Final = "a link-local address: no gateway has one, and cloud machines keep their own credentials there"


def check_exposure(sections: FileSchema, accounts: Mapping[str, Account], report: Report) -> None:
    """Report doors for everybody, secrets in two accounts, and addresses that are no gateway's."""
    if not is_loopback(sections.server.host):
        _check_doors(accounts, report)
    _check_shared(accounts, report)
    for path, url in urls_of(sections.server.public_url, accounts):
        reach = reach_of(urlsplit(url).hostname or "")
        if reach is Reach.LINK_LOCAL:
            report.problem(path, LINK_LOCAL)
        elif reach is Reach.PRIVATE:
            report.warn(path, "a private address")


def check_files(name: str, table: Mapping[str, Any], report: Report) -> None:
    """Warn of an account's secrets in files that every user of the machine may read."""
    own, inbound = models_of(table)
    within = table.get("inbound")
    tables = ((own, table, ()), (inbound, within if isinstance(within, Mapping) else {}, ("inbound",)))
    for model, values, below in tables:
        for key, value in values.items():
            if keeps_secret(model, str(key)) and any(map(_is_public, _files(value))):
                report.warn(("accounts", name, *below, key), "every user of this machine can read its file; chmod 600")


def urls_of(public_url: str | None, accounts: Mapping[str, Account]) -> Iterator[tuple[KeyPath, str]]:
    """The addresses that are meant for the outside, each with its key path."""
    if public_url is not None:
        yield ("server", "public_url"), public_url
    for name, account in accounts.items():
        if account.provider.base_url:
            yield ("accounts", name, "base_url"), account.provider.base_url


def _check_doors(accounts: Mapping[str, Account], report: Report) -> None:
    for name, account in accounts.items():
        if account.inbound is not None and account.inbound.auth == "none":
            report.problem(
                ("accounts", name, "inbound", "auth"), "none is only for a server.host on a loopback address"
            )
        if account.provider.name == PLAYGROUND:
            report.warn(("accounts", name), "the console is only served when server.host is a loopback address")


def _check_shared(accounts: Mapping[str, Account], report: Report) -> None:
    owners: dict[str, str] = {}
    for name, account in accounts.items():
        for key, text in _inbound_secrets(account):
            owner = owners.setdefault(text, name)
            if owner != name:
                report.warn(
                    ("accounts", name, "inbound", key), f"the secret of accounts.{owner} too: one leak opens both"
                )


def _inbound_secrets(account: Account) -> Iterator[tuple[str, str]]:
    for key in type(account.inbound).model_fields if account.inbound is not None else ():
        values = getattr(account.inbound, key)
        for value in values if isinstance(values, tuple) and key not in _NAMES else ():
            text = value.get_secret_value() if isinstance(value, SecretStr) else _PUBLIC
            if not text.startswith(_PUBLIC):
                yield key, text


def _files(value: object) -> Iterator[Path]:
    for item in value if isinstance(value, list | tuple) else (value,):
        if isinstance(item, str) and item.startswith("file:"):
            yield Path(item.removeprefix("file:"))


def _is_public(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False  # reading it has its own problem
