"""The routes of the console: who asks, whether they may, and the page."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote

from aiohttp import hdrs, web
from multidict import MultiDict

from bridge.web.api.problems import TOLD, Refusal, refusal_of
from bridge.web.console.guard import check_host, check_peer
from bridge.web.limits import read_raw
from bridge.web.operator.access import Passwords, Tries
from bridge.web.operator.assets import assets
from bridge.web.operator.entry import LANGUAGE_COOKIE, Entry
from bridge.web.operator.guard import CSRF_FIELD, CSRF_HEADER, HEADERS, SAFE, check_csrf, check_origin, token_of
from bridge.web.operator.page import Ask
from bridge.web.operator.pages import NAVIGATION, PAGES
from bridge.web.operator.sessions import Session, Sessions
from bridge.web.operator.texts import Texts, language_of
from bridge.web.refusals import log_refusal, phrase_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from multidict import MultiMapping

    from bridge.clock import Clock
    from bridge.config.load import Config
    from bridge.web.api.backend import Backends
    from bridge.web.operator.figures import Figures
    from bridge.web.operator.live import Live
    from bridge.web.operator.page import Page

PREFIX: Final = "/console"
BODY_LIMIT: Final = 64 * 1024
"""Bytes of one form."""
_FORM: Final = "application/x-www-form-urlencoded"
_FIELDS: Final = 1000
_LIVE: Final = "X-Live"
"""The header of what a page asks for by itself: no person did anything by it."""


def add_operator(
    app: web.Application,
    config: Config,
    backends: Backends,
    clock: Clock,
    live: Live,
    figures: Figures,
    *,
    peer_of: Callable[[web.BaseRequest], str | None],
    hosts: frozenset[str],
    serves_playground: bool,
) -> None:
    """Serve the console below /console.

    Where `config.console_is_open` it asks nobody for a password, and answers only this machine under one of `hosts`.
    """
    desk = _Desk(config, backends, clock, live, figures, peer_of, hosts, serves_playground)
    for page in (*desk.entry.pages(), *PAGES):
        app.router.add_route(page.method, f"{PREFIX}{page.path}", desk.route(page))
    app.router.add_get(f"{PREFIX}/assets/{{name}}", _asset, allow_head=False)
    if not serves_playground:
        app.router.add_get(PREFIX, _home)
        app.router.add_get(f"{PREFIX}/", _home)

    async def close(_: web.Application) -> None:
        await live.close()

    app.on_shutdown.append(close)


async def _home(request: web.Request) -> web.Response:
    here = "" if request.path.endswith("/") else f"{PREFIX.removeprefix('/')}/"
    return web.Response(status=302, headers={**HEADERS, hdrs.LOCATION: f"{here}inbox"})


async def _asset(request: web.Request) -> web.Response:
    asset = assets().get(request.match_info["name"])
    if asset is None:
        raise web.HTTPNotFound
    is_this = request.query.get("v") == asset.version
    kept = {"Cache-Control": "public, max-age=31536000, immutable"} if is_this else {}
    return web.Response(body=asset.content, headers={**HEADERS, **kept, hdrs.CONTENT_TYPE: asset.content_type})


class _Desk:
    """What every page is answered with."""

    def __init__(
        self,
        config: Config,
        backends: Backends,
        clock: Clock,
        live: Live,
        figures: Figures,
        peer_of: Callable[[web.BaseRequest], str | None],
        hosts: frozenset[str],
        serves_playground: bool,  # noqa: FBT001 - private
    ) -> None:
        self._config = config
        self._backends = backends
        self._clock = clock
        self._live = live
        self._figures = figures
        self._peer_of = peer_of
        self._hosts = hosts
        self._serves_playground = serves_playground
        passwords = Passwords(config.console)
        self._sessions = Sessions(passwords, clock)
        self.entry = Entry(passwords, self._sessions, Tries(clock), peer_of)
        self._everybody = Session(token=secrets.token_hex(32), role="operator")
        """Where nobody logs in."""

    def route(self, page: Page) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """A page as a handler of requests: whatever goes wrong is a page too."""

        async def answer(request: web.Request) -> web.StreamResponse:
            ask = self._ask(page, request)
            try:
                response = await self._answer(page, ask)
            except (asyncio.CancelledError, ConnectionResetError):
                raise
            except Exception as error:  # noqa: BLE001 - the last line of defence
                response = self._refused(ask, refusal_of(error))
            if not response.prepared:
                response.headers.update(HEADERS)
            return response

        return answer

    def _ask(self, page: Page, request: web.Request) -> Ask:
        language = language_of(request.cookies.get(LANGUAGE_COOKIE), request.headers.get(hdrs.ACCEPT_LANGUAGE, ""))
        return Ask(
            request=request,
            session=None,
            backends=(),
            config=self._config,
            clock=self._clock,
            live=self._live,
            figures=self._figures,
            texts=Texts(language),
            root=page.root,
            form=MultiDict(),
            navigation=NAVIGATION,
            serves_playground=self._serves_playground,
            is_valid=lambda: self._is_valid(request),
        )

    async def _is_valid(self, request: web.Request) -> bool:
        """Whether the session of a request lasts, which may have begun long ago."""
        return await self._session(request, is_used=False) is not None

    async def _answer(self, page: Page, ask: Ask) -> web.StreamResponse:
        request = ask.request
        if self._config.console_is_open:
            check_peer(request)
            check_host(request, self._hosts)
        if request.method not in SAFE:
            check_origin(request, self._config.server.public_url)
        session = await self._session(request, is_used=_LIVE not in request.headers)
        if page.role is not None and session is None:
            return self._to_login(ask)
        if page.role == "operator" and session is not None and session.role != "operator":
            raise Refusal(403, "this takes the password of the operator")
        form = await _form(request) if request.method not in SAFE else MultiDict()
        if request.method not in SAFE and session is not None and not page.is_proof:
            check_csrf(session, request.headers.get(CSRF_HEADER) or form.get(CSRF_FIELD, ""))
        return await page.act(replace(ask, session=session, backends=self._backends(), form=form))

    async def _session(self, request: web.Request, *, is_used: bool) -> Session | None:
        if self._config.console_is_open:
            return self._everybody
        token = token_of(request)
        if not token:
            return None
        return await self._sessions.find(self._backends()[0].store, token, is_used=is_used)

    def _to_login(self, ask: Ask) -> web.StreamResponse:
        if ask.is_fragment or ask.request.method not in SAFE:
            return web.Response(status=401, headers={"HX-Refresh": "true"}, text=ask.texts("Log in again."))
        here = ask.request.path.partition(f"{PREFIX}/")[2]
        return ask.go(f"login?next={quote(here, safe='')}")

    def _refused(self, ask: Ask, refusal: Refusal) -> web.Response:
        phrase = phrase_of(refusal.status)
        if refusal.status in TOLD:
            log_refusal(refusal.status, phrase.lower(), self._peer_of(ask.request))
        detail = ask.texts(refusal.detail or phrase.lower())
        if ask.is_fragment:
            retarget = {"HX-Retarget": "#notice", "HX-Reswap": "innerHTML"}
            response = ask.render("notice.html", status=refusal.status, detail=detail)
            response.headers.update({**retarget, **refusal.headers})
            return response
        response = ask.render("error.html", status=refusal.status, title=ask.texts(phrase), detail=detail)
        response.headers.update(refusal.headers)
        return response


async def _form(request: web.Request) -> MultiMapping[str]:
    """The fields of a form. Raises Refusal, WebhookError."""
    if request.content_type != _FORM:
        raise Refusal(415, "want a form")
    if (request.content_length or 0) > BODY_LIMIT:
        raise Refusal(413, "the form is too long")
    body = await read_raw(request, BODY_LIMIT)
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS, errors="strict")
    except ValueError:
        raise Refusal(400, "the form cannot be read") from None
    return MultiDict(fields)
