"""What may be fetched: links that lead to the public internet, or to the account's own gateway; nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from yarl import URL

from bridge.engine.delivery.public import is_public

ONCE: Final = 1
"""Tries of a link that cannot get better."""
FEW: Final = 4
"""Tries of a link that a gateway may have told of too early."""
MANY: Final = 1000
"""Tries of a link whose server is away; time ends them."""
_LONGEST: Final = 8192
_HTTPS: Final = 443
_NUMBER: Final = re.compile(r"(?:^|\.)(?:0x[0-9a-f]*|[0-9]+)\.?$", re.IGNORECASE)
"""How an address ends that somebody may read as one, in whatever notation; a name never does."""


class FetchFailed(Exception):
    """A link gave no medium. It is tried `tries` times in all, and not before `retry_after` seconds."""

    def __init__(self, reason: str, tries: int = ONCE, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.tries = tries
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Link:
    """A link that may be fetched; `is_own`: from the account's own gateway, wherever that is."""

    url: URL
    is_own: bool


def checked(url: str, base_url: str) -> Link:
    """A link of an account whose gateway is at `base_url`.

    Raises:
        FetchFailed: it is no link that may be fetched.
    """
    if len(url) > _LONGEST or not url.isascii() or not url.isprintable() or set(url) & set(' \\"<>^`{|}'):
        raise FetchFailed("the link is no URL")
    try:
        parsed = URL(url, encoded=True)
        origin, host = (parsed.scheme, parsed.host, parsed.port), parsed.host
        has_login = parsed.user is not None or parsed.password is not None
    except ValueError:
        raise FetchFailed("the link is no URL") from None
    if host is None or parsed.scheme not in {"http", "https"}:
        raise FetchFailed("the link is no https URL")
    if has_login:
        raise FetchFailed("the link names a user")
    if base_url and origin == _origin(base_url):
        return Link(parsed, is_own=True)
    if parsed.scheme != "https":
        raise FetchFailed("the link is no https URL")
    if parsed.port != _HTTPS:
        raise FetchFailed("the link leads to another port than 443")
    if not _is_public_host(host):
        raise FetchFailed("the link leads to no public address")
    return Link(parsed, is_own=False)


def redirected(link: Link, location: str, base_url: str) -> Link:
    """Where a redirect leads. Raises FetchFailed for any other origin."""
    try:
        target = link.url.join(URL(location, encoded=True))
    except ValueError:
        raise FetchFailed("the link redirects to no URL") from None
    if (target.scheme, target.host, target.port) != (link.url.scheme, link.url.host, link.url.port):
        raise FetchFailed("the link redirects elsewhere, which is never followed")
    return checked(str(target), base_url)


def _origin(base_url: str) -> tuple[str, str | None, int | None]:
    url = URL(base_url)
    return url.scheme, url.host, url.port


def _is_public_host(host: str) -> bool:
    """Whether a host is a public address, or a name whose addresses are to be seen."""
    if ":" in host or "%" in host or _NUMBER.search(host):
        return is_public(host)
    return host.rstrip(".").rpartition(".")[2] != "localhost"
