"""Coming and going: login, logout, and the language of the pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from bridge.log import log
from bridge.web.api.problems import Refusal
from bridge.web.operator.guard import set_token
from bridge.web.operator.page import Page
from bridge.web.operator.texts import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.web.operator.access import Passwords, Tries
    from bridge.web.operator.page import Ask
    from bridge.web.operator.sessions import Sessions

HOME: Final = "inbox"
LANGUAGE_COOKIE: Final = "threadbridge_language"
_NEXT: Final = re.compile(r"[a-z][a-z0-9-]*(/[A-Za-z0-9_.:-]{1,200})*")
"""Pages of ours, and no other address."""
_YEAR: Final = 365 * 86_400


class Entry:
    """The door of the console."""

    def __init__(
        self, passwords: Passwords, sessions: Sessions, tries: Tries, peer_of: Callable[[web.BaseRequest], str | None]
    ) -> None:
        """`peer_of` names the other end, for the tries that it has."""
        self._passwords = passwords
        self._sessions = sessions
        self._tries = tries
        self._peer_of = peer_of

    def pages(self) -> tuple[Page, ...]:
        """Its own pages."""
        return (
            Page(path="/login", act=self._form, role=None),
            Page(path="/login", act=self._login, method=hdrs.METH_POST, role=None, is_proof=True),
            Page(path="/logout", act=self._logout, method=hdrs.METH_POST, role="viewer"),
            Page(path="/language", act=_language, method=hdrs.METH_POST, role=None),
        )

    async def _form(self, ask: Ask) -> web.StreamResponse:
        if ask.session is not None:
            return ask.go(_next(ask.request.query.get("next", "")))
        return ask.render("login.html", next=_next(ask.request.query.get("next", "")), problem="")

    async def _login(self, ask: Ask) -> web.StreamResponse:
        peer, store = self._peer_of(ask.request) or "", ask.backends[0].store
        try:
            self._tries.check(peer)
        except Refusal as refusal:
            seconds = refusal.headers["Retry-After"]
            return self._refused(
                ask, refusal.status, ask.texts("Too many wrong passwords. Wait {seconds} s.", seconds=seconds)
            )
        self._tries.failed(peer)  # counted before the digest is made: tries side by side are tries too
        mark = await self._passwords.mark_of(store, ask.form.get("password", ""))
        if mark is None:
            log.warning("console_login_refused", peer=peer)
            return self._refused(ask, 403, ask.texts("This is not the password."))
        self._tries.succeeded(peer)
        if ask.session is not None:
            await self._sessions.end(store, ask.session)
        token = await self._sessions.begin(store, mark)
        session = await self._sessions.find(store, token, is_used=False)
        await ask.as_(session).call().audit(ask.backends[0], "login", "", "")
        response = ask.go(_next(ask.form.get("next", "")))
        set_token(ask.request, response, token)
        return response

    def _refused(self, ask: Ask, status: int, problem: str) -> web.Response:
        return ask.render("login.html", status=status, next=_next(ask.form.get("next", "")), problem=problem)

    async def _logout(self, ask: Ask) -> web.StreamResponse:
        assert ask.session is not None
        await ask.call().audit(ask.backends[0], "logout", "", "")
        await self._sessions.end(ask.backends[0].store, ask.session)
        response = ask.go("login")
        set_token(ask.request, response, "")
        return response


async def _language(ask: Ask) -> web.StreamResponse:
    """Speak another language from now on."""
    chosen = ask.form.get("language", "")
    if chosen not in LANGUAGES:
        raise Refusal(422, "the console does not speak this language")
    response = ask.go(_next(ask.form.get("next", "")))
    response.set_cookie(LANGUAGE_COOKIE, chosen, max_age=_YEAR, path="/", httponly=True, samesite="Strict")
    return response


def _next(asked: str) -> str:
    return asked if _NEXT.fullmatch(asked) else HOME
