"""From where the console may be asked: its own pages alone may change anything, and over HTTPS or on this machine."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from bridge.units import is_loopback
from bridge.web.api.problems import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.web.operator.sessions import Session

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""On every answer."""
SAFE: Final = frozenset({hdrs.METH_GET, hdrs.METH_HEAD})
COOKIE: Final = "threadbridge"
SECURE_COOKIE: Final = "__Host-threadbridge"
CSRF_HEADER: Final = "X-CSRF-Token"
CSRF_FIELD: Final = "csrf"
_OWN: Final = frozenset({"same-origin", "none"})
_ELSEWHERE: Final = "only the console's own pages may do this: open it over HTTPS, or on the machine where it runs"


def check_origin(request: web.Request, public_url: str | None) -> None:
    """Refuse what another page asks for. Raises Refusal.

    Browsers tell by Sec-Fetch-Site, though only to HTTPS and to this machine; else the Origin has to be ours. One by
    plain HTTP on another machine is not: whoever is on the way reads the password, and changes the page.
    """
    site = request.headers.getall("Sec-Fetch-Site", ())
    if site and not (len(site) == 1 and site[0] in _OWN):
        raise Refusal(403, _ELSEWHERE)
    if site:
        return
    origins = request.headers.getall(hdrs.ORIGIN, ())
    own = {f"https://{_host(request)}"}
    if is_loopback(_name(_host(request))):
        own.add(f"http://{_host(request)}")
    if public_url is not None:
        own.add(f"https://{urlsplit(public_url).netloc}".lower())
    if len(origins) != 1 or origins[0].lower() not in own:
        raise Refusal(403, _ELSEWHERE)


def check_csrf(session: Session, given: str) -> None:
    """Refuse a form that was not made for this session. Raises Refusal."""
    if not hmac.compare_digest(session.csrf.encode(), given.encode("utf-8", "surrogatepass")):
        raise Refusal(403, "the form is none of this session: reload the page")


def is_secure(request: web.Request) -> bool:
    """Whether the way to the browser is HTTPS; a name of this machine, without a word of a proxy, is plain HTTP.

    A cookie is for HTTPS unless this is certain: then browsers would not keep it.
    """
    if request.headers.get(hdrs.X_FORWARDED_PROTO, "").lower() == "https":
        return True
    return not is_loopback(_name(_host(request)))


def token_of(request: web.Request) -> str:
    """The token of the session's cookie, else ""."""
    return request.cookies.get(SECURE_COOKIE if is_secure(request) else COOKIE, "")


def set_token(request: web.Request, response: web.StreamResponse, token: str) -> None:
    """Give the browser a session's token; "" takes it back."""
    secure = is_secure(request)
    name = SECURE_COOKIE if secure else COOKIE
    if token:
        response.set_cookie(name, token, path="/", secure=secure, httponly=True, samesite="Strict")
    else:
        response.del_cookie(name, path="/", secure=secure, httponly=True, samesite="Strict")


def _host(request: web.Request) -> str:
    return request.headers.get(hdrs.HOST, "").lower()


def _name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
