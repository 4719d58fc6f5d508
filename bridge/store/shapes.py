"""Which fields the webhooks of an account have: names of keys only, so that a new one is noticed. No value is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.frozen import dataclass as record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SETTLED: Final = 100
"""Webhooks of an account after which a field that none of them had is new."""
_DEEPEST: Final = 8
_MOST: Final = 1000
"""Fields of one account that are known apart; beyond them nothing is new."""
_NAME: Final = re.compile(r"[A-Za-z_$@-][\w$@.-]{0,63}", re.ASCII)
_NUMBER: Final = re.compile(r"\d{4}|[0-9a-fA-F]{12}")


@record(frozen=True, slots=True, kw_only=True)
class RawWebhook:
    """What one webhook brought, as stored with an event of it. `received_at` is in microseconds."""

    id: int
    account: str
    received_at: int
    raw: bytes


@record(frozen=True, slots=True, kw_only=True)
class NewField:
    """A field that came up after so many webhooks of the account without it; it was in `seen` of those after that."""

    account: str
    path: str
    since: int
    seen: int
    after: int


@dataclass(slots=True)
class _Known:
    """Of one account, how many webhooks were looked at, and of each field after how many it came, when, how often."""

    webhooks: int = 0
    fields: dict[str, list[int]] = field(default_factory=dict)


def paths(value: object) -> set[str]:
    """The fields of a webhook, as paths like "message.media[].url"; a key that is an id is `*`."""
    return {*_paths(value, "", _DEEPEST)}


def _paths(value: object, at: str, depth: int) -> Iterator[str]:
    if not depth:
        return
    if isinstance(value, list):
        for item in value:
            yield from _paths(item, f"{at}[]", depth - 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            path = f"{at}.{_name(key)}".lstrip(".")
            yield path
            yield from _paths(item, path, depth - 1)


def _name(key: str) -> str:
    """The key, unless it looks like data: an id, a number, a person's words."""
    return key if _NAME.fullmatch(key) and not _NUMBER.search(key) else "*"


def new_fields(webhooks: Iterable[RawWebhook], documented: Iterable[tuple[str, str]] = ()) -> list[NewField]:
    """The fields that came up late, by account and time. `documented` are fields known beforehand, with the account."""
    known: dict[str, _Known] = {}
    expected = frozenset(documented)
    for webhook in sorted(webhooks, key=lambda webhook: webhook.id):
        of_account = known.setdefault(webhook.account, _Known())
        for path in paths(_read(webhook.raw)):
            if path in of_account.fields:
                of_account.fields[path][2] += 1
            elif len(of_account.fields) < _MOST:
                of_account.fields[path] = [of_account.webhooks, webhook.received_at, 1]
        of_account.webhooks += 1
    return [
        NewField(account=account, path=path, since=since, seen=seen, after=after)
        for account, of_account in sorted(known.items())
        for path, (after, since, seen) in sorted(of_account.fields.items(), key=lambda item: (item[1][1], item[0]))
        if after >= SETTLED and (account, path) not in expected
    ]


def _read(raw: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
