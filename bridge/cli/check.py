"""`threadbridge check`: problems in the configuration, the handlers and the store."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from bridge.app.fitness import misfits
from bridge.cli.output import CONFIGURATION, DEFAULT, ConfigFile, leave, say
from bridge.clock import SystemClock
from bridge.config.exposure import urls_of
from bridge.config.load import load_config
from bridge.config.migrations import KEY, read_migrations
from bridge.config.problems import key_path
from bridge.config.texts import read_texts
from bridge.errors import ConfigError, HandlerError, Problem, StoreError, Unavailable
from bridge.providers.optional import WarnsOfSettings
from bridge.routing.loading import load_routers
from bridge.routing.router import combine, rulebook_of
from bridge.store.migrations import differences
from bridge.store.opening import open_reader
from bridge.units import Reach, reach_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from bridge.config.load import Config

_RESOLVE_SECONDS: Final = 2.0
_ELSEWHERE: Final = {
    Reach.LOOPBACK: "this machine",
    Reach.LINK_LOCAL: "a link-local address",
    Reach.PRIVATE: "a private address",
}
_FLEETING = frozenset({"tmpfs", "ramfs"})
_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"})


def check(config: ConfigFile = DEFAULT) -> None:
    """Check the configuration, the handlers and the store without starting them.

    Prints one line for each problem (file: key: reason) and exits with 78. Without problems it prints "ok" and exits
    with 0. Warnings do not change the exit code. The check takes no lock, and works while the bridge runs. It asks no
    gateway, and looks up the names of base URLs for two seconds at most.

    Example: `threadbridge check -c shop/threadbridge.toml && systemctl restart threadbridge`
    """
    problems, ok = examined(config)
    _finish(problems, ok)


def examined(config: Path) -> tuple[list[Problem], str]:
    """What is wrong with a configuration, its handlers and its store; and what there is, in a line."""
    try:
        read = load_config(config)
    except ConfigError as error:
        return error.problems, ""
    handlers, handler_problems = _handlers(read)
    languages, text_problems = _texts(read)
    warnings = [*read.warnings, *_tokens(read), *_settings(read), *_names(read)]
    problems = [*warnings, *handler_problems, *text_problems]
    for part in read.by_database():
        problems += _store(part)
    if not handlers and not handler_problems:
        reason = "no handler: `run` answers nobody; an application that embeds the bridge gives its own to create_app"
        problems.append(Problem(read.file, "handlers.load", reason, warning=True))
    if not read.accounts:
        problems.append(
            Problem(read.file, "accounts", "no account is configured, so no webhook can arrive", warning=True)
        )
    counted = [_count(len(read.accounts), "account"), _count(handlers, "handler")]
    if read.events.webhooks:
        counted.append(_count(len(read.events.webhooks), "follower"))
    if languages:
        counted.append(_count(languages, "language"))
    if read.storage.keys:
        counted.append(f"encrypted under the key {read.storage.keys[0].id}")
    return problems, f"ok: {', '.join(counted)}"


def _finish(problems: list[Problem], ok: str) -> None:
    for problem in problems:
        say(str(problem))
    if not all(problem.warning for problem in problems):
        leave(CONFIGURATION)
    say(ok)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _tokens(config: Config) -> list[Problem]:
    """Warnings about tokens that expire soon."""
    now = SystemClock().now()
    warnings = [
        (name, account.warns.token_warning(now))
        for name, account in config.accounts.items()
        if account.warns is not None
    ]
    return [Problem(config.file, f"accounts.{name}.token", why, warning=True) for name, why in warnings if why]


def _settings(config: Config) -> list[Problem]:
    """Warnings about settings that are valid and yet surprise."""
    return [
        Problem(config.file, f"accounts.{name}.{key}", why, warning=True)
        for name, account in config.accounts.items()
        if isinstance(account.provider, WarnsOfSettings)
        for key, why in account.provider.setting_warnings().items()
    ]


def _names(config: Config) -> list[Problem]:
    """Warnings about host names behind which there is no gateway, as far as they resolve soon."""
    urls = {
        key_path(path): urlsplit(url).hostname or "" for path, url in urls_of(config.server.public_url, config.accounts)
    }
    followers = {
        key_path(("events", "webhooks", number, "url")): urlsplit(webhook.url.get_secret_value()).hostname or ""
        for number, webhook in enumerate(config.events.webhooks)
        if not webhook.is_written_out
    }
    names = {host for host in (*urls.values(), *followers.values()) if reach_of(host) is None}
    reaches = resolved(names)
    return [
        Problem(config.file, key, f"{host} resolves to {_ELSEWHERE[reach]}{more}", warning=True)
        for hosts, more in ((urls, ""), (followers, "; events go there only with `private = true`"))
        for key, host in hosts.items()
        if (reach := reaches.get(host)) in _ELSEWHERE
    ]


def resolved(names: Collection[str], seconds: float = _RESOLVE_SECONDS) -> dict[str, Reach]:
    """Who can be reached at each name: the worst of its addresses. Names that do not resolve in time are left out."""
    reaches: dict[str, Reach] = {}

    def resolve(name: str) -> None:
        with suppress(OSError, UnicodeError):
            addresses = {str(info[4][0]) for info in socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM)}
            for reach in filter(None, map(reach_of, addresses)):
                if name not in reaches or reach.value < reaches[name].value:
                    reaches[name] = reach

    threads = [threading.Thread(target=resolve, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    until = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return dict(reaches)


def _handlers(config: Config) -> tuple[int, list[Problem]]:
    try:
        routers = load_routers(config.handlers_to_load(), config.folder, file=config.file)
        router = combine(routers)
        return len(rulebook_of(router).handlers()), misfits(config, router)
    except ConfigError as error:
        return 0, error.problems
    except HandlerError as error:
        return 0, [Problem(config.file, "handlers.load", str(error))]


def _texts(config: Config) -> tuple[int, list[Problem]]:
    """The number of languages, and what is wrong with their texts."""
    try:
        catalogue = read_texts(config)
    except ConfigError as error:
        return 0, error.problems
    return len(catalogue.languages), catalogue.problems()


def _store(config: Config) -> list[Problem]:
    """Problems that keep the store from opening, and warnings about its filesystem."""
    database = config.storage.file
    if database is None:
        return _server(config)
    reason = _unusable(database)
    problems: list[Problem] = []
    try:
        if reason is None and database.exists():
            problems += asyncio.run(_look_inside(config))
        else:
            read_migrations(config)
    except StoreError as error:
        reason = str(error)
    except ConfigError as error:
        problems += error.problems
    if reason is not None:
        return [*problems, Problem(config.file, "storage.url", reason)]
    return problems + _place(config, database)


def _place(config: Config, database: Path) -> list[Problem]:
    """Warnings about where a database is."""
    warnings = []
    if database.exists() and _is_public(database):
        warnings.append(_warning(config, f"every user of this machine can read {database}; chmod 700 its folder"))
    kind = filesystem(database.parent)
    if kind in _FLEETING:
        reason = f"{database.parent} is on {kind}: a restart of the machine deletes everything in it"
        warnings.append(_warning(config, reason))
    if kind in _REMOTE:
        reason = f"{database.parent} is on {kind}, whose locks SQLite cannot rely on; use a local disk"
        warnings.append(_warning(config, reason))
    return warnings


def _server(config: Config) -> list[Problem]:
    """Why the store cannot be looked into; one that is away, or not made yet, may be there later."""
    try:
        return asyncio.run(_look_inside(config))
    except ConfigError as error:
        return error.problems
    except Unavailable as error:
        return [_warning(config, str(error))]
    except StoreError as error:
        return [Problem(config.file, "storage.url", str(error))]


def _is_public(database: Path) -> bool:
    """Whether others may read the file, and reach it through its folder."""
    return bool(database.stat().st_mode & stat.S_IROTH and database.parent.stat().st_mode & stat.S_IXOTH)


def _warning(config: Config, reason: str) -> Problem:
    return Problem(config.file, "storage.url", reason, warning=True)


def _unusable(database: Path) -> str | None:
    if not database.parent.is_dir():
        return f"the folder {database.parent} does not exist"
    if not os.access(database.parent, os.W_OK | os.X_OK):
        return f"the folder {database.parent} cannot be written to"
    if database.exists() and not database.is_file():
        return f"{database} is not a file"
    if database.exists() and not os.access(database, os.R_OK | os.W_OK):
        return f"{database} cannot be read and written"
    return None


async def _look_inside(config: Config) -> list[Problem]:
    """Whether the store can be read, and what is wrong with the migrations of the bot's own tables."""
    migrations = read_migrations(config)
    store = await open_reader(config.storage.url, config.storage.keys)
    try:
        await store.counts()
        applied = await store.migrations() if config.storage.migrations is not None else []
    finally:
        await store.close()
    return [Problem(config.file, KEY, reason) for reason in differences(migrations, applied)]


def filesystem(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """The type of the filesystem that holds a folder ("ext4", "tmpfs"), or "" where the system does not say."""
    try:
        lines = mounts.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    deepest, kind = "", ""
    for line in lines:
        _, mounted, name, *_ = line.split(" ")
        mounted = mounted.encode().decode("unicode_escape")  # a space in a path is written as \040
        if folder.resolve().is_relative_to(mounted) and len(mounted) >= len(deepest):
            deepest, kind = mounted, name
    return kind
