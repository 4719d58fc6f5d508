"""Trying a bot: be a contact of any emulated gateway, see the plan and the wire, and let things go wrong.

An emulated gateway is one that an account reaches on this machine, in `dev` and `demo`. Its emulator is asked by its
own door (bridge.emulation.server).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

import aiohttp
import orjson
from aiohttp import hdrs, web

from bridge.store.looks import ThreadSearch
from bridge.units import is_loopback
from bridge.web.api.problems import Refusal
from bridge.web.operator.page import Page
from bridge.web.operator.story import story_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.config.accounts import Account
    from bridge.web.operator.page import Ask

_LATEST: Final = 60
_SECONDS: Final = 10
_REQUESTS: Final = 3
"""Requests to the gateway that are shown, the latest first."""
_CONTACT: Final = "6281234567890"
"""Who writes unless told otherwise: a number is a name on every channel."""
_DELAY: Final = 2000
"""Milliseconds of the delay that a box stands for."""
_CERTAIN: Final = ("drop", "dup")
_NO_EMULATOR: Final = "no emulator answers at the address of the gateway"
_BETWEEN: Final = "\t"
"""Between the key and the title of a pressed choice: no key has one."""


async def _try(ask: Ask) -> web.StreamResponse:
    """The talk with a contact of an emulated gateway."""
    accounts = _emulated(ask)
    if not accounts:
        return ask.render("try.html", accounts={}, account=None)
    query = ask.request.query
    account = accounts.get(query.get("account", ""), next(iter(accounts.values())))
    channels = account.provider.channels or tuple(account.provider.relays)
    channel = query.get("channel", "") if query.get("channel") in channels else channels[0]
    contact = query.get("contact", "")[:200] or _CONTACT
    talk = await _talk(ask, account, channel, contact)
    try:
        faults, wire = await _asked(account, "faults"), (await _asked(account, "requests"))[-_REQUESTS:]
    except Refusal as refusal:
        faults, wire = {"error": refusal.detail}, []
    values = {"account": account, "channel": channel, "contact": contact, "wire": wire[::-1], **talk}
    if ask.is_fragment:
        return ask.render("try-talk.html", **values)
    return ask.render("try.html", accounts=accounts, channels=channels, faults=faults, delay=_DELAY, **values)


async def _talk(ask: Ask, account: Account, channel: str, contact: str) -> dict[str, Any]:
    """What was said so far: the conversation of a contact is the one that a search finds."""
    backend = next(backend for backend in ask.backends if account.name in backend.accounts)
    search = ThreadSearch(text=contact, account=account.name, channel=channel)
    found = (await backend.store.search_threads(search, limit=1)).threads
    if not found:
        return {"told": [], "thread_id": None}
    rows = await backend.store.timeline(found[0].id, limit=_LATEST)
    return {"told": story_of(rows), "thread_id": ask.call().id_of(account.name, found[0].id)}


async def _act(ask: Ask) -> web.StreamResponse:
    """The contact says something, or presses a choice."""
    account = _account(ask)
    who = {name: ask.form.get(name, "") for name in ("channel", "contact")}
    if pressed := ask.form.get("press"):
        key, _, title = pressed.partition(_BETWEEN)
        await _asked(account, "presses", {**who, "key": key, "title": title or key})
    elif text := ask.form.get("text", "").replace("\r\n", "\n").strip():
        await _asked(account, "says", {**who, "text": text})
    return _back(ask, account)


async def _faults(ask: Ask) -> web.StreamResponse:
    """Other things go wrong at the gateway from now on."""
    account = _account(ask)
    faults: dict[str, Any] = {name: 1 for name in _CERTAIN if ask.form.get(name)}
    if ask.form.get("delay"):
        faults["delay_ms"] = _DELAY
    if code := ask.form.get("fail", "").strip():
        faults["fail"] = {code: 1}
    await _asked(account, "faults", faults)
    return _back(ask, account)


def _back(ask: Ask, account: Account) -> web.StreamResponse:
    if ask.is_fragment:
        return web.Response(status=204)
    where = {"account": account.name, **{name: ask.form.get(name, "") for name in ("channel", "contact")}}
    return ask.go(f"try?{urlencode(where)}")


def _account(ask: Ask) -> Account:
    """The account that a form names. Raises Refusal."""
    account = _emulated(ask).get(ask.form.get("account", ""))
    if account is None:
        raise Refusal(404, "no gateway of this account is emulated here")
    return account


def _emulated(ask: Ask) -> dict[str, Account]:
    """The accounts whose gateways are emulated on this machine, where nobody is asked for a password."""
    if not ask.config.console_is_open:
        return {}
    return {
        name: account
        for backend in ask.backends
        for name, account in sorted(backend.accounts.items())
        if account.provider.base_url and is_loopback(urlsplit(account.provider.base_url).hostname or "")
    }


async def _asked(account: Account, what: str, fields: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
    """What an emulator answers at its own door. Raises Refusal: it takes no such thing, or is no emulator."""
    parts = urlsplit(account.provider.base_url or "")
    url = f"{parts.scheme}://{parts.netloc}/_emulator/{what}"
    method = hdrs.METH_GET if fields is None else hdrs.METH_POST
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS)) as session,
            session.request(method, url, data=None if fields is None else orjson.dumps(fields)) as answer,
        ):
            status, found = answer.status, orjson.loads(await answer.read())
    except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError):
        raise Refusal(503, _NO_EMULATOR) from None
    if status != HTTPStatus.OK:
        raise Refusal(422, str(found["error"]) if isinstance(found, dict) and "error" in found else _NO_EMULATOR)
    return found


PAGES: Final = (
    Page(path="/try", act=_try, role="viewer"),
    Page(path="/try/act", act=_act, method=hdrs.METH_POST, role="operator"),
    Page(path="/try/faults", act=_faults, method=hdrs.METH_POST, role="operator"),
)
